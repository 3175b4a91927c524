package cgroup

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// NoLimit is the value of a limit that is not set.
const NoLimit = math.MaxUint64

// readUint reads a file of one number; "max" is NoLimit. What is missing or malformed counts as zero, as kernels and
// hierarchies differ in the files they have.
func readUint(dir, file string) uint64 {
	word, err := readWord(dir, file)
	if err != nil {
		return 0
	}
	return parseUint(word)
}

func parseUint(word string) uint64 {
	if word == "max" {
		return NoLimit
	}
	n, err := strconv.ParseUint(word, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// readPairs reads a file of lines "key number".
func readPairs(dir, file string) (map[string]uint64, error) {
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return nil, err
	}
	return parsePairs(string(b)), nil
}

func parsePairs(text string) map[string]uint64 {
	pairs := map[string]uint64{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			if n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 64); err == nil {
				pairs[key] = n
			}
		}
	}
	return pairs
}
