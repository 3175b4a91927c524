package linuxulator

import "testing"

func TestCheck(t *testing.T) {
	loaded := ParseModules("Id Refs Address                Size Name\n 1   40 0xffffffff80200000  1f3e2d0 kernel\n 5    1 0xffffffff82e1f000    1e0d8 linux64.ko\n" +
		" 6    1 0xffffffff82e4f000     a0d8 linprocfs.ko\n 7    1 0xffffffff82e5f000     20d8 linsysfs.ko\n 8    1 0xffffffff82e6f000     20d8 fdescfs.ko\n")
	if found := Check(State{Modules: loaded, Fallback: 3}); len(found) != 0 {
		t.Errorf("found %+v", found)
	}
	delete(loaded, "linsysfs")
	found := Check(State{Modules: loaded, Fallback: -1})
	if len(found) != 2 || found[0].Mend != "kldload -n linsysfs; sysrc kld_list+=linsysfs" {
		t.Errorf("found %+v", found)
	}
	for _, f := range found {
		if f.What == "" || f.Breaks == "" || f.Mend == "" {
			t.Errorf("a finding without its remedy: %+v", f)
		}
	}
}
