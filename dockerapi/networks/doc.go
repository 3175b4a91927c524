// Package networks serves the operations below /networks of the Docker API.
package networks
