// Package networks is the service behind Docker's networks: their records, addresses, published ports and names, and the
// convergence of what the kernel holds to them.
package networks
