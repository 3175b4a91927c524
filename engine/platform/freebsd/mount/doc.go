// Package mount makes and unmakes the mounts of a container's root by nmount(2) and unmount(2), from the host: nothing in a jail
// may mount. What is to be mounted is planned by a plain function; each mount is written to the container's directory before
// it is made, so that a daemon that was killed finds what to undo, in reverse.
package mount
