package translate

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/docker/docker/api/types/registry"

	"github.com/xcengine/xc/engine"
)

// Credentials reads the header X-Registry-Auth: JSON in base64 of either alphabet, with padding or without. What cannot be
// read counts as none, as with dockerd.
func Credentials(header string) engine.Credentials {
	plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(strings.TrimSpace(header), "="))
	b, err := base64.RawStdEncoding.DecodeString(plain)
	if err != nil {
		return engine.Credentials{}
	}
	var auth registry.AuthConfig
	if err := json.Unmarshal(b, &auth); err != nil {
		return engine.Credentials{}
	}
	return AuthConfig(auth)
}

// AuthConfig reads credentials as the client keeps them: name and password may also stand joined in one field.
func AuthConfig(a registry.AuthConfig) engine.Credentials {
	c := engine.Credentials{
		Username: a.Username, Password: a.Password, IdentityToken: a.IdentityToken, RegistryToken: a.RegistryToken, ServerAddress: a.ServerAddress,
	}
	if a.Username == "" && a.Auth != "" {
		if pair, err := base64.StdEncoding.DecodeString(a.Auth); err == nil {
			c.Username, c.Password, _ = strings.Cut(strings.TrimRight(string(pair), "\x00"), ":")
		}
	}
	return c
}

// LoggedIn answers a login that was accepted.
func LoggedIn(token string) registry.AuthenticateOKBody {
	return registry.AuthenticateOKBody{Status: "Login Succeeded", IdentityToken: token}
}
