package main

import (
	"fmt"
	"strings"
)

// compact is a package's +COMPACT_MANIFEST: what a repository's catalogue is made of (pkg-create(8), libpkg).
type compact struct {
	Name         string            `json:"name"`
	Origin       string            `json:"origin"`
	Version      string            `json:"version"`
	Comment      string            `json:"comment"`
	Maintainer   string            `json:"maintainer"`
	WWW          string            `json:"www"`
	ABI          string            `json:"abi"`
	Arch         string            `json:"arch"`
	Prefix       string            `json:"prefix"`
	FlatSize     int64             `json:"flatsize"`
	LicenseLogic string            `json:"licenselogic"`
	Licenses     []string          `json:"licenses"`
	Desc         string            `json:"desc"`
	Categories   []string          `json:"categories"`
	Annotations  map[string]string `json:"annotations"`
	Messages     []message         `json:"messages"`
}

// manifest is a package's +MANIFEST.
type manifest struct {
	compact
	Files map[string]string `json:"files"` // path to checksum
}

// oldest is the __FreeBSD_version of 13.2, the first release that xcd was tried on.
const oldest = "1302001"

// abis are the names that pkg(8) has for machines: its own, and the older one. Programs without any library run on every
// release, which pkg matches as fnmatch(3) does.
var abis = map[string][2]string{
	"amd64": {"FreeBSD:*:amd64", "freebsd:*:x86:64"},
	"arm64": {"FreeBSD:*:aarch64", "freebsd:*:aarch64:64"},
}

func (p port) manifest(files []file, version, arch string) (manifest, error) {
	abi, known := abis[arch]
	if !known {
		return manifest{}, fmt.Errorf("-arch %s: amd64 or arm64", arch)
	}
	for _, v := range []string{"PORTNAME", "CATEGORIES", "COMMENT", "MAINTAINER", "WWW", "LICENSE"} {
		if p.vars[v] == "" {
			return manifest{}, fmt.Errorf("the port's Makefile has no %s", v)
		}
	}
	categories := strings.Fields(p.vars["CATEGORIES"])
	m := manifest{compact: compact{
		Name: p.vars["PORTNAME"], Origin: categories[0] + "/" + p.vars["PORTNAME"], Version: version, Comment: p.vars["COMMENT"],
		Maintainer: p.vars["MAINTAINER"], WWW: p.vars["WWW"], ABI: abi[0], Arch: abi[1], Prefix: prefix, LicenseLogic: "single",
		Licenses: []string{p.vars["LICENSE"]}, Desc: p.descr, Categories: categories,
		Annotations: map[string]string{"FreeBSD_version": oldest}, Messages: p.messages,
	}, Files: map[string]string{}}
	for _, f := range files {
		m.Files[f.path] = f.sum()
		m.FlatSize += int64(len(f.data))
	}
	return m, nil
}
