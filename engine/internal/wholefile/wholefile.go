// Package wholefile writes small files whole or not at all: who reads one finds what it held before or what it holds now.
package wholefile

import (
	"errors"
	"io/fs"
	"os"
)

// Write replaces the file at path, or makes it, for its owner alone (mode 0600). What is written first stands at path+".new", which
// does not stay when the disk is full. The directory must be there. It is not synced: after a crash of the machine either may be
// there, and the new one may be empty.
func Write(path string, data []byte) error {
	made := path + ".new"
	err := os.WriteFile(made, data, 0o600)
	if err == nil {
		err = os.Rename(made, path)
	}
	if err == nil {
		return nil
	}
	if gone := os.Remove(made); !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}
