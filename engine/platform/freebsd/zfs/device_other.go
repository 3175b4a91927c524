//go:build !freebsd

package zfs

// device is FreeBSD's alone: zfs-fuse has none.
type device struct{}

func openDevice() *device { return nil }

func (*device) clone(string, string, []string) bool { return false }

func (*device) destroy(string) bool { return false }
