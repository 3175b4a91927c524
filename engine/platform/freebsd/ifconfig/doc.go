// Package ifconfig gives jails their network: networks.Plumber with bridges, epairs and alias addresses, by the system calls that
// ifconfig(8) and route(8) make.
//
// Everything that is made carries a description with its owner's mark ("xc:<owner>:<network>" for a bridge,
// "xc:<owner>:<container>:<network>:<interface inside>" for the host's end of an epair; ids by their first 12 digits, but a bridge's whole) and is in
// the group "xc", so that it is found without any record. Alias addresses cannot be marked: what a jail that shares the host's
// stack has is noted in <state>/aliases/<id12>.json before it is made.
//
// A stack is a set of sockets: a socket belongs for good to the network stack it was opened in, whoever uses it. So a jail's
// stack is worked on through sockets that a helper, this program run again, opened in the jail and handed over. No program
// inside the root is needed, nor an ifconfig that knows -j, which FreeBSD 13.2 lacks. The sockets are closed at once: they
// would keep a removed jail from going.
package ifconfig
