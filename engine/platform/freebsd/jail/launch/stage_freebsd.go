package launch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine/internal/accounts"
	"github.com/xcengine/xc/engine/platform/freebsd/jail"
	"github.com/xcengine/xc/engine/platform/freebsd/sysctl"
	"github.com/xcengine/xc/engine/platform/pty"
)

// stageFD is the second stage's end of the conversation.
const stageFD = 3

// Stage runs the second stage when the program's arguments, its name included, ask for it, or connects to a socket as Dial wants
// it; it does not return then.
func Stage(args []string) {
	if len(args) == 3 && args[1] == dialWord {
		dial(args[2])
		os.Exit(0)
	}
	if len(args) != 2 || args[1] != stageWord {
		return
	}
	unix.CloseOnExec(stageFD)
	if err := stage(); err != nil {
		unix.Write(stageFD, encodeFailure(err)) //nolint:errcheck // nobody else could be told
	}
	os.Exit(1)
}

// openNow opens a file of the root that this process is in; a pipe does not make it wait.
func openNow(name string) (*os.File, error) { return os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0) }

// stage becomes the program; it returns why it could not.
func stage() error {
	o, err := readOrder()
	if err != nil {
		return err
	}
	if err := seclude(); err != nil {
		return err
	}
	if err := jail.Attach(o.JID); err != nil {
		return err
	}
	for _, s := range o.Sysctls {
		if err := sysctl.Set(s); err != nil {
			return err
		}
	}
	known, err := accounts.Read(openNow)
	if err != nil {
		return err
	}
	id, err := known.Identify(o.User, o.Groups)
	if err != nil {
		return err
	}
	if err := session(o, id); err != nil {
		return err
	}
	syscall.Umask(0o022)
	if err := enter(o); err != nil {
		return err
	}
	if err := bound(o); err != nil {
		return err
	}
	if o.chained() {
		return stay(o, known, id)
	}
	if err := assume(id); err != nil {
		return err
	}
	// What root entered may be closed to the user.
	if err := unix.Chdir(o.Cwd); err != nil {
		return notEntered(o.Cwd, err)
	}
	return execute(o, id)
}

func readOrder() (o order, err error) {
	var b []byte
	buf := make([]byte, 4096)
	for {
		n, err := unix.Read(stageFD, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return o, os.NewSyscallError("read", err)
		}
		if n == 0 {
			break
		}
		b = append(b, buf[:n]...)
	}
	if len(b) == 0 {
		return o, io.ErrUnexpectedEOF
	}
	return o, json.Unmarshal(b, &o)
}

// From sys/procctl.h and sys/sysctl.h.
const (
	procTraceCtl         = 7
	procTraceDisable     = 2
	procNoNewPrivsCtl    = 19
	procNoNewPrivsEnable = 1
)

func procctl(cmd, arg int) error {
	data := int32(arg)
	_, _, errno := syscall.Syscall6(unix.SYS_PROCCTL, idPID, uintptr(os.Getpid()), uintptr(cmd), uintptr(unsafe.Pointer(&data)), 0, 0)
	if errno != 0 {
		return os.NewSyscallError("procctl", errno)
	}
	return nil
}

// seclude makes this process safe to be among the jail's: nobody there can trace it before its execve, no descriptor of the
// host's passes that, and no signal is ignored beyond it.
func seclude() error {
	if err := procctl(procTraceCtl, procTraceDisable); err != nil {
		return err
	}
	// A caught signal has its default action after execve; an ignored one would stay ignored.
	signal.Notify(make(chan os.Signal, 1))
	open, err := unix.SysctlUint32Args("kern.proc.nfds", 0) // 0 is this process
	if err != nil {
		return fmt.Errorf("count descriptors: %w", err)
	}
	for fd, left := 0, int(open); left > 0; fd++ {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil {
			continue
		}
		left--
		if fd > 2 && flags&unix.FD_CLOEXEC == 0 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// session makes a session of the process's own, with a terminal if it is to have one.
func session(o order, id accounts.Identity) error {
	if _, err := unix.Setsid(); err != nil {
		return os.NewSyscallError("setsid", err)
	}
	setlogin(id.Login)
	if !o.TTY {
		return nil
	}
	master, terminal, err := pty.Open()
	if err != nil {
		return err
	}
	if o.Size[0] > 0 && o.Size[1] > 0 {
		if err := pty.Resize(terminal, o.Size[0], o.Size[1]); err != nil {
			return err
		}
	}
	fd := int(terminal.Fd())
	if err := unix.Fchown(fd, id.UID, id.GID); err != nil {
		return os.NewSyscallError("fchown terminal", err)
	}
	if err := unix.IoctlSetInt(fd, unix.TIOCSCTTY, 0); err != nil {
		return os.NewSyscallError("ioctl TIOCSCTTY", err)
	}
	for std := range 3 {
		if err := unix.Dup2(fd, std); err != nil {
			return os.NewSyscallError("dup2", err)
		}
	}
	if err := unix.Sendmsg(stageFD, []byte{tagMaster}, unix.UnixRights(int(master.Fd())), nil, 0); err != nil {
		return fmt.Errorf("send the terminal: %w", err)
	}
	return errors.Join(terminal.Close(), master.Close())
}

// setlogin is what getlogin(2) tells; without it the host's name for whoever started the daemon would be seen.
func setlogin(name string) {
	if b, err := unix.BytePtrFromString(name); err == nil {
		syscall.Syscall(unix.SYS_SETLOGIN, uintptr(unsafe.Pointer(b)), 0, 0) //nolint:errcheck // a courtesy
	}
}

// enter makes the working directory if that was asked for, and goes there.
func enter(o order) error {
	err := unix.Chdir(o.Cwd)
	if o.MakeCwd && errors.Is(err, unix.ENOENT) {
		if err = os.MkdirAll(path.Clean(o.Cwd), 0o755); err == nil {
			err = unix.Chdir(o.Cwd)
		}
	}
	if err != nil {
		return notEntered(o.Cwd, err)
	}
	return nil
}

// stay runs the program as a child, between others, and does not return unless it cannot begin. This process keeps root, to change
// users; nobody in the jail can trace it.
func stay(o order, known accounts.Files, id accounts.Identity) error {
	c, err := o.chain(known, id)
	if err != nil {
		return err
	}
	if _, err := unix.Write(stageFD, []byte{tagGo}); err != nil {
		return os.NewSyscallError("write", err)
	}
	unix.Close(stageFD)
	os.Exit(c.Run(os.Stderr))
	return nil
}

// bound takes bounds, which last.
func bound(o order) error {
	for _, r := range o.Rlimits {
		if err := syscall.Setrlimit(r.Resource, &syscall.Rlimit{Cur: r.Soft, Max: r.Hard}); err != nil {
			return fmt.Errorf("set limit %d to %d:%d: %w", r.Resource, r.Soft, r.Hard, err)
		}
	}
	if o.NoNewPrivileges {
		if err := procctl(procNoNewPrivsCtl, procNoNewPrivsEnable); err != nil {
			return fmt.Errorf("no-new-privileges: %w", err)
		}
	}
	return nil
}

// assume takes an identity: groups before the user, who could not set them.
func assume(id accounts.Identity) error {
	if err := syscall.Setgroups(id.Groups); err != nil {
		return os.NewSyscallError("setgroups", err)
	}
	if err := unix.Setresgid(id.GID, id.GID, id.GID); err != nil {
		return os.NewSyscallError("setresgid", err)
	}
	if err := unix.Setresuid(id.UID, id.UID, id.UID); err != nil {
		return os.NewSyscallError("setresuid", err)
	}
	return nil
}

func execute(o order, id accounts.Identity) error {
	env := withHome(o.Env, id)
	program, err := lookup(o.Args[0], env)
	if err != nil {
		return notExecuted(o.Args[0], err)
	}
	if _, err := unix.Write(stageFD, []byte{tagGo}); err != nil {
		return os.NewSyscallError("write", err)
	}
	return notExecuted(o.Args[0], syscall.Exec(program, o.Args, env))
}
