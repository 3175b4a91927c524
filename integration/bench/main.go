// Bench times the same operations on two engines through the Docker API, in turns, and prints the median of each and their
// ratio. It asserts nothing. The one engine is xcd, started here on a state directory of its own; the other is given by its
// socket; without one, xcd's times stand alone.
//
//	go run ./integration/bench [-xcd bin/xcd] [-peer unix:///run/docker.sock] [-rounds 7] [-only NAME,…]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	if len(args) > 0 && args[0] == pumpArg {
		return pump(args[1:], out)
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	xcd := flags.String("xcd", "bin/xcd", "the daemon under test")
	peer := flags.String("peer", "", "socket of the engine to compare with")
	rounds := flags.Int("rounds", 7, "rounds of each measurement")
	only := flags.String("only", "", "measurements to take, by name")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "xcb")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ours, end, err := startXcd(ctx, *xcd, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	sides := []*side{ours}
	if *peer != "" {
		p, err := newSide("peer", *peer)
		if err != nil {
			return err
		}
		sides = append(sides, p)
	}
	image, err := exec.CommandContext(ctx, "go", "run", "github.com/xcengine/xc/integration/testbox/mkimage", "-tag", imageName).Output()
	if err != nil {
		return fmt.Errorf("make the image: %w", err)
	}
	for _, s := range sides {
		if err := s.load(ctx, image); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.clean(context.WithoutCancel(ctx))) }()
	}
	return measure(ctx, out, sides, *rounds, *only)
}

// startXcd starts the daemon and returns a function that ends it and removes what it leaves.
func startXcd(ctx context.Context, path, dir string) (*side, func() error, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, nil, err
	}
	defer log.Close()
	state, sock := filepath.Join(dir, "s"), filepath.Join(dir, "d.sock")
	cmd := exec.Command(path, "--state-dir", state, "-H", "unix://"+sock, "--socket", filepath.Join(dir, "x.sock"))
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	end := func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		cmd.Wait() //nolint:errcheck // it was told to end
		return exec.Command(path, "purge", "--state-dir", state).Run()
	}
	s, err := newSide("xc", "unix://"+sock)
	if err != nil {
		return nil, nil, errors.Join(err, end())
	}
	s.pid = cmd.Process.Pid
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err = s.Ping(ctx); err == nil {
			return s, end, nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			text, _ := os.ReadFile(log.Name())
			return nil, nil, errors.Join(fmt.Errorf("xcd does not answer: %w\n%s", err, text), end())
		}
	}
}

// measure takes every measurement on all sides in turns and prints a row for each.
func measure(ctx context.Context, out io.Writer, sides []*side, rounds int, only string) error {
	fmt.Fprintf(out, "%-34s %12s %12s %8s\n", "median of rounds", "xc", "peer", "ratio")
	for _, m := range measurements {
		if only != "" && !slices.Contains(strings.Split(only, ","), m.name) {
			continue
		}
		times := make([][]time.Duration, len(sides))
		n := rounds
		if m.rounds > 0 {
			n = min(n, m.rounds)
		}
		for range n {
			for i, s := range sides {
				d, err := m.run(ctx, s)
				if err != nil {
					return fmt.Errorf("%s on %s: %w", m.name, s.name, err)
				}
				times[i] = append(times[i], d)
			}
		}
		row := fmt.Sprintf("%-34s %12v", m.name, median(times[0]))
		if len(sides) > 1 {
			row += fmt.Sprintf(" %12v %8.2f", median(times[1]), float64(median(times[0]))/float64(median(times[1])))
		}
		fmt.Fprintln(out, row)
	}
	return sides[0].memory(out)
}

func median(d []time.Duration) time.Duration {
	s := slices.Sorted(slices.Values(d))
	return s[len(s)/2].Round(100 * time.Microsecond)
}
