package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine/enginetest"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// bed runs command lines against a daemon on a machine in memory.
type bed struct {
	t      *testing.T
	socket string
}

func newBed(t *testing.T) *bed {
	return &bed{t, enginetest.Serve(t, enginetest.Services(enginetest.Daemon(t)), 0)}
}

// result is how a command line ended.
type result struct {
	code     int
	out, err string
}

// feed runs a command line with an input.
func (b *bed) feed(input string, args ...string) result {
	b.t.Helper()
	var out, errs bytes.Buffer
	code := run(b.t.Context(), newApp(strings.NewReader(input), &out, &errs), append([]string{"-s", b.socket}, args...))
	return result{code, out.String(), errs.String()}
}

func (b *bed) run(args ...string) result {
	b.t.Helper()
	return b.feed("", args...)
}

// must runs a command line that has to succeed, and gives what it wrote without the last line's end.
func (b *bed) must(args ...string) string {
	b.t.Helper()
	r := b.run(args...)
	if r.code != 0 {
		b.t.Fatalf("xc %s: %d %s", strings.Join(args, " "), r.code, r.err)
	}
	return strings.TrimSuffix(r.out, "\n")
}

// fails runs a command line that has to fail with a code and a text.
func (b *bed) fails(code int, text string, args ...string) {
	b.t.Helper()
	r := b.run(args...)
	if r.code != code || !strings.Contains(r.err, text) {
		b.t.Errorf("xc %s: %d %q, want %d and %q", strings.Join(args, " "), r.code, r.err, code, text)
	}
}

func TestWrongCommandLines(t *testing.T) {
	b := newBed(t)
	for _, c := range []struct {
		text string
		args []string
	}{
		{`xc has no command "pss"; did you mean ps?`, []string{"pss"}},
		{`xc network has no command "creat"; did you mean create?`, []string{"network", "creat"}},
		{"unknown flag: --al; did you mean --all?", []string{"ps", "--al"}},
		{`there is no column "NAM"; did you mean NAME?`, []string{"ps", "nam"}},
		{`there is no filter "nam"; did you mean name?`, []string{"ps", "-f", "nam=x"}},
		{"-o yaml: text or json", []string{"ps", "-o", "yaml"}},
		{"exclude each other", []string{"ps", "-o", "json", "--format", "{{.ID}}"}},
		{"unclosed action", []string{"ps", "--format", "{{"}},
		{"usage: xc version", []string{"version", "x"}},
		{`xc has no command "imag"; did you mean image?`, []string{"help", "imag"}},
		{`xc image has no command "tagg"; did you mean tag?`, []string{"help", "image", "tagg"}},
		{`there is no completion for "bsh"`, []string{"completion", "bsh"}},
		{`--cpus: "x" is not a number`, []string{"run", "--cpus", "x", "box"}},
		{`--pids-limit: "1.5" is not a whole number`, []string{"run", "--pids-limit", "1.5", "box"}},
		{`--dns: must be an address, of IPv4 or IPv6`, []string{"run", "--dns", "example.org", "box"}},
		{"--main-address: must be network/NAME or ipaddr/ADDRESS\n  net/a\n  ^", []string{"run", "--main-address", "net/a", "box"}},
		{"\"1.2.3\" is not an address\n  ipaddr/1.2.3\n         ^", []string{"run", "--main-address", "ipaddr/1.2.3", "box"}},
		{"--timeout -5: a number of seconds", []string{"stop", "-t", "-5", "box"}},
		{"--timeout -2: a number of seconds", []string{"restart", "--timeout", "-2", "box"}},
		{"--restart: must be no, always, unless-stopped or on-failure", []string{"run", "--restart", "allways", "box"}},
	} {
		b.fails(2, c.text, c.args...)
	}
}

func TestNoDaemon(t *testing.T) {
	b := &bed{t, t.TempDir() + "/none"}
	b.fails(1, "cannot be reached", "ps")
	b.fails(1, "Is xcd running?", "info")
	if r := b.run("version"); r.code != 1 || !strings.HasPrefix(r.out, "xc   ") {
		t.Errorf("%+v", r)
	}
}

func TestDumpArguments(t *testing.T) {
	b := &bed{t, "/none"}
	if r := b.run("-d", "ps", "-a", "id"); r.code != 0 || r.out != "" || r.err != "xc ps\n  --all true\n  \"id\"\n" {
		t.Errorf("%+v", r)
	}
}

func TestPs(t *testing.T) {
	b := newBed(t)
	if got := b.must("ps"); strings.Join(strings.Fields(got), " ") != "JID ID IMAGE MAIN IPS NAME OS STATUS" {
		t.Errorf("no containers: %q", got)
	}
	if got := b.must("ps", "-o", "json"); got != "[]" {
		t.Errorf("no containers: %q", got)
	}
	var v struct{ Daemon wire.Version }
	if err := json.Unmarshal([]byte(b.must("version", "-o", "json")), &v); err != nil || v.Daemon.API != "v1" {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestHelp(t *testing.T) {
	b := &bed{t, "/none"}
	for _, args := range [][]string{{"help", "network", "create"}, {"network", "create", "--help"}} {
		if got := b.must(args...); !strings.Contains(got, "xc network create [flags] NAME") || !strings.Contains(got, "--default-router") {
			t.Errorf("%v shows %q", args, got)
		}
	}
	if got := b.must("help"); !strings.Contains(got, "Networks and volumes:") || strings.Contains(got, "Additional Commands") {
		t.Errorf("help shows %q", got)
	}
}

// TestCompletions reads each shell's completion by that shell, where it is here.
func TestCompletions(t *testing.T) {
	b := &bed{t, "/none"}
	for shell, check := range map[string][]string{"bash": {"bash", "-n"}, "zsh": {"zsh", "-n"}, "fish": {"fish", "-n"}, "powershell": nil} {
		text := b.must("completion", shell)
		if !strings.Contains(text, "xc") || !strings.Contains(text, "__complete") {
			t.Errorf("%s: %q", shell, text)
		}
		if check == nil {
			continue
		}
		if _, err := exec.LookPath(check[0]); err != nil {
			t.Logf("%s is not here, and does not read its completion", shell)
			continue
		}
		file := filepath.Join(t.TempDir(), "completion")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(check[0], append(check[1:], file)...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", shell, err, out)
		}
	}
	for words, want := range map[string]string{"help ima": "image\tImages", "completion b": "bash", "net": "network\tNetworks"} {
		if got := b.must(append([]string{"__complete"}, strings.Split(words, " ")...)...); !strings.Contains(got, want) {
			t.Errorf("%s is completed by %q", words, got)
		}
	}
}
