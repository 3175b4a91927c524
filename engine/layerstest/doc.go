// Package layerstest holds every storage driver to one suite: the store that stands upon the driver must behave the same
// whatever keeps the files. It runs on the real thing, as root, in storage that the driver's own test makes and removes.
package layerstest
