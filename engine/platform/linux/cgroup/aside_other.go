//go:build !linux

package cgroup

import "errors"

// Aside calls f. Only Linux has hierarchies to hide.
func Aside(point string, f func() error) error {
	if point != "" {
		return errors.New("control groups are Linux's")
	}
	return f()
}
