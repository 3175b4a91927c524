// Package exec serves the operations on execs: further processes in running containers.
package exec
