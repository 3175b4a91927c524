// Mkpkg makes a package for FreeBSD's pkg(8) of built programs and the port, on any system:
//
//	mkpkg -port DIR -programs DIR -share DIR -version VERSION -arch amd64|arm64 -o FILE.pkg
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mkpkg:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	f := flag.NewFlagSet("mkpkg", flag.ContinueOnError)
	dir := f.String("port", "", "directory of the port")
	programs := f.String("programs", "", "directory of the programs, built for the system")
	share := f.String("share", "", "directory of manual pages and completions, as .ci/share makes it")
	version := f.String("version", "", "version, as git describe gives it")
	arch := f.String("arch", "", "amd64 or arm64")
	out := f.String("o", "", "file to make")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *dir == "" || *programs == "" || *share == "" || *version == "" || *out == "" || f.NArg() > 0 {
		return errors.New("-port, -programs, -share, -version, -arch and -o are needed")
	}
	p, err := readPort(*dir)
	if err != nil {
		return err
	}
	files, err := p.files(*programs, *share)
	if err != nil {
		return err
	}
	m, err := p.manifest(files, pkgVersion(*version), *arch)
	if err != nil {
		return err
	}
	return write(*out, m, files)
}

// pkgVersion makes of what git describe says what pkg-version(8) can compare: "v1.2.3-4-gabc" becomes 1.2.3.4.gabc, a bare
// commit 0.0.g<commit>.
func pkgVersion(describe string) string {
	v := strings.ReplaceAll(strings.TrimPrefix(describe, "v"), "-", ".")
	if !strings.Contains(v, ".") || strings.HasSuffix(v, ".dirty") && strings.Count(v, ".") == 1 {
		v = "0.0.g" + v
	}
	return v
}
