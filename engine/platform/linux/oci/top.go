package oci

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine"
)

var psRename = regexp.MustCompile(`\s+([^\s]*)=\s*(PID[^\s]*)`)

// checkPsArgs refuses columns that call themselves PID and are another: rows are found by that title.
func checkPsArgs(args string) error {
	for _, m := range psRename.FindAllStringSubmatch(args, -1) {
		if m[1] != "pid" {
			return fmt.Errorf("specifying \"%s=%s\" is not allowed", m[1], m[2])
		}
	}
	return nil
}

// asciiFields splits at blanks as ps writes them; other Unicode blanks are part of a program's arguments.
func asciiFields(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune("\t\n\f\r ", r) })
}

// filterPs keeps the rows of a ps listing whose PID is among pids, and a thread's rows ("-") after its process.
func filterPs(listing string, pids []int) (engine.ProcessTable, error) {
	lines := strings.Split(listing, "\n")
	t := engine.ProcessTable{Titles: asciiFields(lines[0])}
	column := slices.Index(t.Titles, "PID")
	if column < 0 {
		return t, errors.New("Couldn't find PID field in ps output") //lint:ignore ST1005 Docker's words
	}
	ours := false
	for _, line := range lines[1:] {
		fields := asciiFields(line)
		if len(fields) <= column {
			continue
		}
		if fields[column] != "-" {
			pid, err := strconv.Atoi(fields[column])
			if err != nil {
				return t, fmt.Errorf("Unexpected pid '%s': %w", fields[column], err) //lint:ignore ST1005 Docker's words
			}
			ours = slices.Contains(pids, pid)
		}
		if ours {
			t.Rows = append(t.Rows, row(fields, len(t.Titles)))
		}
	}
	return t, nil
}

// row makes as many cells as there are titles: what is beyond belongs to the last, the command line.
func row(fields []string, titles int) []string {
	if len(fields) <= titles {
		return fields
	}
	return append(slices.Clone(fields[:titles-1]), strings.Join(fields[titles-1:], " "))
}

// psFallback are the columns of "ps -ef".
var psFallback = []string{"UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"}

// status is what /proc tells of one process.
type status struct {
	pid, ppid, tty int
	cpu, start     uint64 // ticks; start since boot
	user, command  string
}

// parseStatus decodes /proc/<pid>/stat (proc_pid_stat(5)).
func parseStatus(stat string) (status, error) {
	open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return status{}, fmt.Errorf("malformed process status %q", stat)
	}
	fields := strings.Fields(stat[end+1:])
	if len(fields) < 20 {
		return status{}, fmt.Errorf("malformed process status %q", stat)
	}
	var n [20]uint64
	for i := 1; i < len(n); i++ {
		n[i], _ = strconv.ParseUint(fields[i], 10, 64)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(stat[:open]))
	return status{pid: pid, ppid: int(n[1]), tty: int(n[4]), cpu: n[11] + n[12], start: n[19], command: "[" + stat[open+1:end] + "]"}, err
}

// cells renders a row of "ps -ef". started is the process's time of day or date, up the seconds it has lived.
func (s status) cells(started string, up uint64) []string {
	busy := uint64(0)
	if up > 0 {
		busy = s.cpu / ticksPerSecond * 100 / up
	}
	sec := s.cpu / ticksPerSecond
	return []string{
		s.user, strconv.Itoa(s.pid), strconv.Itoa(s.ppid), strconv.FormatUint(min(busy, 99), 10), started, ttyName(s.tty),
		fmt.Sprintf("%02d:%02d:%02d", sec/3600, sec/60%60, sec%60), s.command,
	}
}

// ttyName names a terminal by its device number: pseudo-terminals have the majors 136 to 143.
func ttyName(dev int) string {
	major, minor := dev>>8&0xfff, dev&0xff|dev>>12&0xfff00
	switch {
	case dev == 0:
		return "?"
	case major >= 136 && major <= 143:
		return fmt.Sprintf("pts/%d", (major-136)<<8|minor)
	case major == 4:
		return fmt.Sprintf("tty%d", minor)
	}
	return fmt.Sprintf("%d:%d", major, minor)
}
