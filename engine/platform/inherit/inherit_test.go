package inherit

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestStop(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var opened []int // without close-on-exec
	for _, from := range []int{200, 2000} {
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD, from)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		opened = append(opened, fd)
	}
	if err := Stop(); err != nil {
		t.Fatal(err)
	}
	for _, fd := range opened {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor %d: flags %x, %v", fd, flags, err)
		}
	}
	out, _ := exec.Command("/bin/sh", "-c", "if : <&200; then echo inherited; fi").CombinedOutput()
	if strings.Contains(string(out), "inherited") {
		t.Error("the descriptor went on")
	}
}
