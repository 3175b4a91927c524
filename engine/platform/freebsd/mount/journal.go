package mount

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// journalName is the file in a container's directory that lists the host paths of its mounts, one quoted path a line, each
// written before its mount is made.
const journalName = "mounts"

// note adds a target to the journal and makes it last.
func note(dir, target string) error {
	f, err := os.OpenFile(filepath.Join(dir, journalName), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strconv.Quote(target) + "\n")
	return errors.Join(err, f.Close())
}

// noted lists the targets, last first. A line that was cut off by a crash belongs to a mount that was not made.
func noted(dir string) ([]string, error) {
	f, err := os.Open(filepath.Join(dir, journalName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var targets []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if t, err := strconv.Unquote(lines.Text()); err == nil {
			targets = append(targets, t)
		}
	}
	slices.Reverse(targets)
	return targets, lines.Err()
}

func forget(dir string) error {
	err := os.Remove(filepath.Join(dir, journalName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
