// Package nft is the packet filter of Linux: one table of nftables (family inet), named by the daemon's owner, and few
// marked rules outside of it.
//
// The chains never change: what differs from host to host and from moment to moment (bridges, subnets, published ports)
// stands in sets and maps that the rules look things up in. So a packet's way is as long with a thousand ports as with one,
// and publishing one more port is one element more. Render makes sets and elements of engine.FirewallRules; it and the
// chains are plain values that print as nft(8) prints them. The tagged files put them into the kernel, in one batch, which
// the kernel takes whole or not at all.
//
// An accept in our chains cannot overrule a drop in somebody else's. Where a chain of others drops what it does not know, by
// its policy or by its last rule, as ufw, dockerd and firewalld make them, it gets rules of ours just before that point,
// known by their comment: what is from or to our bridges passes, and is judged by our own chains. So everything that an
// administrator drops by a rule of his own stays dropped. What cannot be changed, as the tables of the older iptables, is told
// (Warnings). Watch restates what others take away.
package nft
