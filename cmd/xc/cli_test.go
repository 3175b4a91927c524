package main

import (
	"bytes"
	"encoding/json"
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
