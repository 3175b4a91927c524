package integration

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var updateScenarios = flag.Bool("update-scenarios", false, "write the scenarios' transcripts anew, from the dockerd that XC_ORACLE names")

// user is one of the clients of integration/clients with what it needs around it.
type user struct {
	name string
	// env has the programs' places, as scenarios call them.
	env []string
	// missing says what is not here and how to get it; empty when the client can run.
	missing string
	// only are the scenarios that it does; none means all.
	only []string
}

// step is a line of a scenario's file "run".
type step struct {
	line string // of the file, without what stands before the colon
	// users are the only ones that do it; none means all.
	users []string
	// sorted: its lines have no order. quiet: only its end counts. until: it is tried again until it succeeds. beside: it runs
	// beside all that follows, and is asked at the end.
	sorted, quiet, until, beside bool
}

var prefixed = regexp.MustCompile(`^([a-z0-9-]+(?: [a-z0-9-]+)*): (.*)$`)

// readSteps reads a scenario: a line is a shell's command, with words before a colon that say how it is looked at. "#" begins a
// comment, a backslash at the end goes on with the next line.
func readSteps(text string, users []string) ([]step, error) {
	var steps []step
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", "")) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		s := step{line: line}
		if m := prefixed.FindStringSubmatch(line); m != nil {
			s.line = m[2]
			for _, word := range strings.Fields(m[1]) {
				switch {
				case word == "sorted":
					s.sorted = true
				case word == "quiet":
					s.quiet = true
				case word == "until":
					s.until = true
				case word == "beside":
					s.beside = true
				case slices.Contains(users, word):
					s.users = append(s.users, word)
				default:
					return nil, fmt.Errorf("%q is neither a way to look at a command nor a client: %s", word, line)
				}
			}
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// scenarios runs every scenario of a directory below clients/scenarios for every user, and compares what they saw with what is written
// down of dockerd: in the file "want", or "want.NAME" where a user sees something else. "differs.freebsd" lists what FreeBSD says
// instead, and why, "skip.freebsd" why it is nothing for FreeBSD.
func scenarios(t *testing.T, group string, users []user) {
	names := make([]string, len(users))
	for i, u := range users {
		names[i] = u.name
	}
	runs, err := filepath.Glob(filepath.Join("clients", "scenarios", group, "*", "run"))
	if err != nil || len(runs) == 0 {
		t.Fatalf("no scenarios of %s: %v", group, err)
	}
	for _, run := range runs {
		dir := filepath.Dir(run)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			text, err := os.ReadFile(run)
			if err != nil {
				t.Fatal(err)
			}
			steps, err := readSteps(string(text), names)
			if err != nil {
				t.Fatal(err)
			}
			for i, u := range users {
				if u.only != nil && !slices.Contains(u.only, filepath.Base(dir)) {
					continue
				}
				t.Run(u.name, func(t *testing.T) { scene{dir, steps, u, i == 0}.play(t) })
			}
		})
	}
}

// scene is a scenario for one user.
type scene struct {
	dir   string
	steps []step
	user  user
	first bool // its transcript is the one without a name
}

func (s scene) play(t *testing.T) {
	if s.user.missing != "" {
		t.Skip(s.user.missing)
	}
	if !slices.ContainsFunc(s.steps, func(one step) bool { return one.users == nil || slices.Contains(one.users, s.user.name) }) {
		t.Skip("nothing in it is for this client")
	}
	if why, err := os.ReadFile(filepath.Join(s.dir, "skip."+runtime.GOOS)); err == nil {
		t.Skip(strings.TrimSpace(string(why)))
	}
	common, own := filepath.Join(s.dir, "want"), filepath.Join(s.dir, "want."+s.user.name)
	file := own
	if _, err := os.Stat(own); err != nil {
		file = common
	}
	var theirs string
	if os.Getenv("XC_ORACLE") != "" {
		theirs = s.transcript(t, oracle(t))
		if *updateScenarios {
			s.write(t, common, own, theirs)
		}
	}
	if *updateScenarios {
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if theirs != "" {
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(theirs, "\n")); diff != "" {
			t.Errorf("the oracle is not as written in %s (-want +oracle):\n%s", file, diff)
		}
	}
	lines := strings.Split(string(want), "\n")
	if text, err := os.ReadFile(filepath.Join(s.dir, "differs."+runtime.GOOS)); err == nil {
		if lines, err = amend(lines, string(text)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(lines, strings.Split(s.transcript(t, start(t)), "\n")); diff != "" {
		t.Errorf("not as written in %s (-want +got):\n%s", file, diff)
	}
}

// amend changes what dockerd says into what is said on another system. Each paragraph of changes is one place, in their order: lines
// that begin with "-" or " " are looked for one below the other, those with "-" go, and those with "+" come. "#" begins a reason.
func amend(lines []string, changes string) ([]string, error) {
	var done []string
	for paragraph := range strings.SplitSeq(strings.Trim(changes, "\n"), "\n\n") {
		var old, now []string
		for line := range strings.SplitSeq(paragraph, "\n") {
			switch sign, text := line[:min(1, len(line))], line[min(1, len(line)):]; sign {
			case "-":
				old = append(old, text)
			case "+":
				now = append(now, text)
			case " ":
				old, now = append(old, text), append(now, text)
			case "#":
			default:
				return nil, fmt.Errorf("%q begins with none of - + # and a space", line)
			}
		}
		at := 0
		for at+len(old) <= len(lines) && !slices.Equal(lines[at:at+len(old)], old) {
			at++
		}
		if len(old) == 0 || at+len(old) > len(lines) {
			return nil, fmt.Errorf("there is no place where this is said:\n%s", paragraph)
		}
		done = append(append(done, lines[:at]...), now...)
		lines = lines[at+len(old):]
	}
	return append(done, lines...), nil
}

func TestAmend(t *testing.T) {
	lines := strings.Split("a b c b d", " ")
	for changes, want := range map[string]string{
		"# why\n-b\n+B":         "a B c b d",
		" c\n-b\n+x\n+y":        "a b c x y d",
		"-b\n\n# again\n-b\n+e": "a c e d",
		"-b\n-d":                "a b c",
	} {
		if got, err := amend(lines, changes+"\n"); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %q, %v, want %q", changes, got, err, want)
		}
	}
	for _, changes := range []string{"-x", "-d\n\n-a", "+x", "b"} {
		if got, err := amend(lines, changes); err == nil {
			t.Errorf("%q: %q", changes, got)
		}
	}
}

// write keeps a transcript, once for all users who see the same.
func (s scene) write(t *testing.T, common, own, text string) {
	t.Helper()
	if same, err := os.ReadFile(common); err == nil && string(same) == text {
		if err := os.Remove(own); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return
	}
	if s.first {
		own = common
	}
	if err := os.WriteFile(own, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// transcript runs the scenario and returns what its user saw, and what was left.
func (s scene) transcript(t *testing.T, e *engine) string {
	t.Helper()
	e = e.as(t)
	before := e.everything()
	t.Cleanup(func() { e.restore(before) })
	work := filepath.Join(t.TempDir(), "project")
	if err := os.CopyFS(work, os.DirFS(s.dir)); err != nil {
		t.Fatal(err)
	}
	tools := t.TempDir()
	if err := os.WriteFile(filepath.Join(tools, "dc"), []byte("#!/bin/sh\nexec $COMPOSE \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := &reader{t: t, work: work, port: freePort(t), env: append(os.Environ(), s.user.env...)}
	defer r.end()
	r.env = append(r.env, "DOCKER_HOST="+e.host, "SOCKET="+strings.TrimPrefix(e.host, "unix://"), "PORT="+r.port, "COMPOSE_PROJECT_NAME="+project, "DOCKER_BUILDKIT=0", "COLUMNS=200", "PATH="+tools+":"+os.Getenv("PATH"),
		"DOCKER_CLI_HINTS=false", "COMPOSE_MENU=false", "TZ=UTC", "LC_ALL=C.UTF-8")
	var out strings.Builder
	var later []func() string
	for _, one := range s.steps {
		if one.users != nil && !slices.Contains(one.users, s.user.name) {
			continue
		}
		if one.beside {
			later = append(later, r.begin(one))
			continue
		}
		out.WriteString(r.do(one))
	}
	for _, end := range later {
		out.WriteString(end())
	}
	for _, thing := range e.everything() {
		if !slices.Contains(before, thing) {
			out.WriteString("left: " + r.plain(thing))
		}
	}
	return out.String()
}

// project is the scenarios' compose project; what they make by hand carries it as a prefix.
const project = "shop"

var nameless = regexp.MustCompile(`^[0-9a-f]{64}$`)

// everything lists what an engine keeps, but images and volumes without a name; of an engine that is not the test's own, only what is
// a scenario's by its label or name.
func (e *engine) everything() []string {
	e.t.Helper()
	lists := [][]string{{"ps", "-a", "--no-trunc"}, {"network", "ls", "--no-trunc", "--filter", "type=custom"}, {"volume", "ls"}}
	var all []string
	for i, kind := range []string{"container", "network", "volume"} {
		row := kind + " {{.Label \"com.docker.compose.project\"}} " + []string{"{{.ID}} {{.Names}}", "{{.ID}} {{.Name}}", "{{.Name}} {{.Name}}"}[i]
		for line := range strings.Lines(e.must(append(lists[i], "--format", row)...)) {
			f := strings.Split(strings.TrimSpace(line), " ") // kind, project, handle, name
			if e.dir != "" && !nameless.MatchString(f[3]) || f[1] == project || strings.HasPrefix(f[3], project) {
				all = append(all, f[0]+" "+f[2])
			}
		}
	}
	return all
}

// restore removes what was not there before, also after a scenario that failed.
func (e *engine) restore(before []string) {
	for _, thing := range e.everything() {
		if kind, id, _ := strings.Cut(thing, " "); !slices.Contains(before, thing) {
			e.docker(map[string][]string{"container": {"rm", "-f", "-v", id}, "network": {"network", "rm", id}, "volume": {"volume", "rm", id}}[kind]...)
		}
	}
}

// reader runs a scenario's commands and writes down what a user reads.
type reader struct {
	t    testing.TB
	work string
	port string
	env  []string
	// groups are the process groups of the commands, which may have left something in the background.
	groups []int
}

// shorthands are what scenarios call: the command, and the project's containers in a list. Compose is "dc", a program, for shells do
// not agree on what a variable before a function's name is. BSD's wc sets its numbers to the right.
const shorthands = `wc() { command wc "$@" | tr -d ' '; }; docker() { command "$DOCKER" "$@"; }; ours() { docker ps --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" "$@"; }; `

func (r *reader) command(ctx context.Context, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", "-c", shorthands+line)
	cmd.Dir, cmd.Env, cmd.WaitDelay = r.work, r.env, time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// end ends what runs on in the background.
func (r *reader) end() {
	for _, group := range r.groups {
		syscall.Kill(-group, syscall.SIGKILL) //nolint:errcheck // most have ended
	}
}

func (r *reader) do(s step) string {
	for end := time.Now().Add(kit.patience * 20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		text, ok := r.begin(s)(), true
		if s.until {
			ok = !strings.Contains(text, "\n[")
			text = "$ until " + s.line + "\n"
		}
		if ok {
			return text
		}
		if time.Now().After(end) {
			return text + "[never]\n"
		}
	}
}

// begin starts a command; what it returns waits for its end and tells about it.
func (r *reader) begin(s step) func() string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), kit.patience*time.Minute)
	cmd := r.command(ctx, s.line)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.groups = append(r.groups, cmd.Process.Pid)
	return func() string {
		defer cancel()
		err := cmd.Wait()
		text := r.plain(out.String())
		if s.sorted {
			lines := strings.SplitAfter(text, "\n")
			slices.Sort(lines)
			text = strings.Join(lines, "")
		}
		said := r.plain(progress.ReplaceAllString(errs.String(), ""))
		if s.quiet {
			text, said = "", ""
		}
		if err != nil {
			text += fmt.Sprintf("[%s]\n%s", cmd.ProcessState, said)
		}
		if ctx.Err() != nil {
			text += "[it did not end]\n"
		}
		return "$ " + s.line + "\n" + text
	}
}

// progress is what Compose says of its steps, in no order.
var progress = regexp.MustCompile(`(?m)^\s*((Container|Network|Volume|Image|Compose) .*|)\n`)

// passing is what differs from run to run, and what it becomes.
var passing = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`), ""},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "ID"},
	{regexp.MustCompile(`\b[0-9a-f]{12}\b`), "ID"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?Z| ?[+-]\d\d:?\d\d( UTC)?)?`), "TIME"},
	{regexp.MustCompile(`\b(Up|Exited \(\d+\)|Created) (Less than a second|About an? (minute|hour)|\d+ (seconds?|minutes?))( ago)?`), "$1 FOR"},
	{regexp.MustCompile(`\b(Less than a second|About an? (minute|hour)|\d+ (seconds?|minutes?|hours?|days?|weeks?|months?|years?)) ago`), "AGO"},
	{regexp.MustCompile(`\b172\.\d+\.\d+\.\d+\b`), "ADDRESS"},
	{regexp.MustCompile(`\b(0\.0\.0\.0|127\.0\.0\.1):(3[2-9]|4\d|5\d|6[0-5])\d{3}\b`), "$1:RANDOM"},
	{regexp.MustCompile(`(?m)[ \t]+$`), ""},
	{regexp.MustCompile(`[ \t]{2,}`), "  "},
}

// plain is a text without what differs from run to run.
func (r *reader) plain(text string) string {
	text = strings.NewReplacer(r.work, "DIR", ":"+r.port, ":PORT", "\r", "").Replace(text)
	for _, p := range passing {
		text = p.what.ReplaceAllString(text, p.as)
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}
