// Package nativeapi is the API of the xc command: what Docker's has no word for. HTTP with JSON on a unix socket, all paths below
// /v1/. Errors are {"kind", "reason", "message"} with the kinds of package engine.
//
// The socket knows its peer's uid from the kernel. Root may do everything; everybody else is refused: the default is to deny.
package nativeapi
