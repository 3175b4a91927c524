package layer_test

import "testing"

func mountOverlay(*testing.T, string, string) bool { return false }
