package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// caps: capabilities, seccomp and no-new-privileges.
func caps(_ []string, s stdio) int {
	return procStatus(s, "/proc/self/status", "Cap", "Seccomp:", "NoNewPrivs:")
}

// mounts: what is mounted here, each with its options.
func mounts(_ []string, s stdio) int { return procStatus(s, "/proc/self/mounts", "") }

// procStatus prints the lines of a file under /proc that begin with one of the prefixes.
func procStatus(s stdio, file string, prefixes ...string) int {
	f, err := os.Open(file)
	if err != nil {
		return s.fail(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		for _, p := range prefixes {
			if strings.HasPrefix(lines.Text(), p) {
				fmt.Fprintln(s.out, lines.Text())
			}
		}
	}
	return 0
}

func processes() ([]seen, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var all []seen
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			cmd, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline") // it may have ended
			all = append(all, seen{pid, words(cmd)})
		}
	}
	return all, nil
}
