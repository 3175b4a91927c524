package oci

import (
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/xcengine/xc/engine/internal/accounts"
)

func specUser(id accounts.Identity) specs.User {
	u := specs.User{UID: uint32(id.UID), GID: uint32(id.GID)}
	for _, g := range id.Groups {
		u.AdditionalGids = append(u.AdditionalGids, uint32(g))
	}
	return u
}
