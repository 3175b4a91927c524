package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// echo [-n] WORDS…; a first word "-e" sends the line to stderr.
func echo(args []string, s stdio) int {
	w, end := s.out, "\n"
	for len(args) > 0 && (args[0] == "-n" || args[0] == "-e") {
		if args[0] == "-n" {
			end = ""
		} else {
			w = s.err
		}
		args = args[1:]
	}
	fmt.Fprint(w, strings.Join(args, " ")+end)
	return 0
}

// printf FORMAT WORDS…: backslash escapes and %s alone.
func printf(args []string, s stdio) int {
	if len(args) == 0 {
		return 1
	}
	text := strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\r`, "\r", `\033`, "\033", `\\`, `\`).Replace(args[0])
	for _, a := range args[1:] {
		text = strings.Replace(text, "%s", a, 1)
	}
	fmt.Fprint(s.out, text)
	return 0
}

// cat [FILE…]
func cat(args []string, s stdio) int {
	if len(args) == 0 {
		if _, err := io.Copy(s.out, s.in); err != nil {
			return s.fail(err)
		}
	}
	for _, name := range args {
		f, err := os.Open(s.path(name))
		if err != nil {
			return s.fail(err)
		}
		_, err = io.Copy(s.out, f)
		f.Close()
		if err != nil {
			return s.fail(err)
		}
	}
	return 0
}

// env [NAME]: the whole environment or one variable.
func env(args []string, s stdio) int {
	for _, e := range s.env {
		k, v, _ := strings.Cut(e, "=")
		switch {
		case len(args) == 0:
			fmt.Fprintln(s.out, e)
		case args[0] == k:
			fmt.Fprintln(s.out, v)
			return 0
		}
	}
	return min(len(args), 1)
}

func exit(args []string, _ stdio) int {
	if len(args) == 0 {
		return 0
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return 2
	}
	return n
}

// sleep SECONDS|infinity
func sleep(args []string, s stdio) int {
	if len(args) == 0 {
		return 1
	}
	if args[0] == "infinity" {
		for {
			time.Sleep(time.Hour) // a lone select would be taken for a deadlock
		}
	}
	seconds, err := strconv.ParseFloat(args[0], 64)
	if err != nil {
		return s.fail(err)
	}
	time.Sleep(time.Duration(seconds * float64(time.Second)))
	return 0
}

// lines N [SECONDS-BETWEEN [WIDTH]]: N numbered lines.
func lines(args []string, s stdio) int {
	n, pause, width := 10, 0.0, 0
	for i, to := range []func(string) error{
		func(a string) (err error) { n, err = strconv.Atoi(a); return },
		func(a string) (err error) { pause, err = strconv.ParseFloat(a, 64); return },
		func(a string) (err error) { width, err = strconv.Atoi(a); return },
	} {
		if i < len(args) {
			if err := to(args[i]); err != nil {
				return s.fail(err)
			}
		}
	}
	w := bufio.NewWriterSize(s.out, 64<<10)
	defer w.Flush()
	for i := 1; i <= n; i++ {
		line := "line " + strconv.Itoa(i)
		if pad := width - len(line) - 1; pad > 0 {
			line += " " + strings.Repeat("x", pad)
		}
		w.WriteString(line + "\n")
		if pause > 0 {
			w.Flush()
			time.Sleep(time.Duration(pause * float64(time.Second)))
		}
	}
	return 0
}

// bytes N: N bytes without a line feed.
func manyBytes(args []string, s stdio) int {
	n, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return s.fail(err)
	}
	block := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	for n > 0 {
		k := min(n, int64(len(block)))
		if _, err := s.out.Write(block[:k]); err != nil {
			return 1
		}
		n -= k
	}
	return 0
}

// wc: lines and bytes of stdin.
func wc(_ []string, s stdio) int {
	var nl, nb int
	buf := make([]byte, 64<<10)
	for {
		n, err := s.in.Read(buf)
		nl += bytes.Count(buf[:n], []byte{'\n'})
		nb += n
		if err != nil {
			break
		}
	}
	fmt.Fprintln(s.out, nl, nb)
	return 0
}

// sha256sum [FILE]
func sha(args []string, s stdio) int {
	in := s.in
	if len(args) > 0 {
		f, err := os.Open(s.path(args[0]))
		if err != nil {
			return s.fail(err)
		}
		defer f.Close()
		in = f
	}
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return s.fail(err)
	}
	fmt.Fprintf(s.out, "%x\n", h.Sum(nil))
	return 0
}
