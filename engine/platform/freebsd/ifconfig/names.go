package ifconfig

import (
	"slices"
	"strconv"
	"strings"
)

// freeName gives an interface the wanted name, or the next one with a higher number when another has it.
func freeName(wanted, present string, all []seen) string {
	if wanted == "" {
		wanted = "eth0"
	}
	base := strings.TrimRight(wanted, "0123456789")
	n, err := strconv.Atoi(wanted[len(base):])
	for name := wanted; ; n++ {
		if err == nil {
			name = base + strconv.Itoa(n)
		}
		if name == present || !slices.ContainsFunc(all, func(s seen) bool { return s.Name == name }) {
			return name
		}
		if err != nil {
			base, n, err = wanted, 0, nil
		}
	}
}
