package launch

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/xcengine/xc/engine"
)

// failure turns what a runtime logged, or else printed, before it ended with an exit code into an error. The words that are
// looked for are those of runc 1.0 to 1.4 and of crun 1.x.
func (a attempt) failure(log, printed string, exit int) error {
	text := lastError(log)
	if text == "" {
		text = lastError(printed)
	}
	if text == "" {
		text = fmt.Sprintf("%s exited with %d and said nothing", a.payload.Runtime, exit)
	}
	step := "OCI runtime exec failed: "
	if a.exec == "" {
		step = "OCI runtime create failed: "
		// Docker creates and starts in two steps; what its users know is the first one's report.
		if rest, ok := strings.CutPrefix(text, "runc run failed:"); ok {
			text = "runc create failed:" + rest
		}
	}
	e := &engine.Error{Op: "start", Kind: engine.Internal, Resource: a.resource(), ID: a.payload.ID, Err: errors.New(step + text)}
	for _, c := range causes() {
		if !c.words.MatchString(text) {
			continue
		}
		e.Kind, e.Reason = engine.Invalid, c.reason
		switch c.reason {
		case engine.ReasonNone:
			e.Err = errors.New(step + text + c.advice)
		case engine.ReasonBadCwd:
			e.Args, e.Err = []string{a.payload.Cwd}, errors.New(lastPart(text))
		default:
			e.Args = []string{a.payload.Word}
		}
		break
	}
	return e
}

// lastPart is what stands behind the last colon: the system's word for what went wrong, in small letters.
func lastPart(text string) string {
	return strings.ToLower(strings.TrimSpace(text[strings.LastIndex(text, ":")+1:]))
}

// cause is one of the things that an OCI runtime says when a process cannot be started through the user's fault. Those
// without a reason are of a mount that does not fit, above all.
type cause struct {
	words  *regexp.Regexp
	reason engine.Reason
	advice string
}

// causes are to be tried in order. They are compiled when they are needed, which most shims never come to.
func causes() []cause {
	return []cause{
		{words: regexp.MustCompile(`\bchdir\b|[Cc]wd .*(not absolute|outside)|mkdir .*: not a directory`), reason: engine.ReasonBadCwd},
		{words: regexp.MustCompile(`(?i)exec: ".*": is a directory|executable .*is a directory`), reason: engine.ReasonExecIsDir},
		{words: regexp.MustCompile(`(?i)exec: ".*permission denied|open executable: (permission denied|operation not permitted)|executable .*permission denied`), reason: engine.ReasonExecDenied},
		{words: regexp.MustCompile(`(?i)executable file .*not found|exec: ".*(no such file or directory|not a directory)|open executable: (no such file|not a dir)`), reason: engine.ReasonExecNotFound},
		{
			words:  regexp.MustCompile(`(?i)not a directory`),
			advice: ": Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type",
		},
		{words: regexp.MustCompile(`(?i)no such file or directory|permission denied`)},
	}
}

// lastError finds the last error in a log of JSON lines. A line that is no JSON (a runtime that dies while it starts) counts
// as an error.
func lastError(log string) string {
	var last string
	for line := range strings.Lines(log) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		var entry struct{ Level, Msg string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			last = line
			continue
		}
		if entry.Level == "" || entry.Level == "error" || entry.Level == "fatal" || entry.Level == "panic" {
			last = entry.Msg
		}
	}
	return last
}
