package imageformat

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCommand(t *testing.T) {
	j := JailConfig{Envs: map[string]EnvSpec{
		"PORT": {DefaultValue: text("80")}, "TOKEN": {Required: true, Description: "the password"}, "GIVEN": {Required: true},
		"PATH": {DefaultValue: text("/bin")},
	}}
	server := Exec{
		Exec: "/server", Args: []string{"--port=${PORT}", "$$x", "${NAME:-none}"}, DefaultArgs: []string{"--host", "$HOST"},
		Environ: map[string]string{"HOST": "h$PORT", "URL": "http://$HOST", "PATH": "/opt:$PATH"}, WorkDir: "/srv", User: "www", Group: "wheel",
	}
	for name, tc := range map[string]struct {
		exec Exec
		env  []string
		want Command
		errs []string
	}{
		"defaults": {server, nil, Command{
			Args: []string{"/server", "--port=80", "$x", "none"}, Rest: []string{"--host", "h80"}, WorkDir: "/srv", User: "www:wheel",
			Env: []string{"HOST=h80", "PATH=/opt:/bin", "PORT=80", "URL=http://h80"},
		}, nil},
		"the user's values win, also over the program's own": {server, []string{"PORT=1", "PORT=81", "HOST=other", "PATH=/mine", "NAME="}, Command{
			Args: []string{"/server", "--port=81", "$x", "none"}, Rest: []string{"--host", "other"}, WorkDir: "/srv", User: "www:wheel",
			Env: []string{"HOST=other", "NAME=", "PATH=/mine", "PORT=81", "URL=http://other"},
		}, nil},
		"a default taken away": {
			Exec{Exec: "x", Args: []string{"$PORT", "${PORT:?which port}", "${PORT"}},
			[]string{"PORT"},
			Command{Args: []string{"x", "$PORT", "${PORT:?which port}", "${PORT"}, Env: []string{"PATH=/bin"}},
			[]string{`argument "$PORT": variable PORT is not set`, "PORT: which port", `argument "${PORT"`},
		},
		"cleared":                {Exec{Exec: "x", ClearEnv: true, Environ: map[string]string{"A": "$PORT"}}, []string{"B=b"}, Command{Args: []string{"x"}, Env: []string{"A=80", "B=b"}}, nil},
		"what it needs":          {Exec{Exec: "x", Args: []string{"$KEY"}, RequiredEnvs: []string{"KEY", "TOKEN"}}, []string{"A=b"}, Command{Args: []string{"x", "$KEY"}, Env: []string{"A=b", "PATH=/bin", "PORT=80"}}, []string{"variable KEY: give it with --env KEY=VALUE"}},
		"no program":             {Exec{}, []string{"PORT", "PATH"}, Command{Args: []string{""}}, []string{"names no program"}},
		"a required one, in use": {Exec{Exec: "x", Args: []string{"$TOKEN"}}, []string{"PORT", "PATH"}, Command{Args: []string{"x", "$TOKEN"}}, nil},
	} {
		got, err := j.Command(tc.exec, j.Environment(tc.env))
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		var lines []string
		if err != nil {
			lines = strings.Split(err.Error(), "\n")
		}
		if len(lines) != len(tc.errs) {
			t.Errorf("%s: %q, want %q", name, lines, tc.errs)
			continue
		}
		for i, want := range tc.errs {
			if !strings.Contains(lines[i], want) {
				t.Errorf("%s: %q, want %q", name, lines[i], want)
			}
		}
	}
	var lines []string
	for _, err := range j.Missing(j.Environment([]string{"A=b"}), []string{"GIVEN=by the image"}) {
		lines = append(lines, err.Error())
	}
	if diff := cmp.Diff([]string{"the image needs the environment variable TOKEN, the password: give it with --env TOKEN=VALUE"}, lines); diff != "" {
		t.Error(diff)
	}
	if got, err := j.Environment([]string{"N=7"}).Expand("path tap$N unhide"); err != nil || got != "path tap7 unhide" {
		t.Errorf("%q %v", got, err)
	}
}
