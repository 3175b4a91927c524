package rctl

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine/platform/freebsd/iov"
)

// call makes one of the system calls of rctl_add_rule(2). The kernel answers with text.
func call(trap uintptr, in string, out []byte) error {
	text, err := unix.ByteSliceFromString(in)
	if err != nil {
		return err
	}
	var answer unsafe.Pointer
	if len(out) > 0 {
		answer = unsafe.Pointer(&out[0])
	}
	_, _, errno := unix.Syscall6(trap, uintptr(unsafe.Pointer(&text[0])), uintptr(len(text)), uintptr(answer), uintptr(len(out)), 0, 0)
	runtime.KeepAlive(text)
	runtime.KeepAlive(out)
	if errno != 0 {
		return errno
	}
	return nil
}

// maxAnswer bounds what the kernel is asked for in bytes.
const maxAnswer = 1 << 20

// ask calls with larger and larger buffers until the answer fits.
func ask(trap uintptr, in string) (string, error) {
	for size := 1024; ; size *= 4 {
		out := make([]byte, size)
		err := call(trap, in, out)
		if errors.Is(err, unix.ERANGE) && size < maxAnswer {
			continue
		}
		return iov.Text(out), err
	}
}

// Set makes a jail's rules be these and no others.
func Set(jail string, rules []string) error {
	if err := Clear(jail); err != nil {
		return err
	}
	for _, r := range rules {
		if err := call(unix.SYS_RCTL_ADD_RULE, r, nil); err != nil {
			return errors.Join(fmt.Errorf("rctl add %s: %w", r, err), Clear(jail))
		}
	}
	return nil
}

// Clear removes a jail's rules. That there are none, or that the kernel does not account, is no error.
func Clear(jail string) error {
	err := call(unix.SYS_RCTL_REMOVE_RULE, Subject(jail), nil)
	if err != nil && !errors.Is(err, unix.ESRCH) && !errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("rctl remove %s: %w", Subject(jail), err)
	}
	return nil
}

// Get returns a jail's rules.
func Get(jail string) ([]string, error) {
	text, err := ask(unix.SYS_RCTL_GET_RULES, Subject(jail))
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ESRCH) || err == nil && text == "" {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("rctl rules of %s: %w", Subject(jail), err)
	}
	return strings.Split(strings.TrimSuffix(text, ","), ","), nil
}

// Use returns what a jail uses.
func Use(jail string) (Usage, error) {
	text, err := ask(unix.SYS_RCTL_GET_RACCT, Subject(jail))
	if err != nil {
		return Usage{}, fmt.Errorf("rctl usage of %s: %w", Subject(jail), err)
	}
	return ParseUsage(text)
}
