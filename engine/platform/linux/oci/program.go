package oci

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine/internal/wholefile"
)

// program is an OCI runtime that was tried.
type program struct {
	Path        string
	Version     string // first line of --version, "runc version 1.1.5"
	Key         string // what the trial's outcome depends on
	Problem     string // why it does not work here; empty when it does
	RecursiveRO bool   // it and the kernel know the mount option "rro"
	// Hidden is the mount of version 2 that it must not see to work here, empty for none: crun refuses a hybrid host, on which
	// it would never use that hierarchy.
	Hidden string `json:",omitempty"`
}

// name is what a container asks for it by.
func (p program) name() string { return filepath.Base(p.Path) }

// programs are the outcomes of trials, by path, as they are kept in a file.
type programs map[string]program

func readPrograms(file string) (programs, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return programs{}, nil
	}
	if err != nil {
		return nil, err
	}
	all := programs{}
	if json.Unmarshal(b, &all) != nil {
		return programs{}, nil // a trial makes a better one
	}
	return all, nil
}

// write replaces the file whole.
func (p programs) write(file string) error {
	b, err := json.MarshalIndent(p, "", "\t")
	if err != nil {
		return err
	}
	return wholefile.Write(file, b)
}

var logMessage = regexp.MustCompile(`^time=\S+ level=\S+ msg=("(?:[^"\\]|\\.)*"|\S+)`)

// lastWords is the last line that a program wrote, or the message in it when it is a line of runc's log.
func lastWords(stderr string) string {
	stderr = strings.TrimSpace(stderr)
	line := stderr[strings.LastIndexByte(stderr, '\n')+1:]
	m := logMessage.FindStringSubmatch(line)
	if m == nil {
		return line
	}
	if text, err := strconv.Unquote(m[1]); err == nil {
		return text
	}
	return m[1]
}

// saidError is what a program wrote to its standard error before it failed; the last words are its message.
type saidError string

func (e saidError) Error() string { return lastWords(string(e)) }

// knowsRRO looks for a mount option in what "<runtime> features" prints (runtime-spec's features.md).
func knowsRRO(features []byte) bool {
	var f struct {
		MountOptions []string `json:"mountOptions"`
	}
	if json.Unmarshal(features, &f) != nil {
		return false
	}
	for _, o := range f.MountOptions {
		if o == "rro" {
			return true
		}
	}
	return false
}

// crunKnowsRRO tells by what "crun --version" begins with: crun has the option since 1.4 and "features" since 1.8.6.
func crunKnowsRRO(version string) bool {
	number, ok := strings.CutPrefix(version, "crun version ")
	return ok && kernelAtLeast(number, 1, 4)
}

// kernelAtLeast compares a kernel's release, "6.1.0-13-amd64".
func kernelAtLeast(release string, major, minor int) bool {
	a, rest, _ := strings.Cut(release, ".")
	b, _, _ := strings.Cut(rest, ".")
	b = strings.TrimRight(b, "-abcdefghijklmnopqrstuvwxyz+") // "6.9-rc1" has no third number
	x, err := strconv.Atoi(a)
	y, err2 := strconv.Atoi(strings.SplitN(b, "-", 2)[0])
	return err == nil && err2 == nil && (x > major || x == major && y >= minor)
}

// leaderState is how runc and crun note a container's first process. Both note when it started, in clock ticks since boot.
type leaderState struct {
	RuncPid   int    `json:"init_process_pid"`
	RuncStart uint64 `json:"init_process_start"`
	CrunPid   int    `json:"pid"`
	CrunStart uint64 `json:"process-start-time"`
}

// leader finds the container's first process if it is still alive; 0 is none.
func leader(root, id string) (int, error) {
	for _, file := range []string{"state.json", "status"} {
		b, err := os.ReadFile(filepath.Join(root, id, file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		var s leaderState
		if json.Unmarshal(b, &s) != nil {
			continue // written half: its writer was killed, and the process that waited for it ended with it
		}
		pid, start := max(s.RuncPid, s.CrunPid), max(s.RuncStart, s.CrunStart)
		if pid <= 1 {
			continue
		}
		if now, err := startTime(pid); err == nil && now == start {
			return pid, nil
		}
	}
	return 0, nil
}

// startTime is when a process started, in clock ticks since boot: the 22nd field of /proc/<pid>/stat.
func startTime(pid int) (uint64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseStartTime(string(b))
}

func parseStartTime(stat string) (uint64, error) {
	// The second field, the program's name, can hold anything.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return 0, fmt.Errorf("malformed process status %q", stat)
	}
	return strconv.ParseUint(fields[19], 10, 64)
}
