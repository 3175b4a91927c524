package main

import (
	"fmt"
	"time"

	"github.com/docker/go-units"
)

// bytesText writes a size in decimal units, as docker does.
func bytesText(n int64) string { return units.HumanSize(float64(n)) }

// ago writes how long ago something was.
func ago(t time.Time) string { return units.HumanDuration(time.Since(t)) + " ago" }

// since writes how long something lasts.
func since(t time.Time) string { return units.HumanDuration(time.Since(t)) }

// parseBytes reads a size with a binary unit: 512m, 2g.
func parseBytes(s string) (int64, error) {
	n, err := units.RAMInBytes(s)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is not a size, as in 512m or 2g", s)
	}
	return n, nil
}
