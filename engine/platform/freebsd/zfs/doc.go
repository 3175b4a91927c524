// Package zfs is the storage driver for ZFS: a dataset for each chain of layers, with the snapshot @0 once it is whole, and
// a clone of that for each root. It implements layers.Driver, on FreeBSD and on Linux.
//
//	<images>/<owner>/l-<algorithm>-<digest>[@0]    a chain; a clone of its parent's @0
//	<containers>/<owner>/r-<id>                    a root; a clone of its chain's @0
//
// # What is decided
//
// <owner> is a dataset of this daemon's own, made below what the administrator named: its mountpoint=legacy, canmount=noauto,
// atime=off and xc:owner are inherited, and nothing outside of it is ever changed, so daemons share a pool. Roots are mounted
// by nmount(2) or mount(2) below the state directory: ZFS itself mounts nothing of ours, at boot or otherwise.
//
// On FreeBSD a root is cloned and destroyed by the calls upon /dev/zfs that libzfs_core makes, which its authors keep as they are:
// zfs(8) takes longer to be loaded than either takes. Whatever such a call refuses is asked of zfs(8), whose words say why.
//
// No request lists datasets: what exists is known from the records, and looked up once at start. Making a root is one
// `zfs clone`, removing it one `zfs destroy`; what was half made is found by its name being taken. Differences are found by
// walking both trees: in a clone, what has its origin's inode and change time was not touched (`zfs diff` loses hard links).
// Nothing is promoted.
//
// Of github.com/mistifyio/go-zfs/v3, the package chosen for ZFS, nothing is left in use: each of its calls that makes
// something lists it with a dozen properties afterwards (485 ms where the bare clone takes 176 on the machine it was measured
// on), none takes a context, and its errors have to be read from their text all the same. The few commands that are needed
// go through engine/internal/runner.
package zfs
