package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/reaper"
	"github.com/xcengine/xc/engine/platform/unixsock"
	"github.com/xcengine/xc/engine/shim"
)

// stageWord is the first argument of the shim's program when it is run as the second stage.
const stageWord = "jail-process"

// Launcher implements shim.Launcher for the processes of one container.
type Launcher struct {
	reaper *reaper.Reaper
	self   string // this program
	err    error  // why it is not known
}

// New returns a launcher for a process whose children r reaps. Its program must call Stage first of all.
func New(r *reaper.Reaper) *Launcher {
	self, err := os.Executable()
	return &Launcher{reaper: r, self: self, err: err}
}

// Platform implements shim.Launcher.
func (*Launcher) Platform() string { return Platform }

// Start implements shim.Launcher.
func (l *Launcher) Start(ctx context.Context, exec engine.ExecID, el engine.Launch, stdio shim.Stdio) (shim.Started, error) {
	p, err := decode(el)
	if err != nil {
		return shim.Started{}, &engine.Error{Op: "start", Kind: engine.Internal, Err: err}
	}
	started, err := l.start(ctx, order{Payload: p, TTY: el.TTY, Size: el.Size}, stdio)
	if err != nil {
		return shim.Started{}, about(exec, p.JID, err)
	}
	return started, nil
}

func (l *Launcher) start(ctx context.Context, o order, stdio shim.Stdio) (shim.Started, error) {
	if l.err != nil {
		return shim.Started{}, l.err
	}
	ours, theirs, err := unixsock.Pair()
	if err != nil {
		return shim.Started{}, err
	}
	defer ours.Close()
	p, err := l.reaper.Start(reaper.Command{
		Path: l.self, Args: []string{"xc-shim", stageWord}, Env: []string{"GOMAXPROCS=1"}, Dir: "/",
		Stdin: stdio.Stdin, Stdout: stdio.Stdout, Stderr: stdio.Stderr, Extra: []*os.File{theirs},
	})
	theirs.Close()
	if err != nil {
		return shim.Started{}, err
	}
	master, err := l.converse(ctx, ours, o)
	if err != nil {
		if master != nil {
			master.Close()
		}
		p.Signal(unix.SIGKILL) //nolint:errcheck // it may have ended
		<-p.Done()
		return shim.Started{}, err
	}
	return shim.Started{Pid: p.Pid(), Master: master}, nil
}

// converse sends the order and reads to the end what the second stage says.
func (l *Launcher) converse(ctx context.Context, c *net.UnixConn, o order) (*os.File, error) {
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) }) //nolint:errcheck // reading tells
	defer stop()
	b, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	_, err = c.Write(b)
	if err = errors.Join(err, c.CloseWrite()); err != nil && ctx.Err() == nil && !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ENOTCONN) {
		return nil, err // one that went away has said why
	}
	said, master, err := listen(c)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err == nil {
		err = outcome(said)
	}
	if err == nil && o.TTY && master == nil {
		err = errors.New("the second stage sent no terminal")
	}
	return master, err
}

// listen reads everything, and the descriptor that comes with it.
func listen(c *net.UnixConn) (said []byte, master *os.File, err error) {
	buf, rights := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	for {
		n, nr, _, _, err := c.ReadMsgUnix(buf, rights)
		said = append(said, buf[:max(n, 0)]...)
		if nr > 0 && master == nil {
			if master, err = descriptor(rights[:nr]); err != nil {
				return said, nil, err
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, unix.ECONNRESET), err == nil && n == 0:
			return said, master, nil
		case err != nil:
			return said, master, err
		}
	}
}

func descriptor(rights []byte) (*os.File, error) {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("receive the terminal: %d messages (%w)", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("receive the terminal: %d descriptors (%w)", len(fds), err)
	}
	unix.CloseOnExec(fds[0])
	// Not blocking, so that closing the file ends a read.
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, errors.Join(err, unix.Close(fds[0]))
	}
	return os.NewFile(uintptr(fds[0]), "terminal"), nil
}

// From sys/procctl.h.
const (
	idPID        = 0 // sys/wait.h: P_PID
	procReapKill = 6
)

// reapKill is struct procctl_reaper_kill.
type reapKill struct {
	sig       int32
	flags     uint32
	subtree   int32
	killed    uint32
	failedPid int32
	_         [15]uint32
}

// Kill implements shim.Launcher: everything in the jail descends from this process, which is its reaper. What came into the
// jail by jexec(8) ends with the jail.
func (*Launcher) Kill(context.Context) error {
	k := reapKill{sig: int32(unix.SIGKILL)}
	_, _, errno := syscall.Syscall6(unix.SYS_PROCCTL, idPID, uintptr(os.Getpid()), procReapKill, uintptr(unsafe.Pointer(&k)), 0, 0)
	if errno != 0 && errno != unix.ESRCH {
		return os.NewSyscallError("procctl PROC_REAP_KILL", errno)
	}
	return nil
}
