// Package sysctl sets kernel variables of a jail's own. Which those are, the kernel says of each variable: one that root in a
// jail may set, or one that each network stack has for itself (sysctl(9), CTLFLAG_PRISON and CTLFLAG_VNET).
package sysctl
