// Package images serves the operations on images of the Docker API, commit and the look at a registry included.
//
// What takes long answers as a stream of JSON lines. An error before the first line is an answer with its own status; one
// after it is the stream's last line, as the status has been sent by then.
package images
