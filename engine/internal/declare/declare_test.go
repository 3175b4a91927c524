package declare

import (
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// What variables become is bounded for a whole instruction, and nothing that people write comes near the bound.
func TestExpansionIsBounded(t *testing.T) {
	lex := shell.NewLex('\\')
	env := shell.EnvsFromSlice([]string{"A=" + strings.Repeat("x", 1<<20), "S=s", "P=" + strings.Repeat("/usr/bin:", 50)})
	for words, refused := range map[string]bool{
		"$S": false, "$S $A": false, "${P//\\/usr/\\/opt}:/more": false, "${A//y/z}": false,
		strings.Repeat("$S/", 10_000):               false,
		strings.Repeat("$A ", 20):                   true,
		"${A//x/" + strings.Repeat("y", 1000) + "}": true,
		"${A/x/" + strings.Repeat("$A", 20) + "}":   true,
	} {
		expand := Words(lex, env)
		var err error
		for _, word := range strings.Fields(words) {
			if _, err = expand(word); err != nil {
				break
			}
		}
		if refused != (err != nil) {
			t.Errorf("%.40q…: %v, refused should be %t", words, err, refused)
		}
	}
}
