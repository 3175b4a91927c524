// Package build serves the operations of the Docker API that make images from recipes: the classic builder's, and what
// clients of BuildKit ask for, who are told how to do without.
package build
