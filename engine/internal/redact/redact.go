// Package redact takes secrets out of what is shown.
package redact

import (
	"net/url"
	"strings"
)

// Address is an address of the web without the name and the password that may be in it: a name alone may be a token. One that
// cannot be read may have anything in its password.
func Address(address string) string {
	scheme, rest, _ := strings.Cut(address, "://")
	if scheme != "http" && scheme != "https" {
		return address
	}
	end := len(rest)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		if _, err := url.Parse(address); err == nil {
			end = i
		}
	}
	if i := strings.LastIndex(rest[:end], "@"); i >= 0 {
		return scheme + "://xxxxx" + rest[i:]
	}
	return address
}
