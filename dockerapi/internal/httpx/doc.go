// Package httpx is the mechanism that all groups of the Docker API share: what a handler is, how it reads a request and how
// it answers.
//
// A handler returns an error as long as it has written nothing; the server then writes it by WriteError. What it has begun to
// write it ends itself.
package httpx
