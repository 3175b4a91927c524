// Package volumes serves the operations below /volumes of the Docker API.
package volumes
