// Package syslog sends a container's lines as syslog messages. It runs in the shim, beside jsonfile, which keeps what docker
// logs reads.
//
// Messages are those of dockerd's syslog driver (moby daemon/logger/syslog, which formats them with RackSec/srslog), so that
// rules which administrators made for them match: severity info for standard output and err for standard error, empty lines
// left out, lines longer than 16 KiB in parts, each message ended by a line feed whatever the transport.
//
// Over a stream or a local socket a message waits until the receiver takes it, writeTime at most; one that cannot be sent is
// lost, and for a while after a failure so are those that follow, rather than holding the container up at each line. With a
// Buffer (Docker's mode=non-blocking) the container never waits, and what finds the buffer full is lost.
package syslog
