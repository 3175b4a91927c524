package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// prefix is where packages are installed.
const prefix = "/usr/local"

// port is what the port's files say.
type port struct {
	dir      string
	vars     map[string]string // of its Makefile
	descr    string
	plist    []string // paths below the prefix
	messages []message
}

// message is shown by pkg(8) when the package is installed, upgraded or removed.
type message struct {
	Message string `json:"message"`
	Type    string `json:"type"`
}

// file is one file of the package.
type file struct {
	path string // absolute, on the host
	mode int64
	data []byte
}

func (f file) sum() string {
	sum := sha256.Sum256(f.data)
	return "1$" + hex.EncodeToString(sum[:]) // 1 is SHA-256 in hexadecimal digits (libpkg)
}

func readPort(dir string) (port, error) {
	p := port{dir: dir}
	texts := map[string]string{}
	for _, name := range []string{"Makefile", "pkg-descr", "pkg-plist", "pkg-message"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return p, err
		}
		texts[name] = string(b)
	}
	p.vars, p.descr, p.messages = variables(texts["Makefile"]), strings.TrimSpace(texts["pkg-descr"]), messages(texts["pkg-message"])
	p.plist = strings.Fields(texts["pkg-plist"])
	for _, path := range p.plist {
		if strings.HasPrefix(path, "@") || strings.Contains(path, "%") || !filepath.IsLocal(path) {
			return p, fmt.Errorf("pkg-plist: %q is more than a path below the prefix", path)
		}
	}
	return p, nil
}

var assigned = regexp.MustCompile(`(?m)^([A-Z_]+)\+?=[ \t]*(.*)$`)

// variables reads a port's Makefile, as far as lines of its own name variables.
func variables(makefile string) map[string]string {
	vars := map[string]string{}
	for _, m := range assigned.FindAllStringSubmatch(strings.ReplaceAll(makefile, "\\\n", " "), -1) {
		vars[m[1]] = strings.Join(strings.Fields(m[2]), " ")
	}
	return vars
}

var told = regexp.MustCompile(`(?s)\{\s*type:\s*(\w+)\s*message:\s*<<EOM\n(.*?)EOM\s*\}`)

// messages reads a pkg-message in the form that every port with more than one has.
func messages(text string) []message {
	var all []message
	for _, m := range told.FindAllStringSubmatch(text, -1) {
		all = append(all, message{Message: strings.TrimRight(m[2], "\n"), Type: m[1]})
	}
	return all
}

// files are all files of the package, in order of their paths: what the packing list names, and what the ports' own rules
// add, the rc.d scripts.
func (p port) files(programs, share string) ([]file, error) {
	var all []file
	for _, path := range p.plist {
		f := file{path: filepath.Join(prefix, path), mode: 0o644}
		source := filepath.Join(p.dir, "files", filepath.Base(path))
		if dir := filepath.Dir(path); dir == "bin" || dir == "sbin" {
			source, f.mode = filepath.Join(programs, filepath.Base(path)), 0o755
		}
		if below, ok := strings.CutPrefix(path, "share/"); ok {
			source = filepath.Join(share, below)
		}
		var err error
		if f.data, err = os.ReadFile(source); err != nil {
			return nil, fmt.Errorf("pkg-plist names %s: %w", path, err)
		}
		all = append(all, f)
	}
	for _, name := range strings.Fields(p.vars["USE_RC_SUBR"]) {
		b, err := os.ReadFile(filepath.Join(p.dir, "files", name+".in"))
		if err != nil {
			return nil, err
		}
		b = bytes.ReplaceAll(b, []byte("%%PREFIX%%"), []byte(prefix))
		all = append(all, file{path: filepath.Join(prefix, "etc/rc.d", name), mode: 0o555, data: b})
	}
	slices.SortFunc(all, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return all, nil
}
