package launch

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// console is a socket on which the OCI runtime hands over a terminal's master (runc's docs/terminals.md).
//
// A socket's address holds 108 bytes, less than a container's directory may take. So both ends name the socket through a
// descriptor of the directory: this process by /proc/self/fd, the runtime by this process's number.
type console struct {
	dir      *os.File
	name     string
	listener *net.UnixListener
}

// masterTimeout bounds the wait for a master after the runtime said that all is well; it was sent before.
const masterTimeout = 10 * time.Second

func newConsole(bundle, name string) (*console, error) {
	dir, err := os.Open(bundle)
	if err != nil {
		return nil, err
	}
	c := &console{dir: dir, name: name}
	os.Remove(filepath.Join(bundle, name)) //nolint:errcheck // of an earlier run; listening tells
	c.listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: c.path("self"), Net: "unix"})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen for the terminal: %w", err), dir.Close())
	}
	return c, nil
}

func (c *console) path(process string) string {
	return fmt.Sprintf("/proc/%s/fd/%d/%s", process, c.dir.Fd(), c.name)
}

// runtimePath is the path by which the runtime finds the socket.
func (c *console) runtimePath() string { return c.path(fmt.Sprint(os.Getpid())) }

// expire bounds the wait for a runtime that said that all is well.
func (c *console) expire() {
	c.listener.SetDeadline(time.Now().Add(masterTimeout)) //nolint:errcheck // accepting tells
}

// master takes the terminal that the runtime sends. It waits until that comes, or the console expires or is closed.
func (c *console) master() (*os.File, error) {
	conn, err := c.listener.AcceptUnix()
	if err != nil {
		return nil, fmt.Errorf("wait for the terminal: %w", err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(masterTimeout)) //nolint:errcheck // reading tells
	name, rights := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := conn.ReadMsgUnix(name, rights)
	if err != nil {
		return nil, fmt.Errorf("receive the terminal: %w", err)
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("receive the terminal: %d messages (%v)", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("receive the terminal: %d descriptors (%v)", len(fds), err)
	}
	unix.CloseOnExec(fds[0])
	// Not blocking, so that closing the file ends a read.
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, errors.Join(err, unix.Close(fds[0]))
	}
	return os.NewFile(uintptr(fds[0]), "terminal"), nil
}

func (c *console) close() {
	c.listener.Close()
	c.dir.Close()
}
