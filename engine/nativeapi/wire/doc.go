// Package wire holds what travels over xc.sock: JSON bodies of the native API, and nothing that does anything. Times are RFC 3339
// with nanoseconds, sizes are bytes, addresses and prefixes are text as net/netip writes them. Members that are empty are left
// out, except in lists' rows where clients look for them.
package wire
