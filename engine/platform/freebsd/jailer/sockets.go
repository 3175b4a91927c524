package jailer

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/fstree"
	"github.com/xcengine/xc/engine/platform/unixsock"
)

// A socket of the host cannot be mounted: nullfs(5) takes directories and plain files. In its place the root gets a socket where
// the shim listens, and leads to the host's. That also outlives a server which is started anew and so has a new socket.

// apart tells the mounts that are of sockets from the others. What cannot be looked at is left for who mounts it to tell of.
func apart(all []engine.Mount) (others, sockets []engine.Mount) {
	for _, m := range all {
		if isSocket(m) {
			sockets = append(sockets, m)
			continue
		}
		others = append(others, m)
	}
	return others, sockets
}

func isSocket(m engine.Mount) bool {
	if m.Kind != engine.MountBind || m.Subpath != "" {
		return false
	}
	info, err := os.Stat(m.Source)
	return err == nil && info.Mode().Type() == fs.ModeSocket
}

// listen makes a socket in the root, or where the root is seen read-only in the writable one, like the host's in owner, mode and
// type.
func listen(writable, root string, m engine.Mount) (engine.Proxy, error) {
	p := engine.Proxy{Proto: engine.SocketStream, Inside: m.Target, Outside: m.Source}
	kind := unix.SOCK_STREAM
	if takesDatagrams(m.Source) {
		p.Proto, kind = engine.SocketDatagram, unix.SOCK_DGRAM
	}
	var err error
	p.Listener, err = listenIn(root, m, kind)
	if errors.Is(err, unix.EROFS) && writable != root {
		p.Listener, err = listenIn(writable, m, kind)
	}
	return p, err
}

// takesDatagrams asks by connecting a socket of datagrams, which no server notices.
func takesDatagrams(path string) bool {
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(s)
	return unix.Connect(s, &unix.SockaddrUnix{Name: path}) == nil
}

// listenIn makes the socket at a path of a root. What a socket was mounted over before, or is an empty file as others make to mount
// on, makes room.
func listenIn(root string, m engine.Mount, kind int) (*os.File, error) {
	like, err := socketNode(m.Source)
	if err != nil {
		return nil, err
	}
	tree, err := fstree.Open(root)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	at, err := tree.MakeFile(m.Target)
	if err != nil {
		return nil, err
	}
	defer at.Close()
	there, err := at.Dir.Lstat(at.Name)
	if err != nil {
		return nil, err
	}
	if there.Mode.Type() != fs.ModeSocket && (!there.Mode.IsRegular() || there.Size > 0) {
		return nil, &engine.Error{
			Op: "mount", Kind: engine.NotImplemented, Resource: engine.ResourcePath, ID: m.Target, Reason: engine.ReasonUnsupported,
			Args: []string{"a socket over a file or directory of the image", "nullfs(5) mounts none; choose a path where nothing is"},
		}
	}
	if err := at.Dir.RemoveAll(at.Name); err != nil {
		return nil, err
	}
	var f *os.File
	err = at.Dir.MakeSocket(at.Name, like, func(dir *os.File, name string) (err error) {
		f, err = unixsock.ListenAt(dir, name, kind)
		return err
	})
	if err != nil && f != nil {
		f.Close()
	}
	return f, err
}

// socketNode is a socket of the host.
func socketNode(name string) (fstree.Node, error) {
	name, err := filepath.EvalSymlinks(name)
	if err != nil {
		return fstree.Node{}, err
	}
	dir, err := fstree.OpenDir(filepath.Dir(name))
	if err != nil {
		return fstree.Node{}, err
	}
	defer dir.Close()
	n, _, err := dir.Node(filepath.Base(name))
	return n, err
}
