package doctor

import (
	"fmt"
	"strings"
)

// Text is the report for reading: what is wrong, worst first within the order of the checks, and with all also what is not.
func (r Report) Text(all bool) string {
	var b strings.Builder
	for _, s := range []Severity{Broken, Limited, Hint, OK} {
		for _, f := range r.Findings {
			if f.Severity == s && (s != OK || all) {
				f.write(&b)
			}
		}
	}
	fmt.Fprintf(&b, "%d broken, %d limited, %d hints, %d fine.", r.Count(Broken), r.Count(Limited), r.Count(Hint), r.Count(OK))
	if n := len(r.Plan(nil)); n > 0 {
		fmt.Fprintf(&b, " \"xc setup\" mends %d of these.", n)
	}
	b.WriteString("\n")
	return b.String()
}

func (f Finding) write(b *strings.Builder) {
	fmt.Fprintf(b, "%-8s %s\n", f.Severity, f.What)
	if f.Severity == OK {
		return
	}
	fmt.Fprintf(b, "         breaks: %s\n", f.Breaks)
	for i, m := range f.Mend {
		label := "mend:  "
		if i > 0 {
			label = "       "
		}
		fmt.Fprintf(b, "         %s %s\n", label, m)
	}
	if f.Reboot {
		b.WriteString("         holds after a reboot\n")
	}
	b.WriteString("\n")
}

// Describe is what is shown of a planned finding before it is mended: commands behind a "#", files as their diff.
func (f Finding) Describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n  (%s: %s)\n", f.ID, f.What, f.Severity, f.Breaks)
	for _, s := range f.Steps {
		prompt := "    "
		if _, is := s.(Command); is {
			prompt = "  # "
		}
		for _, l := range s.Lines() {
			b.WriteString(prompt + l + "\n")
		}
	}
	return b.String()
}
