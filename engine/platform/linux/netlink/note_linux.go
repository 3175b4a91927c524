package netlink

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/xcengine/xc/engine/internal/wholefile"
)

// What cannot be marked in the kernel is noted in <state>/<kind>/<interface>.json before it is done.

// noted is how a note is kept. It ends with the boot that it was written in: after another one the host is as its administrator sets
// it up.
type noted struct {
	Boot string
	Note json.RawMessage
}

func bootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id)), err
}

func (p *Plumber) notePath(kind, device string) string {
	return filepath.Join(p.state, kind, device+".json")
}

func (p *Plumber) putNote(kind, device string, note any) error {
	boot, err := bootID()
	if err != nil {
		return err
	}
	text, err := json.Marshal(note)
	if err == nil {
		text, err = json.Marshal(noted{boot, text})
	}
	if err != nil {
		return err
	}
	path := p.notePath(kind, device)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return wholefile.Write(path, text)
}

// note reads a note. The error is fs.ErrNotExist when there is none.
func (p *Plumber) note(kind, device string, to any) error {
	path := p.notePath(kind, device)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var n noted
	if err = json.Unmarshal(text, &n); err == nil {
		err = json.Unmarshal(n.Note, to)
	}
	if err != nil {
		return fmt.Errorf("note %s of interface %s: %w", path, device, err)
	}
	boot, err := bootID()
	if err == nil && boot != n.Boot {
		return errors.Join(fs.ErrNotExist, os.Remove(path))
	}
	return err
}

func (p *Plumber) endNote(kind, device string) error {
	err := os.Remove(p.notePath(kind, device))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// eachNote reads the notes of a kind.
func eachNote[T any](p *Plumber, kind string, do func(device string, note T)) error {
	files, err := os.ReadDir(filepath.Join(p.state, kind))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, f := range files {
		device, ok := strings.CutSuffix(f.Name(), ".json")
		if !ok {
			continue
		}
		var note T
		err := p.note(kind, device, &note)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		do(device, note)
	}
	return nil
}
