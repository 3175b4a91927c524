package jailer

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine"
)

// hostSocket is a socket that something serves.
func hostSocket(t *testing.T, network string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "s")
	if network == "unix" {
		l, err := net.Listen(network, name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return name
	}
	c, err := net.ListenUnixgram(network, &net.UnixAddr{Net: network, Name: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return name
}

func TestSocketsAreSetApart(t *testing.T) {
	sock, dir := hostSocket(t, "unix"), t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(sock, link); err != nil {
		t.Fatal(err)
	}
	all := []engine.Mount{
		{Kind: engine.MountBind, Source: dir, Target: "/d"},
		{Kind: engine.MountBind, Source: sock, Target: "/s"},
		{Kind: engine.MountBind, Source: filepath.Join(dir, "absent"), Target: "/a"},
		{Kind: engine.MountBind, Source: link, Target: "/l"},
		{Kind: engine.MountTmpfs, Target: "/t"},
	}
	others, sockets := apart(all)
	var got []string
	for _, m := range others {
		got = append(got, m.Target)
	}
	got = append(got, "|")
	for _, m := range sockets {
		got = append(got, m.Target)
	}
	if s := strings.Join(got, " "); s != "/d /a /t | /s /l" {
		t.Error(s)
	}
}

func TestSocketsInTheRoot(t *testing.T) {
	root := t.TempDir()
	for _, err := range []error{
		os.MkdirAll(filepath.Join(root, "run"), 0o755),
		os.MkdirAll(filepath.Join(root, "var"), 0o755),
		os.Symlink("/run", filepath.Join(root, "var/run")),
		os.Symlink("/etc", filepath.Join(root, "out")),
		os.WriteFile(filepath.Join(root, "run/empty"), nil, 0o600),
		os.WriteFile(filepath.Join(root, "run/full"), []byte("x"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	deep := "/" + strings.Repeat("deep/", 40) + "s"
	for _, c := range []struct {
		network, target, at string
		proto               engine.Proto
		refused             string
	}{
		{network: "unix", target: "/var/run/docker.sock", at: "run/docker.sock", proto: engine.SocketStream},
		{network: "unix", target: "/run/docker.sock", at: "run/docker.sock", proto: engine.SocketStream}, // over the last one's
		{network: "unixgram", target: "/run/empty", at: "run/empty", proto: engine.SocketDatagram},
		{network: "unix", target: deep, at: deep[1:], proto: engine.SocketStream},
		{network: "unix", target: "/out/s", at: "etc/s", proto: engine.SocketStream},
		{network: "unix", target: "/run/full", refused: "a socket over a file or directory of the image"},
		{network: "unix", target: "/run", refused: "a socket over a file or directory of the image"},
	} {
		t.Run(c.target[:min(len(c.target), 20)], func(t *testing.T) {
			source := hostSocket(t, c.network)
			if err := os.Chmod(source, 0o660); err != nil {
				t.Fatal(err)
			}
			p, err := listen(root, root, engine.Mount{Kind: engine.MountBind, Source: source, Target: c.target})
			if c.refused != "" {
				if !engine.HasReason(err, engine.ReasonUnsupported) || !strings.Contains(err.Error(), c.refused) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer p.Listener.Close()
			info, err := os.Lstat(filepath.Join(root, c.at))
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Type() != fs.ModeSocket || p.Proto != c.proto || p.Outside != source || p.Inside != c.target {
				t.Errorf("%v, %+v", info.Mode(), p)
			}
		})
	}
	if b, err := os.ReadFile(filepath.Join(root, "run/full")); err != nil || string(b) != "x" {
		t.Errorf("the image's file is %q, %v", b, err)
	}
}
