// Package build serves the operations of the Docker API that make images from recipes: the classic builder's, which is not
// there yet, and what clients of BuildKit ask for, who get an answer that tells them so.
package build
