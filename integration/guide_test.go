package integration

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// TestGuide reads docs/guide.md, does what it says in its order, and compares what is printed with what it shows.
func TestGuide(t *testing.T) {
	if kit.skip != "" {
		t.Skip(kit.skip)
	}
	text, err := os.ReadFile("../docs/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	steps := guideSteps(t, string(text))
	p := newGuidePlace(t)
	for _, s := range steps {
		t.Logf("%d: # %s", s.line, s.command)
		if s.terminal {
			p.converse(s)
		} else {
			p.do(s)
		}
		if t.Failed() {
			return // what comes later needs it
		}
	}
	if left := guideLeft(t, p); len(left) > 0 {
		t.Errorf("left on the host: %v", left)
	}
}

// guideStep is one command of the guide.
type guideStep struct {
	line     int
	command  string
	shown    []string // lines that it prints; "…" stands for anything, alone on a line for any lines
	terminal bool     // it is a conversation: shown has lines that are typed, after "$ ", and lines that are then printed
}

// guideSteps reads the fenced blocks that are of this system. A block begins with "```console", the systems that it is for,
// unless it is for all, and "terminal" where its commands need one.
func guideSteps(t *testing.T, text string) (all []guideStep) {
	t.Helper()
	in, ours, terminal, until := false, false, false, ""
	heredoc := regexp.MustCompile(`<<'?(\w+)`)
	for i, line := range strings.Split(text, "\n") {
		last := len(all) - 1
		switch words := strings.Fields(strings.TrimPrefix(line, "```")); {
		case until != "":
			all[last].command += "\n" + line
			if line == until {
				until = ""
			}
		case strings.HasPrefix(line, "```") && !in:
			in, terminal = true, slices.Contains(words, "terminal")
			systems := slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "console" || w == "terminal" })
			ours = slices.Contains(words, "console") && (len(systems) == 0 || slices.Contains(systems, runtime.GOOS))
			if unknown := slices.DeleteFunc(systems, func(w string) bool { return w == "linux" || w == "freebsd" }); len(unknown) > 0 || words[0] != "console" {
				t.Fatalf("line %d: a block that no test reads: %s", i+1, line)
			}
		case strings.HasPrefix(line, "```"):
			in = false
		case !in || !ours:
		case strings.HasPrefix(line, "# "):
			all = append(all, guideStep{line: i + 1, command: line[2:], terminal: terminal})
			if m := heredoc.FindStringSubmatch(line); m != nil {
				until = m[1]
			}
		case last < 0:
			t.Fatalf("line %d: shown before any command: %s", i+1, line)
		default:
			all[last].shown = append(all[last].shown, line)
		}
	}
	if len(all) < 20 || in {
		t.Fatalf("%d commands were found in the guide", len(all))
	}
	return all
}

// matches reports whether what was printed is what the guide shows.
func (s guideStep) matches(printed string) bool {
	var pattern strings.Builder
	for _, line := range s.shown {
		if line == "…" {
			pattern.WriteString(`(?:.*\n)*?`)
			continue
		}
		pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*") + `\n`)
	}
	return regexp.MustCompile(`^` + pattern.String() + `$`).MatchString(printed)
}

// guidePlace is the machine on which the guide is followed: a shell that somebody types into, and a registry.
type guidePlace struct {
	t       testing.TB
	env     []string
	in      io.Writer
	printed *bufio.Reader
	owner   string // the daemon's mark
	state   string // its directory
}

// prompted ends what a command printed, with its exit code.
const prompted = "\x01the shell is back: "

func newGuidePlace(t *testing.T) *guidePlace {
	t.Helper()
	home := guideHome(t)
	tools := filepath.Join(home, "tools")
	if err := os.MkdirAll(tools, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(kit.docker, filepath.Join(tools, "docker")); err != nil {
		t.Fatal(err)
	}
	p := &guidePlace{t: t, state: guideState, env: append(os.Environ(),
		"HOME="+home, "PATH=/usr/local/sbin:/usr/local/bin:"+tools+":"+os.Getenv("PATH"), "DOCKER_CONFIG="+filepath.Join(home, "cli"), "DOCKER_HOST=", "XC_SOCKET=")}
	if out, err := output("go", "env", "GOCACHE", "GOMODCACHE"); err == nil {
		cache, modules, _ := strings.Cut(out, "\n")
		p.env = append(p.env, "GOCACHE="+cache, "GOMODCACHE="+modules)
	}
	guideRegistry(t, p.state)
	guideOwnRegistry(t)
	shell := exec.Command(guideShell[0], guideShell[1:]...)
	shell.Env, shell.Dir = p.env, guideDir(t)
	in, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	shell.Stdout, shell.Stderr = to, to
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	to.Close()
	p.in, p.printed = in, bufio.NewReader(out)
	t.Cleanup(func() {
		if t.Failed() {
			text, _ := os.ReadFile("/var/log/xcd.log")
			t.Logf("the daemon's log:\n%s", lastLines(string(text), 60))
			fmt.Fprintln(in, guideEnd) //nolint:errcheck // the shell may have gone
		}
		in.Close()
		shell.Wait() //nolint:errcheck // as it may
		out.Close()
	})
	return p
}

// do types a command and waits for its end.
func (p *guidePlace) do(s guideStep) {
	p.t.Helper()
	fmt.Fprintf(p.in, "{\n%s\n} </dev/null\nprintf '\\n%s%%d\\n' $?\n", s.command, prompted) //nolint:errcheck // the answer is missed
	type answer struct {
		text string
		code string
	}
	answered := make(chan answer, 1)
	go func() {
		var a answer
		for {
			line, err := p.printed.ReadString('\n')
			if code, ok := strings.CutPrefix(line, prompted); ok || err != nil {
				a.code = strings.TrimSpace(code)
				break
			}
			a.text += line
		}
		a.text = strings.TrimSuffix(a.text, "\n") // the one before the mark
		answered <- a
	}()
	select {
	case a := <-answered:
		if a.code != "0" || !s.matches(a.text) {
			p.t.Errorf("docs/guide.md:%d: # %s\nends with %s and prints:\n%s", s.line, s.command, a.code, a.text)
		}
	case <-time.After(kit.patience * 3 * time.Minute):
		p.t.Fatalf("docs/guide.md:%d: # %s\ndoes not end", s.line, s.command)
	}
	if strings.HasSuffix(s.command, "&") {
		p.untilServed()
	}
}

// untilServed waits for a daemon that was put into the background: whoever types the next command by hand does so too.
func (p *guidePlace) untilServed() {
	p.t.Helper()
	eventually(p.t, "a daemon that answers", func() bool {
		c, err := net.Dial("unix", "/var/run/xc.sock")
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	mark, err := os.ReadFile(filepath.Join(p.state, "owner"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.owner = strings.TrimSpace(string(mark))
}

// converse runs a command at a terminal, types what the guide types there, and looks at what it shows.
func (p *guidePlace) converse(s guideStep) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), kit.patience*time.Minute)
	cmd := exec.CommandContext(ctx, "sh", "-c", s.command)
	cmd.Env = append(slices.Clone(p.env), "TERM=dumb")
	x := (&engine{t: p.t}).atTerminal(cmd, cancel)
	x.types("\r") // shows the prompt, also of a console that was there before
	for _, line := range s.shown {
		typed, isTyped := strings.CutPrefix(line, "$ ")
		switch {
		case !isTyped:
			x.expect("\n" + strings.Trim(line, "…"))
		case typed == "ctrl-p q":
			x.expect("# ")
			x.types("\x10q")
		default:
			x.expect("# ")
			x.types(typed + "\r")
		}
	}
	if code := x.ends(); code != 0 {
		p.t.Errorf("docs/guide.md:%d: # %s\nends with %d", s.line, s.command, code)
	}
}

// guideRegistry serves the images that the guide speaks of on this machine, and has a daemon with this state directory ask there
// before Docker Hub.
func guideRegistry(t *testing.T, state string) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(l) //nolint:errcheck // until it is closed
	t.Cleanup(func() { server.Close() })
	for ref, i := range guideImages(t) {
		to, err := name.ParseReference("localhost:1/"+ref, name.Insecure)
		if err != nil {
			t.Fatal(err)
		}
		// The listener may be of another network than the connections that this process makes.
		if err := remote.Write(to, i, remote.WithTransport(within{handler})); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(state, "registries.json")
	if _, err := os.Stat(file); err == nil {
		t.Skipf("%s is there: somebody uses this machine", file)
	}
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`{"default": "index.docker.io", "registries": {"index.docker.io": {"base_url": "https://index.docker.io", "mirrors": ["http://%s"]}}}`, l.Addr())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// guideOwnRegistry serves the registry that the guide sends an image to.
func guideOwnRegistry(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:5000")
	if err != nil {
		t.Skipf("the guide's registry: %v", err)
	}
	store := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "me" || password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="guide"`)
			http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, http.StatusUnauthorized)
			return
		}
		store.ServeHTTP(w, r)
	})}
	go server.Serve(l) //nolint:errcheck // until it is closed
	t.Cleanup(func() { server.Close() })
}

// within hands requests to a server of this process.
type within struct{ http.Handler }

func (w within) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body == nil {
		req.Body = http.NoBody
	}
	r := httptest.NewRecorder()
	w.ServeHTTP(r, req)
	resp := r.Result()
	resp.Request = req
	return resp, nil
}

// guideImage makes an image of files and links by their paths below the root.
func guideImage(t *testing.T, system string, cmd []string, files map[string][]byte, links map[string]string) v1.Image {
	t.Helper()
	var root bytes.Buffer
	w := tar.NewWriter(&root)
	add := func(h tar.Header, data []byte) {
		h.Size = int64(len(data))
		err := w.WriteHeader(&h)
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"bin", "dev", "etc", "proc", "root", "sbin", "sys", "tmp", "usr", "usr/bin", "var"} {
		add(tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}, nil)
	}
	for path, data := range files {
		add(tar.Header{Typeflag: tar.TypeReg, Name: path, Mode: 0o755}, data)
	}
	for path, target := range links {
		add(tar.Header{Typeflag: tar.TypeLink, Name: path, Linkname: target, Mode: 0o755}, nil)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(root.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	i, err := mutate.AppendLayers(empty.Image, layer)
	if err == nil {
		i, err = mutate.ConfigFile(i, &v1.ConfigFile{
			OS: system, Architecture: runtime.GOARCH, RootFS: rootFS(t, i),
			Config: v1.Config{Cmd: cmd, Env: []string{"PATH=/sbin:/bin:/usr/bin"}},
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func rootFS(t *testing.T, i v1.Image) v1.RootFS {
	t.Helper()
	c, err := i.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return c.RootFS
}

// busyboxImage is made of a static busybox for Linux: XC_BUSYBOX, or the one on PATH.
func busyboxImage(t *testing.T, cmd ...string) v1.Image {
	t.Helper()
	path := os.Getenv("XC_BUSYBOX")
	if path == "" {
		found, err := exec.LookPath("busybox")
		if err != nil || runtime.GOOS != "linux" {
			t.Skip("needs a static busybox for Linux: Debian's busybox-static, or XC_BUSYBOX names one")
		}
		path = found
	}
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(program, []byte("/ld-linux")) {
		t.Skipf("%s is not static: install busybox-static", path)
	}
	links := map[string]string{}
	for _, applet := range strings.Fields("sh echo cat ls httpd wget ping mkdir hostname ip ps id env sleep test") {
		links["bin/"+applet] = "bin/busybox"
	}
	return guideImage(t, "linux", cmd, map[string][]byte{"bin/busybox": program}, links)
}
