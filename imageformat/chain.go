package imageformat

import "github.com/opencontainers/go-digest"

// ChainID names what layers make when they are applied one upon the other: OCI image-spec config.md, "Layer ChainID".
// parent is empty for the lowest layer.
func ChainID(parent, diffID digest.Digest) digest.Digest {
	if parent == "" {
		return diffID
	}
	return digest.FromString(string(parent) + " " + string(diffID))
}

// ChainIDs returns the chain id at every layer, bottom first; the last one names the whole root.
func ChainIDs(diffIDs []digest.Digest) []digest.Digest {
	chain := make([]digest.Digest, len(diffIDs))
	var parent digest.Digest
	for i, d := range diffIDs {
		parent = ChainID(parent, d)
		chain[i] = parent
	}
	return chain
}
