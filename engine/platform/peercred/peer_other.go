//go:build !linux && !freebsd

package peercred

import "errors"

func peer(int) (int, error) { return 0, errors.ErrUnsupported }
