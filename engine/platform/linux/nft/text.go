package nft

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
)

// TableName is the name of an owner's table.
func TableName(owner engine.Owner) string { return "xc-" + string(owner) }

// Text is the whole table with these contents, as nft(8) would print it.
func Text(owner engine.Owner, c Contents) string {
	var b strings.Builder
	fmt.Fprintf(&b, "table inet %s {\n", TableName(owner))
	for _, s := range allSets() {
		writeSet(&b, s, slices.Sorted(maps.Keys(c[s.name])))
	}
	for i, ch := range chains() {
		if i > 0 {
			b.WriteByte('\n')
		}
		writeChain(&b, ch)
	}
	b.WriteString("}\n")
	return b.String()
}

func writeSet(b *strings.Builder, s set, elements []string) {
	kind, typ := "set", s.key.types()
	if len(s.values) > 0 {
		kind, typ = "map", typ+" : "+s.values.types()
	}
	fmt.Fprintf(b, "\t%s %s {\n\t\ttype %s\n", kind, s.name, typ)
	if s.interval {
		b.WriteString("\t\tflags interval\n")
	}
	if len(elements) > 0 {
		fmt.Fprintf(b, "\t\telements = { %s }\n", strings.Join(elements, ",\n\t\t\t     "))
	}
	b.WriteString("\t}\n\n")
}

func writeChain(b *strings.Builder, c chain) {
	fmt.Fprintf(b, "\tchain %s {\n", c.name)
	if c.hook != "" {
		fmt.Fprintf(b, "\t\ttype %s hook %s priority %s; policy accept;\n", c.kind, c.hook, priorityName(c))
	}
	for _, r := range c.rules {
		fmt.Fprintf(b, "\t\t%s\n", r.text())
	}
	b.WriteString("\t}\n")
}

// priorityName is nft(8)'s name of a priority, where it prints one.
func priorityName(c chain) string {
	switch {
	case c.priority == priorityDstnat && c.hook == hookPrerouting:
		return "dstnat"
	case c.priority == prioritySrcnat:
		return "srcnat"
	case c.priority == priorityFilter:
		return "filter"
	}
	return fmt.Sprint(c.priority)
}
