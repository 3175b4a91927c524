// Package networktest is the conformance suite of a platform's network drivers, networks.Plumber and networks.Firewall. It
// lets real programs talk over what they make: between containers, with the host, and with a neighbour outside.
//
// The programs are the test binary run again, so a platform's test calls Main first of all:
//
//	func TestMain(m *testing.M) { networktest.Main(m) }
//	func TestPlumber(t *testing.T) { networktest.Plumber(t, machine, open) }
//	func TestFirewall(t *testing.T) { networktest.Firewall(t, machine, openPlumber, openFirewall) }
//
// Machine is what the platform lends for it: sandboxes, a neighbour, and a way to run a program in one of them. On Linux
// the whole test process has a network of its own, so nothing of the real host's is seen or touched.
package networktest
