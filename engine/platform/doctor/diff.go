package doctor

import (
	"fmt"
	"strings"
)

// diffContext is how many equal lines stand around a change.
const diffContext = 3

// op is one line of a diff: kept (' '), removed ('-') or added ('+').
type op struct {
	kind byte
	text string
}

// unified renders the difference of two texts as diff -u does; it is empty when they are equal.
func unified(from, to, old, new string) string {
	ops := script(lines(old), lines(new))
	var b strings.Builder
	oldLine, newLine := 1, 1
	for i := 0; i < len(ops); {
		if ops[i].kind == ' ' {
			i, oldLine, newLine = i+1, oldLine+1, newLine+1
			continue
		}
		first := max(i-diffContext, 0)
		end := hunkEnd(ops, i)
		back := i - first
		if b.Len() == 0 {
			fmt.Fprintf(&b, "--- %s\n+++ %s\n", from, to)
		}
		removed, added := hunk(&b, ops[first:end], oldLine-back, newLine-back)
		oldLine, newLine, i = oldLine-back+removed, newLine-back+added, end
	}
	return b.String()
}

// hunkEnd is where a hunk that has its first change at i ends: where more lines than two contexts are equal.
func hunkEnd(ops []op, i int) int {
	last := i
	for j := i; j < len(ops) && j-last <= 2*diffContext; j++ {
		if ops[j].kind != ' ' {
			last = j
		}
	}
	return min(last+diffContext+1, len(ops))
}

// hunk writes one hunk and returns how many lines of either text it covers.
func hunk(b *strings.Builder, ops []op, oldLine, newLine int) (removed, added int) {
	for _, o := range ops {
		if o.kind != '+' {
			removed++
		}
		if o.kind != '-' {
			added++
		}
	}
	fmt.Fprintf(b, "@@ -%s +%s @@\n", span(oldLine, removed), span(newLine, added))
	for _, o := range ops {
		b.WriteByte(o.kind)
		b.WriteString(o.text)
		if !strings.HasSuffix(o.text, "\n") {
			b.WriteString("\n\\ No newline at end of file\n")
		}
	}
	return removed, added
}

// span is a range of lines; an empty one is named by the line before it.
func span(first, n int) string {
	switch n {
	case 0:
		return fmt.Sprintf("%d,0", first-1)
	case 1:
		return fmt.Sprint(first)
	}
	return fmt.Sprintf("%d,%d", first, n)
}

// lines splits a text after its newlines.
func lines(text string) []string {
	all := strings.SplitAfter(text, "\n")
	if all[len(all)-1] == "" {
		all = all[:len(all)-1]
	}
	return all
}

// script is the shortest edit script, by the longest common subsequence: configuration files are short.
func script(a, b []string) []op {
	length := make([][]int, len(a)+1)
	for i := range length {
		length[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	var ops []op
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			ops, i, j = append(ops, op{' ', a[i]}), i+1, j+1
		case j == len(b) || i < len(a) && length[i+1][j] >= length[i][j+1]:
			ops, i = append(ops, op{'-', a[i]}), i+1
		default:
			ops, j = append(ops, op{'+', b[j]}), j+1
		}
	}
	return ops
}
