package layer

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/imageformat"
)

// WriteTar writes changes as a layer's tar, the same bytes whenever the trees are the same. Times are whole seconds, as
// Docker's layers have them; directories on the way to a change are in it with their attributes; sockets are not. Files
// that change meanwhile are written as far as they were found: with the size that they had.
func WriteTar(ctx context.Context, w io.Writer, c Changes) error {
	return TarOptions{}.WriteTar(ctx, w, c)
}

// TarOptions are what a layer's maker may want beyond the changes.
type TarOptions struct {
	// Remove are paths that the layer removes whatever the trees say, before it brings anything.
	Remove []string
	// NoWhiteouts leaves out that files are gone: the tar is then one for tools that know no layers.
	NoWhiteouts bool
}

// WriteTar is the function of that name with these options.
func (o TarOptions) WriteTar(ctx context.Context, w io.Writer, c Changes) error {
	t := tarWriter{ctx: ctx, tw: tar.NewWriter(w), first: map[inode]string{}, buf: make([]byte, 256<<10), plain: o.NoWhiteouts}
	for _, p := range o.Remove {
		dir, base := path.Split(path.Clean("/" + p))
		if base == "" || strings.HasPrefix(base, whiteoutPrefix) {
			return &imageformat.Error{Doc: "layer", Detail: fmt.Sprintf("it cannot remove %q", p)}
		}
		if err := t.mark(strings.TrimPrefix(dir, "/") + whiteoutPrefix + base); err != nil {
			return err
		}
	}
	if err := c.walk(ctx, t.visit); err != nil {
		return err
	}
	return t.tw.Close()
}

// NewTar is WriteTar as a stream. Closing it early ends the work; the last Read tells its error.
func NewTar(ctx context.Context, c Changes) io.ReadCloser {
	ctx, cancel := context.WithCancel(ctx)
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.CloseWithError(WriteTar(ctx, w, c))
	}()
	return &tarStream{PipeReader: r, stop: func() {
		cancel()
		_ = r.Close()
		<-done
	}}
}

type tarStream struct {
	*io.PipeReader
	stop func()
}

// Close ends the work and waits until the trees are not used any more.
func (t *tarStream) Close() error {
	t.stop()
	return nil
}

type tarWriter struct {
	ctx   context.Context //nolint:containedctx // one run of WriteTar
	tw    *tar.Writer
	above parents
	first map[inode]string // first name of a file that has several
	buf   []byte
	plain bool // without whiteouts
}

func (t *tarWriter) visit(n *node) error {
	if !n.present {
		if n.st.isDir() {
			t.above.push(*n)
		}
		return nil
	}
	for _, p := range t.above.take(n.path) {
		if p.path == "." {
			continue // the root is stated only when it changed itself
		}
		if err := t.file(&p); err != nil {
			return err
		}
	}
	if n.deleted {
		dir, base := path.Split(n.path)
		return t.mark(dir + whiteoutPrefix + base)
	}
	if strings.HasPrefix(n.name, whiteoutPrefix) {
		return nil // a layer cannot say that a file has such a name
	}
	if err := t.file(n); err != nil {
		return err
	}
	if n.opaque && n.path != "." {
		return t.mark(n.path + "/" + whiteoutOpaque)
	}
	return nil
}

// mark writes a whiteout.
func (t *tarWriter) mark(name string) error {
	if t.plain {
		return nil
	}
	return t.tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, ModTime: time.Unix(0, 0), Format: tar.FormatPAX})
}

// file writes one entry.
func (t *tarWriter) file(n *node) error {
	hdr, err := header(n)
	if hdr == nil || err != nil {
		return err
	}
	id := inode{n.st.dev, n.st.ino}
	several := n.st.nlink > 1 && !n.st.isDir()
	if target, ok := t.first[id]; several && ok {
		hdr.Typeflag, hdr.Linkname, hdr.Size, hdr.PAXRecords = tar.TypeLink, target, 0, nil
		return t.tw.WriteHeader(hdr)
	}
	fd := -1
	if hdr.Size > 0 {
		if fd, err = openAt(n.dir, n.name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0); err != nil {
			return vanished(at("open", n.path, err))
		}
		defer unix.Close(fd)
	}
	if err := t.tw.WriteHeader(hdr); err != nil {
		return err
	}
	if several {
		t.first[id] = n.path
	}
	return t.content(fd, hdr.Size)
}

// vanished makes nothing of a file that is not there any more.
func vanished(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ELOOP) {
		return nil
	}
	return err
}

func (t *tarWriter) content(fd int, size int64) error {
	for size > 0 {
		if err := t.ctx.Err(); err != nil {
			return err
		}
		want := t.buf[:min(int64(len(t.buf)), size)]
		n, err := readFull(fdReader(fd), want)
		if err != nil && err != io.EOF {
			return err
		}
		// The file may have become shorter; the header is written.
		clear(want[n:])
		if _, err := t.tw.Write(want); err != nil {
			return err
		}
		size -= int64(len(want))
	}
	return nil
}

// header describes a file; nil if a layer cannot have it.
func header(n *node) (*tar.Header, error) {
	hdr := &tar.Header{
		Name: n.path, Mode: int64(n.st.mode & 0o7777), Uid: int(n.st.uid), Gid: int(n.st.gid),
		ModTime: time.Unix(int64(n.st.mtime.Sec), 0), Format: tar.FormatPAX,
	}
	switch n.st.kind() {
	case unix.S_IFREG:
		hdr.Typeflag, hdr.Size = tar.TypeReg, n.st.size
	case unix.S_IFDIR:
		hdr.Typeflag = tar.TypeDir
		hdr.Name += "/"
	case unix.S_IFLNK:
		target, err := readlinkAt(n.dir, n.name)
		if err != nil {
			return nil, vanished(at("readlink", n.path, err))
		}
		// A link's permissions mean nothing, and only some systems keep any.
		hdr.Typeflag, hdr.Linkname, hdr.Mode = tar.TypeSymlink, target, 0o777
	case unix.S_IFCHR, unix.S_IFBLK:
		hdr.Typeflag = tar.TypeChar
		if n.st.kind() == unix.S_IFBLK {
			hdr.Typeflag = tar.TypeBlock
		}
		hdr.Devmajor, hdr.Devminor = DeviceNumbers(n.st.rdev)
	case unix.S_IFIFO:
		hdr.Typeflag = tar.TypeFifo
	default:
		return nil, nil
	}
	xattrs, err := xattrsAt(n.dir, n.name, &n.st)
	if err != nil {
		return nil, vanished(err)
	}
	if len(xattrs) > 0 {
		hdr.PAXRecords = map[string]string{}
	}
	for key, v := range xattrs {
		hdr.PAXRecords[paxXattr+key] = v
	}
	if flags := formatFlags(n.st.flags); flags != "" {
		if hdr.PAXRecords == nil {
			hdr.PAXRecords = map[string]string{}
		}
		hdr.PAXRecords[paxFlags] = flags
	}
	return hdr, nil
}
