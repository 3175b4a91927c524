// Package pf keeps the packet filter's part of networks: it fills the anchors "xc-rdr" (published ports), "xc-nat" (outbound
// translation) and "xc" (networks kept apart), and the tables "xc:network:<name>", and nothing else. The administrator's
// pf.conf says where they take effect; it is never read for editing and never written. The minimum is
//
//	nat-anchor "xc-nat"
//	rdr-anchor "xc-rdr"
//	anchor "xc"
//
// of which only the second is the guide's: without the first he translates himself, by the tables, without the last networks
// reach each other as his own rules allow. Warnings says what is missing and what that means.
//
// An anchor is rendered whole from the wanted state and loaded in one transaction (pfctl -a NAME -f -), so loading it again is
// harmless. The grammar is the one that FreeBSD 13, 14 and 15 all parse: translation rules of their own. Every value in a
// rule is typed; a name that pf could take for syntax is refused.
package pf
