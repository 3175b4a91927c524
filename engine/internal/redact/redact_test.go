package redact

import "testing"

func TestAddressesAreShownWithoutSecrets(t *testing.T) {
	for address, want := range map[string]string{
		"https://host/x@1.git": "https://host/x@1.git", "https://token@host/x.git": "https://xxxxx@host/x.git", "http://u:p@host": "http://xxxxx@host",
		"https://u:a/b%zz@host/x": "https://xxxxx@host/x", "https://u:p@host?a@b": "https://xxxxx@host?a@b", "git@host:x": "git@host:x", "ssh://git@host/x": "ssh://git@host/x",
	} {
		if got := Address(address); got != want {
			t.Errorf("%s is shown as %s, want %s", address, got, want)
		}
	}
}
