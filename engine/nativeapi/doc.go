// Package nativeapi is the API of the xc command: HTTP with JSON on a unix socket. It has what Docker's API has a word for, and
// what it has none for. All paths are below /v1/; wire holds the bodies, client the other end; routes.go
// lists them.
//
// A request passes: Serve notes the peer's uid ─▶ wrap asks what the route needs of it (access.go) ─▶ handler: wire → engine's words
// ─▶ one engine call ─▶ wire. A handler returns its error; what was not begun is answered by a status and wire.Error.
//
// Answers that go on are lines of wire.Line, each a value or the error that ends them. Attach and exec take the connection over
// (Upgrade: xc-stream) and move frames in both directions; logs are such frames in an ordinary answer.
package nativeapi
