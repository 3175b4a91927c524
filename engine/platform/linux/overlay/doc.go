// Package overlay is the storage driver for Linux: layers are directories with overlayfs' marks, extracted independently of
// each other, and a root is an overlay mount of a container's own directory upon them. It implements layers.Driver.
//
// Below its directory:
//
//	layers/<algorithm>-<digest>/    one layer
//	roots/<id>/upper work merged    what a container changed, overlayfs' scratch, the mount point
//	stage/…                         layers that are being extracted, the trial mount
//
// # What is decided
//
// The kernel is asked whether a root is mounted (a mount point's device differs from its parent's), never a counter: mounts
// outlive the daemon.
//
// Mounts have index=off, metacopy=off and redirect_dir=off, whatever the module's defaults are: an upper directory then
// holds whole files and nothing but the two marks that a layer can say (a character device 0/0, trusted.overlay.opaque).
//
// The classic mount(2) takes one page of options. A root whose layers' paths do not fit is mounted through fsconfig(2), which
// takes them one by one (Linux 6.7), or else by descriptors' names in /proc, which are short. overlayfs stacks at most 500.
//
// Open mounts once for trial. A state directory that is on overlayfs itself, as in a container, cannot hold uppers; the
// error says so, and the copy driver serves there.
package overlay
