// Package layer turns layers into files and files into layers: it detects and undoes compression, applies the tar of a
// layer to a directory, lists what changed between two trees, and writes that as the tar of a new layer.
package layer
