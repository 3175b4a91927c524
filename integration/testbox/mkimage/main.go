// Mkimage writes the test image to stdout as "docker load" takes it: testbox, built for the platform that is asked for, under
// all its names, a few users and a directory with content for volumes. It needs the Go toolchain and no network.
//
//	go run ./integration/testbox/mkimage [-os linux] [-arch amd64] [-tag testbox:latest] > testbox.tar
package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mkimage:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("mkimage", flag.ContinueOnError)
	goos := flags.String("os", runtime.GOOS, "operating system of the image")
	arch := flags.String("arch", runtime.GOARCH, "architecture of the image")
	tag := flags.String("tag", "testbox:latest", "name of the image")
	if err := flags.Parse(args); err != nil {
		return err
	}
	binary, err := build(ctx, *goos, *arch)
	if err != nil {
		return err
	}
	layer, err := rootLayer(binary)
	if err != nil {
		return err
	}
	return writeImage(out, *tag, *goos, *arch, layer)
}

// build compiles testbox, static.
func build(ctx context.Context, goos, arch string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "testbox")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "testbox")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "github.com/xcengine/xc/integration/testbox")
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+arch, "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, text)
	}
	return os.ReadFile(path)
}

// epoch is every file's time, so that the same program gives the same image.
var epoch = time.Unix(1_700_000_000, 0).UTC()

// names are the links to the program; they follow the commands that it lists.
var names = strings.Fields(`sh true false echo printf cat env exit sleep ls stat touch mkdir rm ln write chmod chown test pwd id
	hostname tty lines bytes wc sha256sum mounts caps limits httpd get tcpecho udpecho send say lookup ifaddrs signals forktree memory
	spin kill orphan ps`)

func rootLayer(binary []byte) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(h tar.Header, data string) error {
		h.ModTime, h.Size, h.Format = epoch, int64(len(data)), tar.FormatPAX
		if err := w.WriteHeader(&h); err != nil {
			return err
		}
		_, err := io.WriteString(w, data)
		return err
	}
	for _, dir := range []string{"bin", "data", "dev", "etc", "proc", "root", "sys", "tmp", "var"} {
		mode := int64(0o755)
		if dir == "tmp" {
			mode = 0o1777
		}
		if err := add(tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: mode}, ""); err != nil {
			return nil, err
		}
	}
	files := []struct {
		name, data string
		mode       int64
		uid        int
	}{
		{"bin/testbox", string(binary), 0o755, 0},
		{"etc/passwd", "root:x:0:0:root:/root:/bin/sh\nwww:x:80:80:web:/var:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\n", 0o644, 0},
		{"etc/group", "root:x:0:\nwheel:x:10:user\nwww:x:80:\nuser:x:1000:\n", 0o644, 0},
		{"data/seed", "from the image\n", 0o640, 80},
		{"etc/notexec", "not a program\n", 0o644, 0},
	}
	for _, f := range files {
		if err := add(tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: f.mode, Uid: f.uid, Gid: f.uid}, f.data); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		if err := add(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "testbox", Mode: 0o777}, ""); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), w.Close()
}

func writeImage(out io.Writer, tag, goos, arch string, layer []byte) error {
	diffID := fmt.Sprintf("sha256:%x", sha256.Sum256(layer))
	config, err := json.Marshal(map[string]any{
		"created": epoch, "os": goos, "architecture": arch,
		"config":  map[string]any{"Env": []string{"PATH=/bin"}, "Cmd": []string{"/bin/sh"}, "Labels": map[string]string{"org.example.test": "box"}},
		"rootfs":  map[string]any{"type": "layers", "diff_ids": []string{diffID}},
		"history": []map[string]any{{"created": epoch, "created_by": "testbox"}},
	})
	if err != nil {
		return err
	}
	configName := fmt.Sprintf("%x.json", sha256.Sum256(config))
	manifest, err := json.Marshal([]map[string]any{{"Config": configName, "RepoTags": []string{tag}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return err
	}
	w := tar.NewWriter(out)
	for _, f := range []struct {
		name string
		data []byte
	}{{"layer.tar", layer}, {configName, config}, {"manifest.json", manifest}} {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: 0o644, Size: int64(len(f.data)), ModTime: epoch}); err != nil {
			return err
		}
		if _, err := w.Write(f.data); err != nil {
			return err
		}
	}
	return w.Close()
}
