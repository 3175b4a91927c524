package doctor

import (
	"slices"
	"strings"

	"github.com/xcengine/xc/engine/platform/freebsd/pf"
)

// pfKind is the part of pf.conf(5) that a statement belongs to; the parts stand in this order.
type pfKind int

const (
	pfOther     pfKind = iota // macros, tables, options, normalisation, queueing, and what is not known
	pfTranslate               // nat, rdr, binat and their anchors
	pfFilter                  // pass, block, anchors …
)

var pfKinds = map[string]pfKind{
	"nat": pfTranslate, "rdr": pfTranslate, "binat": pfTranslate, "no": pfTranslate,
	"nat-anchor": pfTranslate, "rdr-anchor": pfTranslate, "binat-anchor": pfTranslate,
	"pass": pfFilter, "block": pfFilter, "match": pfFilter, "anchor": pfFilter, "antispoof": pfFilter,
}

// pfStatement is a statement with the lines it stands on, [first, end).
type pfStatement struct {
	first, end int
	words      []string
}

func (s pfStatement) kind() pfKind { return pfKinds[s.words[0]] }

// names reports whether the statement refers to an anchor. One below it ("xc-rdr/*") reaches the same rules.
func (s pfStatement) names(kind, anchor string) bool {
	return len(s.words) >= 2 && s.words[0] == kind && strings.TrimSuffix(strings.Trim(s.words[1], `"`), "/*") == anchor
}

// pfStatements finds the statements of a pf.conf: what a backslash or an open brace continues is one, what stands in an inline
// anchor's braces is that anchor's.
func pfStatements(text []string) []pfStatement {
	var all []pfStatement
	for i := 0; i < len(text); {
		s := pfStatement{first: i}
		depth := 0
		for more := true; more && i < len(text); i++ {
			line := pfCode(text[i])
			line, continued := strings.CutSuffix(line, `\`)
			s.words = append(s.words, strings.Fields(line)...)
			depth += strings.Count(line, "{") - strings.Count(line, "}")
			more = continued || depth > 0
		}
		if s.end = i; len(s.words) > 0 {
			all = append(all, s)
		}
	}
	return all
}

// pfCode is a line without its comment.
func pfCode(line string) string {
	inside := false
	for i, c := range line {
		if c == '"' {
			inside = !inside
		}
		if c == '#' && !inside {
			return strings.TrimSpace(line[:i])
		}
	}
	return strings.TrimSpace(line)
}

// amendPF gives a pf.conf with the anchors that it lacks. They stand behind the last translation rule, else before the first
// filter rule, where pf wants them; one of translation that stands behind a filter rule is moved. It also names what was
// missing or misplaced.
func amendPF(text string) (amended string, missing []string) {
	all := lines(text)
	statements := pfStatements(all)
	filter := slices.IndexFunc(statements, func(s pfStatement) bool { return s.kind() == pfFilter })
	drop := map[int]bool{}
	var add []string
	for _, a := range pf.Anchors {
		at := slices.IndexFunc(statements, func(s pfStatement) bool { return s.names(a.Kind, a.Name) })
		line := a.Line()
		switch {
		case at < 0:
		case pfKinds[a.Kind] == pfFilter: // where it stands among his own is the administrator's to say
			continue
		case filter < 0 || at < filter || unordered(statements):
			continue
		default:
			for i := statements[at].first; i < statements[at].end; i++ {
				drop[i] = true
			}
			line = strings.Join(statements[at].words, " ")
		}
		add, missing = append(add, line+"\n"), append(missing, line)
	}
	if len(add) == 0 {
		return text, nil
	}
	at := pfPlace(all, statements)
	var b strings.Builder
	for i := range len(all) + 1 {
		if i == at {
			pfInsert(&b, all, at, add)
		}
		if i < len(all) && !drop[i] {
			b.WriteString(all[i])
		}
	}
	return b.String(), missing
}

// unordered reports whether the file says that its rules may stand in any order.
func unordered(statements []pfStatement) bool {
	return slices.ContainsFunc(statements, func(s pfStatement) bool {
		return strings.Join(s.words, " ") == "set require-order no"
	})
}

// pfPlace is the line before which anchors are put.
func pfPlace(all []string, statements []pfStatement) int {
	filter := slices.IndexFunc(statements, func(s pfStatement) bool { return s.kind() == pfFilter })
	place := -1
	for i, s := range statements {
		if s.kind() == pfTranslate && (filter < 0 || i < filter) {
			place = s.end
		}
	}
	switch {
	case place >= 0:
		return place
	case filter < 0:
		return len(all)
	}
	at := statements[filter].first
	for at > 0 && strings.HasPrefix(strings.TrimSpace(all[at-1]), "#") { // the rule's own comment
		at--
	}
	return at
}

func pfInsert(b *strings.Builder, all []string, at int, add []string) {
	if at > 0 && !strings.HasSuffix(all[at-1], "\n") {
		b.WriteString("\n")
	}
	if at == 0 || pfKinds[firstWord(all[at-1])] != pfTranslate {
		b.WriteString("# The container daemon, xcd, fills these anchors and changes nothing else.\n")
	}
	b.WriteString(strings.Join(add, ""))
	if at < len(all) && strings.TrimSpace(all[at]) != "" {
		b.WriteString("\n")
	}
}

func firstWord(line string) string {
	f := strings.Fields(pfCode(line))
	if len(f) == 0 {
		return ""
	}
	return f[0]
}

// pfFilters reports whether a pf.conf blocks anything: enabling pf over it may cut off whoever does it. The daemon's own anchor
// blocks nothing between the host and others.
func pfFilters(text string) bool {
	return slices.ContainsFunc(pfStatements(lines(text)), func(s pfStatement) bool {
		if s.names("anchor", pf.AnchorFilter) {
			return false
		}
		return s.words[0] == "block" || s.words[0] == "anchor" || s.words[0] == "load" || s.words[0] == "antispoof" || s.words[0] == "include"
	})
}

// pfBlocksAll reports whether a pf.conf blocks what it does not pass, and passes nothing on the containers' interfaces, which
// are all in the group "xc".
func pfBlocksAll(text string) bool {
	blocks, passes := false, false
	for _, s := range pfStatements(lines(text)) {
		rest := slices.DeleteFunc(slices.Clone(s.words[1:]), func(w string) bool {
			return slices.Contains([]string{"in", "out", "log", "drop", "return", "return-rst", "return-icmp", "quick", "all", "keep", "state"}, w)
		})
		blocks = blocks || s.words[0] == "block" && len(rest) == 0
		passes = passes || s.words[0] == "pass" && (len(rest) == 0 && !slices.Contains(s.words, "out") || slices.Contains(rest, "xc"))
		passes = passes || slices.Contains(s.words, "skip") && slices.Contains(s.words, "xc")
	}
	return blocks && !passes
}
