package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/wholefile"
)

// The files that name a container's network lie in its directory, from where the platform brings them into the root. They are
// written anew at each start. While the container runs they follow its network, and what its user wrote into them stays.

const (
	fileHosts    = "hosts"
	fileHostname = "hostname"
	fileResolv   = "resolv.conf"
	// fileWritten holds what the engine wrote: file name to contents, JSON. Two contents are one that was being replaced by
	// the other.
	fileWritten = "names.json"
)

// CopiedFiles is a Runtime's optional ability: the files in its roots are copies, so that it has to be asked for what they hold
// and to bring what changes. Without it they are the same files inside.
type CopiedFiles interface {
	// ReadCopy returns a file of a root. The error is fs.ErrNotExist when it is not there.
	ReadCopy(root, name string) ([]byte, error)
	// CopyFile brings a file of the host into a root, in place of what is there.
	CopyFile(root, name, source string) error
}

// nameFiles renders a container's hosts, hostname and resolv.conf.
func (s *Service) nameFiles(ctx context.Context, c engine.Container) (map[string][]byte, error) {
	res, err := s.Networks.Resolver(ctx, c.Spec.Network.Mode, c.Endpoints)
	if err != nil {
		return nil, err
	}
	hosts, err := s.renderHosts(c, res)
	if err != nil {
		return nil, err
	}
	resolv, err := s.resolvConf(c.Spec.Network, res)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{fileHosts: hosts, fileHostname: []byte(c.Spec.Hostname + "\n"), fileResolv: resolv}, nil
}

// writeNames writes the files of a container that is being started.
func (s *Service) writeNames(ctx context.Context, c engine.Container) error {
	files, err := s.nameFiles(ctx, c)
	if err != nil {
		return err
	}
	written := map[string][]string{}
	for name, text := range files {
		if err := writeFile(filepath.Join(s.dir(c.ID), name), text); err != nil {
			return err
		}
		written[name] = []string{string(text)}
	}
	return s.noteWritten(c.ID, written)
}

// followNames brings the files of a running container to its present network.
func (s *Service) followNames(ctx context.Context, c engine.Container, spec engine.SandboxSpec) error {
	files, err := s.nameFiles(ctx, c)
	if err != nil {
		return err
	}
	before := s.written(c.ID)
	during, after := map[string][]string{}, map[string][]string{}
	same := true
	for name, text := range files {
		after[name] = []string{string(text)}
		during[name] = append(slices.Clone(before[name]), string(text))
		same = same && slices.Equal(before[name], after[name])
	}
	if same {
		return nil
	}
	if err := s.noteWritten(c.ID, during); err != nil {
		return err
	}
	for name, text := range files {
		if err := s.followFile(c.ID, spec, name, before[name], string(text)); err != nil {
			return err
		}
	}
	return s.noteWritten(c.ID, after)
}

// followFile changes one file as what the engine writes into it changes. written is what it wrote last.
func (s *Service) followFile(id engine.ContainerID, spec engine.SandboxSpec, name string, written []string, text string) error {
	path, inside := filepath.Join(s.dir(id), name), "/etc/"+name
	copied, copies := s.Runtime.(CopiedFiles)
	if copies && spec.Files[inside] != path {
		return nil // the user has a mount there
	}
	read := func() ([]byte, error) { return os.ReadFile(path) }
	if copies {
		read = func() ([]byte, error) { return copied.ReadCopy(spec.Root, inside) }
	}
	now, err := read()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch untouched := err != nil || slices.Contains(written, string(now)); {
	case untouched:
	case name == fileHosts:
		text = mergeLines(string(now), written, text)
	case name == fileResolv:
		text = moveServers(string(now), written, text)
	default:
		return nil // it is the user's now
	}
	if text == string(now) {
		return nil
	}
	if err := writeFile(path, []byte(text)); err != nil || !copies {
		return err
	}
	return copied.CopyFile(spec.Root, inside, path)
}

// mergeLines changes a file by what became of the lines that the engine wrote into it: those that it does not write any more go,
// and new ones are added at the end. A line that somebody took away does not come back.
func mergeLines(now string, written []string, text string) string {
	wanted := slices.Collect(strings.Lines(text))
	times := map[string]int{} // in how many of the contents that were written a line is
	for _, w := range written {
		for _, line := range slices.Compact(slices.Sorted(strings.Lines(w))) {
			times[line]++
		}
	}
	var merged strings.Builder
	present := map[string]bool{}
	for line := range strings.Lines(now) {
		line = strings.TrimSuffix(line, "\n") + "\n"
		if times[line] > 0 && !slices.Contains(wanted, line) {
			continue
		}
		present[line] = true
		merged.WriteString(line)
	}
	for _, line := range wanted {
		if takenAway := len(written) > 0 && times[line] == len(written); !present[line] && !takenAway {
			merged.WriteString(line)
		}
	}
	return merged.String()
}

// moveServers changes a resolv.conf(5) that is the user's by now in one thing: where it still names a server that the engine wrote
// into it, which may not be reached any more, it names those of now.
func moveServers(now string, written []string, text string) string {
	isServer := func(line string) bool { return strings.HasPrefix(line, "nameserver ") }
	servers := slices.DeleteFunc(slices.Collect(strings.Lines(text)), func(line string) bool { return !isServer(line) })
	var moved strings.Builder
	done := false
	for line := range strings.Lines(now) {
		ours := isServer(line) && slices.ContainsFunc(written, func(w string) bool { return slices.Contains(slices.Collect(strings.Lines(w)), line) })
		switch {
		case !ours || slices.Contains(servers, line):
			moved.WriteString(line)
		case !done:
			moved.WriteString(strings.Join(servers, ""))
			done = true
		}
	}
	return moved.String()
}

// written is what the engine last wrote into a container's files. What it does not know of, it takes for the user's.
func (s *Service) written(id engine.ContainerID) map[string][]string {
	written := map[string][]string{}
	text, err := os.ReadFile(filepath.Join(s.dir(id), fileWritten))
	if err == nil {
		err = json.Unmarshal(text, &written)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.Log.Warn("what was written into a container's files is not known", "container", id, "error", err)
	}
	return written
}

func (s *Service) noteWritten(id engine.ContainerID, written map[string][]string) error {
	text, err := json.Marshal(written)
	if err != nil {
		return err
	}
	path := filepath.Join(s.dir(id), fileWritten)
	return wholefile.Write(path, text)
}

func writeFile(path string, data []byte) error {
	// The file is bind-mounted into a running container: written in place, so that it stays the same file.
	return os.WriteFile(path, data, 0o644)
}
