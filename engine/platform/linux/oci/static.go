package oci

import (
	"debug/elf"
	"fmt"
	"slices"
)

// checkStatic refuses a program that needs a loader: in the root of a container there is none, or another one, and the runtime would
// say of the program itself that it is not there.
func checkStatic(path string) error {
	f, err := elf.Open(path)
	if err != nil {
		return nil //nolint:nilerr // a script, or a file that is missing, fails by itself and says so
	}
	defer f.Close()
	if slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		return fmt.Errorf("%s is linked dynamically, so that it cannot run inside of containers: build it with CGO_ENABLED=0, as make build does", path)
	}
	return nil
}
