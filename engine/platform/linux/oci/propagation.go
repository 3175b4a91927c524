package oci

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/xcengine/xc/engine"
)

// mountOf finds the mount that a path is on in the format of /proc/<pid>/mountinfo, and its propagation fields.
func mountOf(mountinfo io.Reader, path string) (point, optional string, err error) {
	s := bufio.NewScanner(mountinfo)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		head, _, _ := strings.Cut(s.Text(), " - ")
		fields := strings.Fields(head)
		if len(fields) < 6 {
			continue
		}
		at := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(fields[4])
		if !within(path, at) || len(at) < len(point) {
			continue
		}
		// A later mount on the same place covers the earlier one.
		point, optional = at, strings.Join(fields[6:], " ")
	}
	if point == "" && s.Err() == nil {
		return "", "", fmt.Errorf("no mount holds %s", path)
	}
	return point, optional, s.Err()
}

func within(path, dir string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
}

// propagates refuses a bind whose propagation its source's mount cannot give, in dockerd's words.
func propagates(m engine.Mount, mountinfo io.Reader) error {
	source, err := filepath.EvalSymlinks(m.Source)
	if err != nil {
		return err
	}
	point, optional, err := mountOf(mountinfo, source)
	if err != nil {
		return err
	}
	shared, slave := strings.Contains(optional, "shared:"), strings.Contains(optional, "master:")
	needsShared := strings.HasSuffix(m.Propagation, "shared")
	switch {
	case needsShared && !shared:
		err = fmt.Errorf("path %s is mounted on %s but it is not a shared mount", m.Source, point)
	case !needsShared && !shared && !slave:
		err = fmt.Errorf("path %s is mounted on %s but it is not a shared or slave mount", m.Source, point)
	}
	return err
}
