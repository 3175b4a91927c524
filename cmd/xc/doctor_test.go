package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine/platform/doctor"
)

// silent are sockets on which nobody answers.
type silent struct{}

func (silent) Native(context.Context, string) (string, []string, error) {
	return "", nil, errors.New("refused")
}
func (silent) Docker(context.Context, string) (string, error) { return "", errors.New("refused") }

// bare is this host without files, programs and sockets.
func bare() doctor.Source {
	h := doctor.Host(silent{})
	h.ReadFile = func(string) ([]byte, error) { return nil, fs.ErrNotExist }
	h.Exists = func(string) bool { return false }
	h.Look = func(string) (string, error) { return "", errors.New("not found") }
	h.Filter = func() bool { return true }
	h.Root = true
	return h
}

func TestDoctorJSON(t *testing.T) {
	cmd := doctorCommand(bare)
	var out bytes.Buffer
	cmd.SilenceUsage, cmd.SilenceErrors = true, true // as the root command has it
	cmd.SetOut(&out)
	cmd.SetArgs([]string{"-o", "json"})
	if err := cmd.ExecuteContext(t.Context()); !errors.Is(err, errReported) {
		t.Errorf("with something broken: %v", err)
	}
	var r reportJSON
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	found := map[string]findingJSON{}
	for _, f := range r.Findings {
		found[f.ID] = f
		if f.Severity == "ok" {
			t.Errorf("without -a it tells of what is fine: %+v", f)
		}
	}
	if f := found["xcd.answers"]; f.Severity != "broken" || len(f.Mend) == 0 || r.Broken == 0 {
		t.Errorf("%+v", r)
	}
	if f := found["docker.group"]; !f.Setup || f.Severity != "limited" {
		t.Errorf("%+v", f)
	}
}

// asked are sockets that note which of them were asked.
type asked struct{ native *string }

func (a asked) Native(_ context.Context, socket string) (string, []string, error) {
	*a.native = socket
	return "xcd", nil, nil
}
func (asked) Docker(context.Context, string) (string, error) { return "xcd", nil }

func TestDoctorAsksTheSocketThatIsNamed(t *testing.T) {
	for _, c := range []struct{ named, want string }{{"", "/run/configured.sock"}, {"/run/named.sock", "/run/named.sock"}} {
		var got string
		h := bare()
		h.Ask, h.Socket = asked{&got}, c.named
		h.Exists = func(path string) bool { return strings.HasSuffix(path, ".sock") }
		h.ReadFile = func(path string) ([]byte, error) {
			if strings.HasSuffix(path, "xc.conf") || strings.HasSuffix(path, ".json") {
				return []byte(`{"socket_path": "/run/configured.sock"}`), nil
			}
			return nil, fs.ErrNotExist
		}
		doctor.Gather(t.Context(), h)
		if got != c.want {
			t.Errorf("named %q: asked %q, want %q", c.named, got, c.want)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for _, args := range [][]string{{"doctor", "-o", "yaml"}, {"doctor", "x"}, {"setup", "--no-such"}, {"setup", "x"}} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), newApp(nil, &out, &errs), args); code != 2 || !strings.HasPrefix(errs.String(), "xc: ") {
			t.Errorf("%v: %d, %s", args, code, errs.String())
		}
	}
}

// setupRun runs setup with answers and returns what it printed. Nothing is answered that would change this host.
func setupRun(t *testing.T, o setupOptions, host doctor.Source, answers string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := setup{host, doctor.Applier{}, bufio.NewReader(strings.NewReader(answers)), &out, o}.run(t.Context())
	return out.String(), err
}

func TestSetupAsks(t *testing.T) {
	out, err := setupRun(t, setupOptions{dryRun: true}, bare(), "")
	steps := strings.Count(out, "\n  (") // one for each finding that is shown
	if err != nil || steps == 0 || strings.Contains(out, "do this?") || !strings.Contains(out, "docker.group") {
		t.Fatalf("dry run: %v\n%s", err, out)
	}
	out, err = setupRun(t, setupOptions{}, bare(), strings.Repeat("what\nN\n", steps))
	if !errors.Is(err, errReported) || strings.Count(out, "left as it is") != steps || strings.Count(out, "do this?") != 2*steps {
		t.Errorf("no to all: %v\n%s", err, out)
	}
	for _, answers := range []string{"", "q\n", "n\nq\n"} {
		if out, err := setupRun(t, setupOptions{skip: []string{"pf.conf"}}, bare(), answers); err == nil || strings.Contains(out, "done") {
			t.Errorf("%q: %v\n%s", answers, err, out)
		}
	}
	plain := bare()
	plain.Root = false
	if out, err := setupRun(t, setupOptions{yes: true}, plain, ""); err == nil || out != "" {
		t.Errorf("not as root: %v\n%s", err, out)
	}
}
