// Package rctl renders resource limits into rctl(8)'s rules and reads its usage. It needs kern.racct.enable=1.
package rctl
