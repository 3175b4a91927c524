// Package containers serves the operations below /containers of the Docker API, but for those on execs.
package containers
