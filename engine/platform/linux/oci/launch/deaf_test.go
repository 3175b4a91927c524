package launch

import (
	"syscall"
	"testing"
)

func TestDeaf(t *testing.T) {
	const none = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nSigCgt:\t0000000000000000\n"
	const some = "SigBlk:\t0000000000000002\nSigIgn:\t0000000000000001\nSigCgt:\t0000000000004000\n" // INT, HUP, TERM
	for _, tc := range []struct {
		status string
		sig    syscall.Signal
		want   bool
	}{
		{"NSpid:\t4711\t1\n" + none, syscall.SIGTERM, true},
		{"NSpid:\t4711\t30\t1\n" + none, syscall.SIGTERM, true},
		{"NSpid:\t4711\t7\n" + none, syscall.SIGTERM, false},
		{"NSpid:\t1\n" + none, syscall.SIGTERM, false},
		{none, syscall.SIGTERM, false},
		{"NSpid:\t4711\t1\n" + none, syscall.SIGKILL, false},
		{"NSpid:\t4711\t1\n" + none, syscall.SIGWINCH, false},
		{"NSpid:\t4711\t1\n" + none, syscall.Signal(64), true},
		{"NSpid:\t4711\t1\n" + none, 0, false},
		{"NSpid:\t4711\t1\n" + some, syscall.SIGTERM, false},
		{"NSpid:\t4711\t1\n" + some, syscall.SIGINT, false},
		{"NSpid:\t4711\t1\n" + some, syscall.SIGHUP, false},
		{"NSpid:\t4711\t1\n" + some, syscall.SIGUSR1, true},
		{"NSpid:\t4711\t1\nSigCgt:\tx\n", syscall.SIGTERM, false},
		{"", syscall.SIGTERM, false},
	} {
		if got := deaf(tc.status, tc.sig); got != tc.want {
			t.Errorf("%q, %v: %t", tc.status, tc.sig, got)
		}
	}
}
