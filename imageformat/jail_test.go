package imageformat

import (
	"strings"
	"testing"
)

func TestSetAllow(t *testing.T) {
	given := []string{"mount", "mlock"}
	j := JailConfig{Allow: given}
	j.SetAllow([]string{"allow.raw_sockets", "-mount", "mlock", "-nosuch"})
	if got := strings.Join(j.Allow, " "); got != "raw_sockets mlock" {
		t.Errorf("allow %q", got)
	}
	if strings.Join(given, " ") != "mount mlock" {
		t.Errorf("the list that was given became %q", given)
	}
}

func TestSetSysV(t *testing.T) {
	j := JailConfig{SysVMsg: SysVInherit}
	for word, want := range map[string]string{"shm": "shm", "-sem": "sem"} {
		if kind, ok := j.SetSysV(word); !ok || kind != want {
			t.Errorf("%s: %q %v", word, kind, ok)
		}
	}
	if j.SysVShm != SysVNew || j.SysVSem != SysVDisable || j.SysVMsg != SysVInherit {
		t.Errorf("shm %s, sem %s, msg %s", j.SysVShm, j.SysVSem, j.SysVMsg)
	}
	if kind, ok := j.SetSysV("-pipes"); ok || kind != "pipes" {
		t.Errorf("%q %v", kind, ok)
	}
}
