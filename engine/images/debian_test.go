package images

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/imagetest"
	"github.com/xcengine/xc/imageformat/layer"
)

// The user of a registry with passwords; the line is what htpasswd -B writes.
const (
	debianUser     = "ada"
	debianPassword = "secret"
	debianHtpasswd = "ada:$2y$05$ewz/YKLmp0l8SSQ9rQkX0..DSuNR6RboHqNDobd9s8YJoFtmnG1oi\n"
)

// debianRegistry runs Debian's docker-registry, found on the PATH or by XC_REGISTRY, on a port of its own. more are lines for
// its configuration: at the top, and below "http:".
func debianRegistry(t *testing.T, more ...string) string {
	t.Helper()
	program := os.Getenv("XC_REGISTRY")
	if program == "" {
		program = "docker-registry"
	}
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skip("no docker-registry on this machine: install Debian's package, or name the program in XC_REGISTRY")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	config := fmt.Sprintf("version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %q}, delete: {enabled: true}}\nhttp:\n  addr: %q\n", dir, host)
	file := filepath.Join(dir, "config.yml")
	writeFile(t, file, config+strings.Join(more, "\n"))
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, "serve", file)
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); cmd.Wait() })
	until(t, func() bool {
		c, err := net.Dial("tcp", host)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return host
}

// passwords makes a registry ask for the user above.
func passwords(t *testing.T) string {
	file := filepath.Join(t.TempDir(), "htpasswd")
	writeFile(t, file, debianHtpasswd)
	return fmt.Sprintf("auth: {htpasswd: {realm: here, path: %q}}", file)
}

// certificate makes a registry speak TLS; what it shows is good for 127.0.0.1.
func certificate(t *testing.T) string {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	pair := s.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, secret := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "key.pem")
	writeFile(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})))
	writeFile(t, secret, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	return fmt.Sprintf("  tls: {certificate: %q, key: %q}", cert, secret)
}

func TestDebianRegistry(t *testing.T) {
	user := engine.Credentials{Username: debianUser, Password: debianPassword}
	for name, c := range map[string]struct {
		more []string
		auth engine.Credentials
	}{
		"plain": {}, "passwords": {[]string{passwords(t)}, user}, "TLS": {more: []string{certificate(t)}},
		"TLS and passwords": {[]string{certificate(t), passwords(t)}, user},
	} {
		t.Run(name, func(t *testing.T) { debianRoundTrip(t, debianRegistry(t, c.more...), c.auth) })
	}
}

func debianRoundTrip(t *testing.T, host string, auth engine.Credentials) {
	w := newWorld(t)
	img := big(t, 3<<20)
	w.load(img.Archive(host + "/team/x:1"))
	push := func(ref string) string {
		var l lines
		if err := w.svc.Push(t.Context(), engine.PushRequest{Ref: ref, Auth: auth}, l.report); err != nil {
			t.Fatalf("push %s: %v", ref, err)
		}
		return strings.Join(l.take(), "\n")
	}
	push(host + "/team/x:1")
	w.tag(host+"/team/x:1", host+"/other/y:1")
	if got := push(host + "/other/y:1"); !strings.Contains(got, "Mounted from team/x") {
		t.Errorf("not mounted: %s", got)
	}
	if got := push(host + "/other/y:1"); !strings.Contains(got, "Layer already exists") {
		t.Errorf("pushed again: %s", got)
	}
	v := newWorld(t)
	pull := func(req engine.PullRequest) error {
		req.Auth = auth
		return v.svc.Pull(t.Context(), req, nil)
	}
	for _, ref := range []string{host + "/other/y:1", host + "/team/x@" + img.Digest().String()} {
		if err := pull(pullRequest(ref)); err != nil {
			t.Fatalf("pull %s: %v", ref, err)
		}
		if i := v.inspect(ref); i.ID != engine.ImageID(img.ID()) || i.Digest != img.Digest().String() {
			t.Errorf("%s: %s %s", ref, i.ID, i.Digest)
		}
	}
	if err := pull(pullRequest(host + "/team/x:none")); !engine.HasReason(err, engine.ReasonManifestUnknown) {
		t.Errorf("unknown tag: %v", err)
	}
	if err := pull(pullRequest(host + "/none:1")); engine.KindOf(err) != engine.NotFound {
		t.Errorf("unknown repository: %v", err)
	}
	if err := pull(engine.PullRequest{Ref: host + "/team/x", All: true}); err != nil {
		t.Errorf("all tags: %v", err)
	}
	if auth.Username == "" {
		return
	}
	if err := v.svc.Pull(t.Context(), pullRequest(host+"/team/x:1"), nil); !engine.HasReason(err, engine.ReasonNoCredentials) {
		t.Errorf("without a password: %v", err)
	}
	if err := v.svc.Push(t.Context(), engine.PushRequest{Ref: host + "/other/y:1"}, nil); engine.KindOf(err) != engine.Unauthorized {
		t.Errorf("push without a password: %v", err)
	}
	login := auth
	login.ServerAddress = host
	if _, err := v.svc.Login(t.Context(), login); err != nil {
		t.Errorf("login: %v", err)
	}
	login.Password = "wrong"
	if _, err := v.svc.Login(t.Context(), login); engine.KindOf(err) != engine.Unauthorized {
		t.Errorf("login with a wrong password: %v", err)
	}
}

// skopeo is another engine's idea of images and registries.
func skopeo(t *testing.T, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath("skopeo")
	if err != nil {
		t.Skip("no skopeo on this machine: install Debian's package")
	}
	cmd := exec.Command(path, append([]string{"--insecure-policy", "--tmpdir", t.TempDir()}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("skopeo %s: %v: %s", strings.Join(args, " "), err, errs.String())
	}
	return out.Bytes()
}

// What skopeo puts into a registry, in any form, is pulled, pushed elsewhere and pulled there by skopeo under its digest.
func TestSkopeoThereAndBack(t *testing.T) {
	for name, format := range map[string][]string{
		"as it is": nil, "docker": {"--format", "v2s2"}, "oci": {"--format", "oci"}, "zstd": {"--format", "oci", "--dest-compress-format", "zstd"},
	} {
		t.Run(name, func(t *testing.T) {
			// A registry and content of its own for each form: skopeo remembers which blobs it has put where, compressed how.
			host := debianRegistry(t)
			img := imagetest.New(nil, imagetest.Tar(imagetest.File("a", strings.Repeat(name+host, 10_000))), imagetest.Tar(imagetest.File("b", name+host)))
			archive := filepath.Join(t.TempDir(), "image.tar")
			writeFile(t, archive, string(img.Archive("x:1")))
			from, to := host+"/from/"+strings.ReplaceAll(name, " ", "-"), host+"/to/"+strings.ReplaceAll(name, " ", "-")
			skopeo(t, append(append([]string{"copy", "--dest-tls-verify=false"}, format...), "docker-archive:"+archive, "docker://"+from+":1")...)
			put := skopeo(t, "inspect", "--raw", "--tls-verify=false", "docker://"+from+":1")
			want := imageformat.DescriptorOf("", put).Digest.String()
			manifest := must(imageformat.ParseManifest(must(imageformat.DetectMediaType(put, "")), put))
			w := newRealWorld(t)
			w.pull(from + ":1")
			if i := w.inspect(from + ":1"); i.ID != engine.ImageID(manifest.Config.Digest) || i.Digest != want {
				t.Errorf("%s %s, want %s %s", i.ID, i.Digest, manifest.Config.Digest, want)
			}
			w.tag(from+":1", to+":1")
			w.push(to + ":1")
			got := skopeo(t, "inspect", "--raw", "--tls-verify=false", "docker://"+to+"@"+want)
			if diff := cmp.Diff(string(put), string(got)); diff != "" {
				t.Error(diff)
			}
			skopeo(t, "copy", "--src-tls-verify=false", "docker://"+to+"@"+want, "oci:"+filepath.Join(t.TempDir(), "layout"))
		})
	}
}

// What was made here is an image to skopeo, and what skopeo writes is one here.
func TestSkopeoReadsWhatIsMadeHere(t *testing.T) {
	host := debianRegistry(t)
	w := newRealWorld(t)
	ref := host + "/made/here:1"
	root := imagetest.Compress(imagetest.Tar(imagetest.Dir("etc"), imagetest.File("etc/f", "1")), layer.Gzip)
	if _, err := w.svc.Import(t.Context(), engine.ImportRequest{Ref: ref, Changes: []string{"CMD /x"}}, bytes.NewReader(root)); err != nil {
		t.Fatal(err)
	}
	base := w.inspect(ref)
	c := engine.Container{ID: engine.ContainerID(engine.NewID()), Name: "web", Image: base.ID, Platform: base.Platform}
	if err := w.store.Roots().Create(t.Context(), c.ID, base.Top, nil); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(must(w.store.Roots().Mount(t.Context(), c.ID)), "new"), "2")
	w.containers.all = []engine.Container{c}
	if _, err := w.svc.Commit(t.Context(), engine.CommitRequest{Container: "web", Ref: ref}); err != nil {
		t.Fatal(err)
	}
	w.push(ref)
	want := map[string]string{"etc/f": "1", "new": "2"}
	for _, kind := range []string{"oci-archive", "docker-archive"} {
		file := filepath.Join(t.TempDir(), "archive.tar")
		skopeo(t, "copy", "--src-tls-verify=false", "docker://"+ref, kind+":"+file+":there/it:2")
		v := newRealWorld(t)
		said := v.load([]byte(must(os.ReadFile(file))))
		name := "there/it:2"
		if kind == "oci-archive" && !strings.Contains(strings.Join(said, "\n"), "Loaded image: there/it:2") {
			t.Errorf("%s: %v", kind, said)
		}
		if diff := cmp.Diff(want, v.content(name)); diff != "" {
			t.Errorf("%s: %s", kind, diff)
		}
	}
	dir := filepath.Join(t.TempDir(), "layout")
	file := filepath.Join(t.TempDir(), "saved.tar")
	writeFile(t, file, string(w.save(ref)))
	for _, kind := range []string{"docker-archive:" + file, "oci-archive:" + file} {
		skopeo(t, "copy", kind, "oci:"+dir+":1")
		if err := validate.Index(must(layout.ImageIndexFromPath(dir))); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
