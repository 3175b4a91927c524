package daemon

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
)

// lockState makes the state directory if it is absent and holds it for this process: a second daemon on it is refused.
func lockState(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		err = &engine.Error{
			Op: "start", Kind: engine.Conflict,
			Err: fmt.Errorf("another daemon uses the state directory %s: stop it, or give this one its own with --state-dir", dir),
		}
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// owner reads the state directory's mark, or makes it. It never changes: everything in the kernel is found by it.
func owner(dir string) (engine.Owner, error) {
	path := filepath.Join(dir, "owner")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		var b [4]byte
		rand.Read(b[:])
		data = []byte(hex.EncodeToString(b[:]) + "\n")
		err = writeSynced(path, data)
	}
	if err != nil {
		return "", err
	}
	mark := string(bytes.TrimSpace(data))
	if raw, err := hex.DecodeString(mark); err != nil || len(raw) != 4 {
		return "", &engine.Error{Op: "start", Kind: engine.Internal, Err: fmt.Errorf("%s holds %q, not 8 hexadecimal digits", path, mark)}
	}
	return engine.Owner(mark), nil
}

// writeSynced writes a file whole or not at all, also when the machine fails.
func writeSynced(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
