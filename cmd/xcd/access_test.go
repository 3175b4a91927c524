package main

import (
	"os/user"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine/daemon"
	"github.com/xcengine/xc/engine/nativeapi"
)

func TestAccessPolicy(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Skip(err)
	}
	uid, err := strconv.Atoi(me.Uid)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := accessPolicy([]daemon.AccessRule{
		{Users: []string{me.Username}, Rights: []string{"ports"}, Volumes: []string{"a*"}},
		{Groups: []string{me.Gid}, Rights: []string{"images"}, Networks: []string{"n"}},
		{Users: []string{"4242"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r, ok := policy(uid)
	if !ok || !slices.Equal(r.Grants, []nativeapi.Grant{"ports", "images"}) || !slices.Equal(r.Volumes, []string{"a*"}) || !slices.Equal(r.Networks, []string{"n"}) {
		t.Errorf("%+v, %v", r, ok)
	}
	if r, ok := policy(4242); !ok || len(r.Grants) > 0 {
		t.Errorf("%+v, %v", r, ok)
	}
	if _, ok := policy(4243); ok {
		t.Error("somebody whom no rule names has rights")
	}
	for want, rule := range map[string]daemon.AccessRule{
		"neither users nor groups": {Rights: []string{"ports"}},
		`no right "everything"`:    {Users: []string{"1"}, Rights: []string{"everything"}},
		"no-such-user":             {Users: []string{"no-such-user"}},
		"no-such-group":            {Groups: []string{"no-such-group"}},
		"syntax error in pattern":  {Users: []string{"1"}, Volumes: []string{"["}},
	} {
		if _, err := accessPolicy([]daemon.AccessRule{rule}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
