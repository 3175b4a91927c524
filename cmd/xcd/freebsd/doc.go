// Package freebsd is what makes xcd a service of FreeBSD: the port (port/), with its rc.d script and configuration sample, and
// the program that makes a package of it on any system (mkpkg/).
//
// It stands beside the daemon, and not in docs/, because it is the daemon's own part and changes with its flags and keys; the
// tests here hold the script, the packing list and the sample to what the daemon takes and what the build makes.
//
// # What is decided
//
// xcd is supervised by daemon(8), which starts it again and gives its log to syslog. SIGTERM ends both and leaves containers
// running. At a shutdown of the host rc.shutdown(8) calls the script with faststop like any other; that rc_shutdown is set tells
// the script that it is one, and "xcd shutdown" then stops the containers in order, before the network, pf and the pools go.
// What still runs after that gets init(8)'s SIGTERM, which a shim passes on.
//
// There is no reload: nothing of the configuration is worth a second way of being read, when a restart disturbs nobody.
//
// The sample has the keys and values of the guide. It is not installed as xc.conf: it names a pool and an interface that
// a host need not have; "xc setup" writes one that fits.
package freebsd
