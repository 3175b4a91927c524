package doctor

import "slices"

// Severity says how bad a finding is.
type Severity string

// The severities, worst first. OK is what was looked at and is as it should be.
const (
	Broken  Severity = "broken"
	Limited Severity = "limited"
	Hint    Severity = "hint"
	OK      Severity = "ok"
)

// Finding is one thing that was looked at.
type Finding struct {
	ID       string // stable, for --skip: "module.if_epair", "pf.conf"
	Severity Severity
	What     string // the fact: "the module if_epair is not loaded"
	Breaks   string // what it takes away; empty when OK
	// Mend are the commands that mend it, to be typed; Report fills it from Steps where it is empty.
	Mend []string
	// Steps do the same; none: it is left to the administrator.
	Steps []Step
	// Reboot says that it holds only after the host was started again.
	Reboot bool
}

// Report is what an examination found, in the order in which steps must be done.
type Report struct {
	Findings []Finding
}

// Count is the number of findings of a severity.
func (r Report) Count(s Severity) int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// Plan is what setup does: the findings with steps, those of skip left out. A step that an earlier finding has too is done once.
func (r Report) Plan(skip []string) []Finding {
	var plan []Finding
	var done []string
	for _, f := range r.Findings {
		if f.Severity == OK || slices.Contains(skip, f.ID) {
			continue
		}
		var steps []Step
		for _, s := range f.Steps {
			if key := s.key(); !slices.Contains(done, key) {
				done, steps = append(done, key), append(steps, s)
			}
		}
		if len(steps) > 0 {
			f.Steps = steps
			plan = append(plan, f)
		}
	}
	return plan
}

func ok(id, what string) Finding { return Finding{ID: id, Severity: OK, What: what} }
