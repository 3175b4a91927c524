package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/xcengine/xc"

// row says what the packages that match a pattern may import of this module and must never import at all. Patterns are
// path.Match patterns of import paths below the module, "/..." at the end means everything below too. The first row that
// matches a package holds for it.
type row struct {
	pkg   string
	may   []string // of this module; its own room is always allowed
	never []string // of anywhere, transitively not checked: direct imports
}

var (
	dockerAll = "github.com/docker/docker/..."
	netHTTP   = "net/http"
	sqlStd    = "database/sql"
	osExec    = "os/exec"
)

var rule = []row{
	{pkg: "imageformat/...", may: []string{"imageformat/..."}, never: []string{netHTTP, sqlStd, dockerAll}},
	{pkg: "engine", may: []string{"imageformat/..."}, never: []string{osExec, netHTTP, sqlStd, dockerAll}},
	{pkg: "engine/internal/...", may: []string{"engine", "engine/internal/...", "imageformat/..."}, never: []string{netHTTP, sqlStd, dockerAll}},
	{pkg: "engine/db", may: []string{"engine", "engine/internal/..."}, never: []string{netHTTP, dockerAll}},
	{pkg: "engine/registry/...", may: []string{"engine", "engine/internal/...", "engine/registry/...", "imageformat/..."}, never: []string{sqlStd, dockerAll}},
	{pkg: "engine/nativeapi/...", may: []string{"engine", "engine/internal/...", "engine/nativeapi/...", "imageformat/..."}, never: []string{sqlStd, dockerAll}},
	{pkg: "engine/platform", may: []string{"engine/...", "imageformat/..."}, never: []string{netHTTP, sqlStd, dockerAll}},
	{pkg: "engine/platform/...", may: []string{"engine", "engine/internal/...", "engine/platform/...", "imageformat/...", "engine/shim", "engine/networks", "engine/layers"}, never: []string{netHTTP, sqlStd, dockerAll}},
	{pkg: "engine/daemon", may: []string{"engine/...", "imageformat/..."}, never: []string{module + "/engine/platform/linux/...", module + "/engine/platform/freebsd/...", module + "/engine/nativeapi/...", module + "/dockerapi/...", module + "/translate", dockerAll}},
	{pkg: "engine/shim", may: []string{"engine", "engine/internal/...", "engine/logs", "engine/platform/..."}, never: []string{netHTTP, sqlStd, dockerAll}},
	{pkg: "engine/enginetest/...", may: []string{"engine/...", "imageformat/..."}, never: []string{dockerAll}},
	{pkg: "engine/layerstest/...", may: []string{"engine/...", "imageformat/..."}, never: []string{dockerAll}},
	{pkg: "engine/runtimetest/...", may: []string{"engine/...", "imageformat/..."}, never: []string{dockerAll}},
	{pkg: "engine/networktest/...", may: []string{"engine/...", "imageformat/..."}, never: []string{dockerAll}},
	// Every other room below engine is a service: no sibling, no driver, no wire.
	{pkg: "engine/...", may: []string{"engine", "engine/internal/...", "imageformat/..."}, never: []string{netHTTP, sqlStd, dockerAll}},
	{pkg: "translate/...", may: []string{"engine", "imageformat/...", "translate/..."}, never: []string{netHTTP, "context", "os", osExec, sqlStd}},
	{pkg: "dockerapi/...", may: []string{"engine", "translate", "dockerapi/..."}, never: []string{osExec, sqlStd}},
	{pkg: "cmd/xcd", may: []string{"..."}},
	{pkg: "cmd/xcd/freebsd/...", never: []string{osExec, netHTTP, dockerAll}},
	// The doctor looks at a host on which no daemon runs.
	{pkg: "cmd/xc", may: []string{"engine", "engine/nativeapi/client", "engine/nativeapi/wire", "engine/platform/doctor", "engine/platform/freebsd/dtrace"}, never: []string{dockerAll}},
	{pkg: "cmd/xc-shim", may: []string{"engine", "engine/shim", "engine/logs/...", "engine/platform/..."}, never: []string{netHTTP, sqlStd, dockerAll, "github.com/google/go-containerregistry/..."}},
	{pkg: "cmd/ocitar", may: []string{"imageformat/..."}, never: []string{dockerAll}},
	{pkg: "integration/...", may: []string{"integration/..."}},
}

func match(pattern, pkg string) bool {
	if pattern == "..." {
		return true
	}
	if base, below := strings.CutSuffix(pattern, "/..."); below {
		return pkg == base || strings.HasPrefix(pkg, base+"/")
	}
	ok, err := path.Match(pattern, pkg)
	return ok && err == nil
}

// room is the part of an import path within which everything may be imported: "engine/networks" of "engine/networks/ipam".
func room(pkg string) string {
	parts := strings.SplitN(pkg, "/", 3)
	if len(parts) > 2 {
		parts = parts[:2]
	}
	return strings.Join(parts, "/")
}

type goPackage struct {
	ImportPath, Dir string
	Imports         []string
}

func list(t *testing.T, goos string) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,Imports", module+"/...")
	cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all []goPackage
	for d := json.NewDecoder(out); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestImports(t *testing.T) {
	for _, goos := range []string{"linux", "freebsd"} {
		packages := list(t, goos)
		if len(packages) < 10 {
			t.Fatalf("%s: only %d packages", goos, len(packages))
		}
		for _, p := range packages {
			for _, broken := range check(strings.TrimPrefix(p.ImportPath, module+"/"), p.Imports) {
				t.Errorf("GOOS=%s %s", goos, broken)
			}
		}
	}
}

// check returns a sentence for each import that the rule forbids.
func check(pkg string, imports []string) []string {
	i := slices.IndexFunc(rule, func(r row) bool { return match(r.pkg, pkg) })
	if i < 0 {
		return []string{pkg + " is in no room: give it a row in archtest's rule"}
	}
	var broken []string
	for _, imp := range imports {
		for _, n := range rule[i].never {
			if match(n, imp) {
				broken = append(broken, pkg+" imports "+imp+", which the row "+rule[i].pkg+" forbids")
			}
		}
		own, ours := strings.CutPrefix(imp, module+"/")
		if !ours || room(own) == room(pkg) && strings.Contains(pkg, "/") {
			continue
		}
		if !slices.ContainsFunc(rule[i].may, func(m string) bool { return match(m, own) }) {
			broken = append(broken, pkg+" imports "+own+", which the row "+rule[i].pkg+" does not allow")
		}
	}
	return broken
}

func TestTheRuleCanFail(t *testing.T) {
	for _, tc := range []struct {
		pkg, imp string
		forbids  bool
	}{
		{"engine/images", module + "/engine/layers", true},
		{"engine/images", module + "/engine", false},
		{"engine/networks/dns", module + "/engine/networks/ipam", false},
		{"engine", module + "/engine/lifecycle", true},
		{"engine/lifecycle", "net/http", true},
		{"translate", "os", true},
		{"dockerapi/images", module + "/engine/images", true},
		{"dockerapi/images", module + "/translate", false},
		{"engine/daemon", module + "/engine/platform/linux/oci", true},
		{"cmd/xc-shim", "net/http", true},
		{"integration", module + "/engine", true},
		{"nowhere", "fmt", true},
	} {
		if broken := check(tc.pkg, []string{tc.imp}); (len(broken) > 0) != tc.forbids {
			t.Errorf("%s importing %s: %v", tc.pkg, tc.imp, broken)
		}
	}
}
