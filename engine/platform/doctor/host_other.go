//go:build !linux && !freebsd

package doctor

import (
	"context"
	"errors"
)

// Gather finds nothing: containers run on FreeBSD and Linux.
func Gather(context.Context, Source) Facts { return Facts{} }

func disk(string) (free, total uint64, err error) { return 0, 0, errors.ErrUnsupported }

func packetFilter() bool { return false }
