// Package rctl renders resource limits into rules of rctl(8), reads what a jail uses, and brings both to and from the kernel by
// its system calls. It needs kern.racct.enable=1; without that nothing is bound and nothing is counted.
package rctl
