//go:build !linux && !freebsd

package hostfile

import "errors"

func inert(int) (bool, error) { return false, errors.ErrUnsupported }
