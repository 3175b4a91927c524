package oci

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
)

// Processes implements lifecycle.Runtime. It runs the host's ps with the user's arguments, as dockerd does; on a host
// without one it has the columns of "ps -ef" only.
func (r *Runtime) Processes(ctx context.Context, id engine.ContainerID, _ engine.Sandbox, psArgs []string) (engine.ProcessTable, error) {
	args := strings.Join(psArgs, " ")
	if args == "" {
		args = "-ef"
	}
	if err := checkPsArgs(args); err != nil {
		return engine.ProcessTable{}, failed("top", id, err)
	}
	g, err := r.running("top", id)
	if err != nil {
		return engine.ProcessTable{}, err
	}
	pids, err := g.Pids()
	if err != nil {
		return engine.ProcessTable{}, failed("top", id, err)
	}
	t, err := processTable(ctx, args, pids)
	return t, failed("top", id, err)
}

func processTable(ctx context.Context, args string, pids []int) (engine.ProcessTable, error) {
	ps, err := lookProgram("ps")
	if err != nil && args != "-ef" {
		return engine.ProcessTable{}, &engine.Error{
			Op: "top", Kind: engine.NotImplemented, Reason: engine.ReasonUnsupported,
			Args: []string{"ps " + args, "this host has no ps program (on Debian: apt-get install procps)"},
		}
	}
	if err != nil {
		return ownTable(pids)
	}
	words := append([]string{ps}, strings.Split(args, " ")...)
	listing, err := output(ctx, append(words, pidsArg(pids))...)
	if err != nil && ctx.Err() == nil {
		// Some options cannot stand beside -q.
		if listing, err = output(ctx, words...); err != nil {
			var said saidError
			if errors.As(err, &said) {
				// Its first line says what was wrong; help follows.
				line, _, _ := strings.Cut(string(said), "\n")
				err = errors.New(line)
			}
			return engine.ProcessTable{}, fmt.Errorf("ps: %w", err)
		}
	}
	if err != nil {
		return engine.ProcessTable{}, err
	}
	return filterPs(string(listing), pids)
}

func pidsArg(pids []int) string {
	words := make([]string, len(pids))
	for i, p := range pids {
		words[i] = strconv.Itoa(p)
	}
	return "-q" + strings.Join(words, ",")
}

// ownTable makes "ps -ef" from /proc.
func ownTable(pids []int) (engine.ProcessTable, error) {
	t := engine.ProcessTable{Titles: psFallback}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return t, err
	}
	up := uint64(now.Sec)
	for _, pid := range pids {
		s, err := statusOf(pid)
		if isNoProcess(err) || errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return t, err
		}
		age := up - min(up, s.start/ticksPerSecond)
		began := time.Now().Add(-time.Duration(age) * time.Second)
		form := "15:04"
		if time.Since(began) > 24*time.Hour {
			form = "Jan02"
		}
		t.Rows = append(t.Rows, s.cells(began.Format(form), age))
	}
	return t, nil
}

func statusOf(pid int) (status, error) {
	dir := fmt.Sprintf("/proc/%d", pid)
	b, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return status{}, err
	}
	s, err := parseStatus(string(b))
	if err != nil {
		return s, err
	}
	line, err := os.ReadFile(dir + "/cmdline")
	if err != nil {
		return s, err
	}
	if words := strings.TrimRight(strings.ReplaceAll(string(line), "\x00", " "), " "); words != "" {
		s.command = words
	}
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return s, &os.PathError{Op: "stat", Path: dir, Err: err}
	}
	s.user = strconv.FormatUint(uint64(st.Uid), 10)
	if u, err := user.LookupId(s.user); err == nil {
		s.user = u.Username
	}
	return s, nil
}

// isNoProcess reports the error of reading about a process that ended meanwhile.
func isNoProcess(err error) bool { return errors.Is(err, unix.ESRCH) }
