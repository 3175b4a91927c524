package jailer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
)

// psDefault is what "docker top" shows: the columns of "ps -ef" on Linux, by the words of ps(1).
var psDefault = []string{
	"-ww", "-o", "user=UID", "-o", "pid=PID", "-o", "ppid=PPID", "-o", "%cpu=C", "-o", "start=STIME", "-o", "tt=TTY", "-o", "time=TIME", "-o", "command=CMD",
}

// psArgs translates the user's arguments for ps(1). Those that would choose other processes or read other files are refused.
func psArgs(given []string) ([]string, error) {
	words := strings.Fields(strings.Join(given, " "))
	if len(words) == 0 || len(words) == 1 && words[0] == "-ef" {
		return psDefault, nil
	}
	for i := 0; i < len(words); i++ {
		flags, dashed := strings.CutPrefix(words[i], "-")
		if i == 0 && !dashed {
			flags = words[i] // "aux"
		}
		if at := strings.IndexAny(flags, "oO"); at >= 0 {
			if at == len(flags)-1 {
				i++ // its argument
			}
			flags = flags[:at]
		}
		if strings.ContainsAny(flags, "MNJpGtTU") || !dashed && i > 0 {
			return nil, &engine.Error{Op: "top", Kind: engine.Invalid, Resource: engine.ResourceContainer, Err: fmt.Errorf("ps argument %q is not allowed", words[i])}
		}
	}
	return words, nil
}

// psComplaint is the first thing that ps(1) did not like.
func psComplaint(stderr string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(stderr), "\n")
	if !strings.HasPrefix(line, "ps: ") {
		return ""
	}
	return line
}

// parsePs reads what ps printed: a line of titles, then one for each process, whose last column takes the rest.
func parsePs(out string) (engine.ProcessTable, error) {
	lines := slices.Collect(strings.Lines(out))
	if len(lines) == 0 {
		return engine.ProcessTable{}, fmt.Errorf("ps printed nothing")
	}
	t := engine.ProcessTable{Titles: strings.Fields(lines[0])}
	for _, line := range lines[1:] {
		if row := columns(line, len(t.Titles)); len(row) == len(t.Titles) {
			t.Rows = append(t.Rows, row)
		}
	}
	return t, nil
}

func columns(line string, n int) []string {
	var row []string
	rest := strings.TrimSpace(line)
	for len(row) < n-1 {
		at := strings.IndexAny(rest, " \t")
		if at < 0 {
			break
		}
		row, rest = append(row, rest[:at]), strings.TrimLeft(rest[at:], " \t")
	}
	return append(row, rest)
}
