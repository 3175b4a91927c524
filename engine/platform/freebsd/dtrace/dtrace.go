// Package dtrace renders calls of dwatch(1) for a container's jail.
package dtrace

import "strconv"

// Dwatch gives the command that traces a jail: dwatch -j JID with the user's arguments, or system calls when there are
// none.
func Dwatch(jid int, args []string) []string {
	if len(args) == 0 {
		args = []string{"-F", "syscall"}
	}
	return append([]string{"/usr/sbin/dwatch", "-j", strconv.Itoa(jid)}, args...)
}
