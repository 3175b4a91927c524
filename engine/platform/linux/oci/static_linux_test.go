package oci

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeELF writes an ELF file of a head and one segment.
func writeELF(t *testing.T, segment elf.ProgType) string {
	t.Helper()
	head := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
	}
	path := filepath.Join(t.TempDir(), "program")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, v := range []any{head, elf.Prog64{Type: uint32(segment)}} {
		if err := binary.Write(f, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func TestDynamicProgramsAreRefused(t *testing.T) {
	if err := checkStatic(writeELF(t, elf.PT_LOAD)); err != nil {
		t.Errorf("a static program: %v", err)
	}
	if err := checkStatic(writeELF(t, elf.PT_INTERP)); err == nil || !strings.Contains(err.Error(), "CGO_ENABLED=0") {
		t.Errorf("a program that needs a loader: %v", err)
	}
	_, err := New(t.Context(), Config{InitPath: writeELF(t, elf.PT_INTERP), StateDir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "linked dynamically") {
		t.Errorf("the runtime opened with it: %v", err)
	}
}
