// Package volmount mounts what the options of a volume name. Docker's users write them as on Linux: type=none with o=bind
// becomes nullfs(5), type=nfs goes to mount_nfs(8), everything else to nmount(2) under its own name. Options that only Linux
// knows and that ask for nothing here are dropped.
package volmount
