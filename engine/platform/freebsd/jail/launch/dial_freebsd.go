package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/xcengine/xc/engine/platform/peercred"
	"github.com/xcengine/xc/engine/platform/reaper"
	"github.com/xcengine/xc/engine/platform/unixsock"
	"github.com/xcengine/xc/engine/shim"
)

var _ shim.Dialer = (*Launcher)(nil)

// dialWord is the first argument of the shim's program when it is run to connect to a socket as somebody else; the socket's name
// follows, in the directory that is open as dirFD.
const (
	dialWord = "dial-socket"
	dirFD    = stageFD + 1
)

// Dial implements shim.Dialer. Who connects is noted by the kernel for the whole process (unix(4) LOCAL_PEERCRED), so anyone but
// root is connected by a process of his.
func (l *Launcher) Dial(ctx context.Context, client *net.UnixConn, path string) (*net.UnixConn, error) {
	who, err := peercred.Credential(client)
	if err != nil {
		return nil, err
	}
	if who.Uid == 0 {
		return unixsock.Dial(ctx, filepath.Dir(path), filepath.Base(path))
	}
	c, err := l.dialAs(ctx, who, path)
	if err != nil {
		return nil, fmt.Errorf("as user %d: %w", who.Uid, err)
	}
	return c, nil
}

func (l *Launcher) dialAs(ctx context.Context, who *syscall.Credential, path string) (*net.UnixConn, error) {
	if l.err != nil {
		return nil, l.err
	}
	// A bind mount asks nobody whether he may reach the socket's directory; here that one itself must let him in.
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	ours, theirs, err := unixsock.Pair()
	if err != nil {
		return nil, err
	}
	defer ours.Close()
	stop := context.AfterFunc(ctx, func() { _ = ours.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err = l.reaper.Start(reaper.Command{
		Path: l.self, Args: []string{"xc-shim", dialWord, filepath.Base(path)}, Env: []string{"GOMAXPROCS=1"}, Dir: "/",
		Extra: []*os.File{theirs, dir}, Sys: &syscall.SysProcAttr{Credential: who},
	})
	theirs.Close()
	if err != nil {
		return nil, err
	}
	in := unixsock.NewFileReader(ours)
	said, err := io.ReadAll(in)
	files := in.Take()
	if err == nil && len(files) != 1 {
		err = errors.New(string(said))
	}
	if err != nil {
		for _, f := range files {
			f.Close()
		}
		return nil, err
	}
	return unixsock.Conn(files[0])
}

// dial connects, and sends the connection or why there is none.
func dial(name string) {
	out, err := unixsock.Conn(os.NewFile(stageFD, "conversation"))
	if err != nil {
		return
	}
	c, err := unixsock.DialAt(context.Background(), os.NewFile(dirFD, "directory"), name)
	if err != nil {
		_, _ = out.Write([]byte(err.Error()))
		return
	}
	f, err := c.File()
	if err != nil {
		_, _ = out.Write([]byte(err.Error()))
		return
	}
	_ = unixsock.WriteFiles(out, []byte{0}, []*os.File{f})
}
