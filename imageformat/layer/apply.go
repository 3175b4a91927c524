package layer

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/imageformat"
)

// ApplyOptions says how a layer is applied.
type ApplyOptions struct {
	// Overlay keeps deletions as overlayfs' own marks, for a directory that becomes a layer of an overlay mount: a character
	// device 0/0 for a whiteout, trusted.overlay.opaque for an opaque directory. Without it, the directory holds what the
	// layer is applied upon, and deletions are done.
	Overlay bool
	// DiffID is the digest that the tar must have; empty takes any.
	DiffID digest.Digest
	// MaxBytes bounds the stream and the sum of the files in it, each; MaxEntries what it makes. 0 is without bound.
	MaxBytes   int64
	MaxEntries int
}

// Applied says what a layer was.
type Applied struct {
	DiffID digest.Digest
	// Size is the sum of the files' sizes in bytes, each hard-linked file once, links by the length of their targets.
	Size    int64
	Entries int
	// Implied are directories that the layer has something in but says nothing of, "." for the root, sorted. Only with
	// Overlay: there, whoever joins the layer with its parent must give them the attributes they have in it.
	Implied []string
	// Unlinked are hard links to files that are not in the layer itself. Only with Overlay.
	Unlinked []Link
	// LostXattrs counts extended attributes that the file system cannot keep.
	LostXattrs int
}

// Link is a hard link, both names below the root.
type Link struct{ Name, Target string }

// Apply applies a layer's tar to the directory root, as the OCI image specification 1.1 says ("Applying Changesets"), and
// reads r to its end. Where layer and directory are at odds the layer wins: a directory replaces a file and a file a whole
// directory. Nothing outside of root is read or touched, whatever the tar says. Nothing else may change root meanwhile.
// After an error root is left as far as it came. r must end when ctx does.
func Apply(ctx context.Context, root string, r io.Reader, opts ApplyOptions) (Applied, error) {
	algorithm := digest.Canonical
	if opts.DiffID != "" {
		if _, err := imageformat.ParseDigest(string(opts.DiffID)); err != nil {
			return Applied{}, err
		}
		algorithm = opts.DiffID.Algorithm()
	}
	a, err := newApplier(root, opts)
	if err != nil {
		return Applied{}, err
	}
	stream := readAhead(ctx, r, algorithm, opts.MaxBytes)
	defer stream.close()
	err = a.run(ctx, stream)
	if closeErr := a.close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return Applied{}, err
	}
	diffID, err := stream.drain(algorithm)
	if err != nil {
		return Applied{}, err
	}
	if opts.DiffID != "" && diffID != opts.DiffID {
		return Applied{}, &DigestError{Want: opts.DiffID, Got: diffID}
	}
	a.applied.DiffID = diffID
	return a.applied, nil
}

// applier is one run of Apply. Its own goroutine reads the tar and makes everything but small regular files, which go to
// the writers; barrier waits for those.
type applier struct {
	opts    ApplyOptions
	applied Applied
	euid    uint32
	egid    uint32

	tree    tree
	writers *writers
	buf     []byte

	made    map[uint64]struct{} // names that this layer made or described; only without Overlay
	implied map[string]struct{}
	// left are settings that must come after everything else below them: times of directories, file flags.
	dirTimes map[string]fileTimes
	flags    map[string]uint32
}

func newApplier(root string, opts ApplyOptions) (*applier, error) {
	a := &applier{
		opts: opts, euid: uint32(unix.Geteuid()), egid: uint32(unix.Getegid()),
		made: map[uint64]struct{}{}, implied: map[string]struct{}{}, dirTimes: map[string]fileTimes{}, flags: map[string]uint32{},
		buf: make([]byte, 1<<20),
	}
	if err := a.tree.start(root, a); err != nil {
		return nil, err
	}
	if opts.Overlay {
		a.implied["."] = struct{}{}
	}
	a.writers = startWriters(a)
	return a, nil
}

func (a *applier) close() error {
	err := a.writers.stop()
	a.tree.close()
	return err
}

func (a *applier) run(ctx context.Context, r io.Reader) error {
	tr := tar.NewReader(r)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		hdr, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return readError(err)
		}
		if err := a.count(hdr); err != nil {
			return err
		}
		if err := a.tree.reap(); err != nil {
			return err
		}
		if err := a.entry(hdr, tr); err != nil {
			return fmt.Errorf("layer entry %q: %w", hdr.Name, err)
		}
	}
	return a.finish()
}

// readError tells a tar that is wrong in itself from a stream that failed.
func readError(err error) error {
	if errors.Is(err, tar.ErrHeader) || errors.Is(err, tar.ErrFieldTooLong) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &imageformat.Error{Doc: "layer", Err: err}
	}
	return err
}

func (a *applier) count(hdr *tar.Header) error {
	switch hdr.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		a.applied.Size += hdr.Size
	case tar.TypeSymlink:
		a.applied.Size += int64(len(hdr.Linkname))
	}
	a.applied.Entries++
	if m := a.opts.MaxBytes; m > 0 && a.applied.Size > m {
		return fmt.Errorf("%w: its files have more than %d bytes", ErrTooLarge, m)
	}
	if m := a.opts.MaxEntries; m > 0 && a.applied.Entries > m {
		return fmt.Errorf("%w: it has more than %d entries", ErrTooLarge, m)
	}
	return nil
}

// entry applies one entry of the tar.
func (a *applier) entry(hdr *tar.Header, content io.Reader) error {
	if hdr.Typeflag == tar.TypeXGlobalHeader {
		return nil // its name is no file's
	}
	name := cleanName(hdr.Name)
	if name == "." {
		if hdr.Typeflag == tar.TypeDir {
			return a.rootEntry(hdr)
		}
		return &imageformat.Error{Doc: "layer", Detail: "the root is no directory"}
	}
	parent, base := path.Split(name)
	parent = cleanName(parent)
	if strings.HasPrefix(base, whiteoutPrefix) {
		return a.whiteout(parent, base)
	}
	dir, err := a.tree.dir(parent, true)
	if err != nil {
		return err
	}
	full := join(dir.path, base)
	if err := a.settle(full, hdr.Typeflag == tar.TypeDir); err != nil {
		return err
	}
	if err := a.create(dir, base, full, hdr, content); err != nil {
		return err
	}
	a.note(full)
	a.noteParents(dir.path)
	return nil
}

// cleanName makes a name relative to the root; ".." ends there. "." is the root itself.
func cleanName(name string) string {
	name = path.Clean("/" + name)[1:]
	if name == "" {
		return "."
	}
	return name
}

func join(dir, base string) string {
	if dir == "." {
		return base
	}
	return dir + "/" + base
}

// settle makes sure that nothing is pending or cached that an entry at full would invalidate.
func (a *applier) settle(full string, isDir bool) error {
	link, open := a.tree.uses(full)
	if a.writers.pending(full) || link || open && !isDir {
		if err := a.barrier(); err != nil {
			return err
		}
	}
	if link {
		a.tree.flush()
	}
	return nil
}

// barrier waits until all writers are done and makes up for what they left undone. They leave a file that a directory
// stands in the place of: removing that would pull the ground from under the others.
func (a *applier) barrier() error {
	undone, err := a.writers.wait()
	if err != nil {
		return err
	}
	for _, f := range undone {
		if err := a.removed(f.dir, f.name, f.path); err != nil {
			return err
		}
		if err := a.writeFile(f); err != nil {
			return err
		}
		a.setFlagsLate(f.path, f.meta.flags)
	}
	return nil
}

// removed removes whatever is at a name, with everything that is remembered of it.
func (a *applier) removed(dir *dir, base, full string) error {
	if err := removeAt(dir.fd, base); err != nil {
		return at("remove", full, err)
	}
	a.tree.forget(full)
	below := full + "/"
	gone := func(p string) bool { return p == full || strings.HasPrefix(p, below) }
	maps.DeleteFunc(a.dirTimes, func(p string, _ fileTimes) bool { return gone(p) })
	maps.DeleteFunc(a.flags, func(p string, _ uint32) bool { return gone(p) })
	maps.DeleteFunc(a.implied, func(p string, _ struct{}) bool { return gone(p) })
	return nil
}

// finish sets what had to wait: times of directories, which change when something is made in them, then file flags, which
// may forbid every change.
func (a *applier) finish() error {
	if err := a.barrier(); err != nil {
		return err
	}
	for _, p := range slices.Sorted(maps.Keys(a.dirTimes)) {
		set := func(dir int, base string) error { return setTimes(dir, base, a.dirTimes[p]) }
		if err := a.late(p, "utimensat", set); err != nil {
			return err
		}
	}
	for _, p := range slices.Sorted(maps.Keys(a.flags)) {
		set := func(dir int, base string) error { return setFlags(dir, base, a.flags[p]) }
		if err := a.late(p, "chflags", set); err != nil {
			return err
		}
	}
	a.applied.LostXattrs += int(a.writers.lostXattrs.Load())
	if a.opts.Overlay && len(a.implied) > 0 {
		a.applied.Implied = slices.Sorted(maps.Keys(a.implied))
	}
	return nil
}

func (a *applier) late(p, op string, set func(dir int, base string) error) error {
	if err := a.tree.reap(); err != nil {
		return err
	}
	d, base, err := a.tree.existing(p)
	if err != nil {
		return err
	}
	return at(op, p, set(d.fd, base))
}

// setFlagsLate notes the flags that a file has at the end.
func (a *applier) setFlagsLate(full string, flags uint32) {
	if flags != 0 {
		a.flags[full] = flags
	} else {
		delete(a.flags, full)
	}
}
