// Package volmount mounts what the options of a volume name, with mount(2) alone: no program of the host is called, so a
// file system whose options need one (NFS without addr=, FUSE) is refused by the kernel.
package volmount
