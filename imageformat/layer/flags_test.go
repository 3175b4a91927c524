package layer

import "testing"

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		in   string
		want uint32
		out  string
	}{
		{"", 0, ""},
		{"schg,nodump", 0x20001, "nodump,schg"},
		{"uchange,simmutable,sunlink", 0x120002, "uchg,schg,sunlnk"},
		{"uarch,arch,hidden", 0, ""}, // notes of the file system's own
		{"what,uappnd", 4, "uappnd"},
	} {
		if got := parseFlags(c.in); got != c.want || formatFlags(got) != c.out {
			t.Errorf("%q: got %#x %q", c.in, got, formatFlags(got))
		}
	}
}
