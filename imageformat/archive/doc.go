// Package archive reads and writes whole images in one tar: what docker save and load, podman, skopeo and buildx exchange.
// Two layouts exist and a tar may hold both at once, as that of dockerd 28 does:
//
//	docker-archive   manifest.json names config and layer files (moby: image/tarexport)
//	OCI layout       index.json names manifests, all of them below blobs/ (image-spec image-layout.md)
//
// Reading goes through the tar once and spools every file below a directory of the caller's, hashing on the way, because
// manifest.json usually comes last. Names in the tar are only keys: no path of the tar reaches the file system. Where both
// layouts are present manifest.json says which images there are, as it does for dockerd, and the OCI manifests are found
// for them.
//
// Writing makes both layouts, deterministic: times are zero, files are sorted as dockerd's are. Layers go as the caller has
// them, compressed or not; every reader detects that.
package archive
