package oci

import "syscall"

// x32Bit marks a system call of the x32 ABI (asm/unistd.h).
const x32Bit = 0x40000000

// hasX32 asks the kernel whether it has the x32 ABI, by a call that does nothing. Most have not. The caller makes sure that
// this process is under no seccomp filter, which might kill it for asking.
func hasX32() bool {
	_, _, errno := syscall.RawSyscall(x32Bit|syscall.SYS_GETPID, 0, 0, 0)
	return errno == 0
}
