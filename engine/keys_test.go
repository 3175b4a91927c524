package engine

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestReadKeys(t *testing.T) {
	yes, no := true, false
	for name, tc := range map[string]struct {
		labels, annotations map[string]string
		want                Wishes
		errs                []string // a part of each
	}{
		"nothing":   {labels: map[string]string{"a": "b", "com.example.xc.vnet": "x"}},
		"one's own": {labels: map[string]string{"xc.project": "b", "xc.bench": ""}},
		"bare flag": {labels: map[string]string{"xc.tree": "", "xc.persist": "1", "xc.no-init": "false"}, want: Wishes{Tree: &yes, Persist: true}},
		"stack":     {labels: map[string]string{"xc.vnet": "inherit"}, want: Wishes{VNET: &no}},
		"stack as ocijail says it": {
			annotations: map[string]string{"org.freebsd.jail.vnet": "new", "org.freebsd.jail.allow.mlock": "true"},
			want:        Wishes{VNET: &yes, Params: map[string]string{"allow.mlock": "true"}},
		},
		"keys as annotations": {annotations: map[string]string{"xc.max-children": "5", "xc.dns": "host"}, want: Wishes{Params: map[string]string{"children.max": "5"}, DNS: DNSHost}},
		"said twice":          {labels: map[string]string{"xc.tree": "true"}, annotations: map[string]string{"xc.tree": "true"}, want: Wishes{Tree: &yes}},
		"ordered by number": {
			labels: map[string]string{"xc.extra-layer.10": "c", "xc.extra-layer": "a", "xc.extra-layer.2": "b"},
			want:   Wishes{ExtraLayers: []string{"a", "b", "c"}},
		},
		"datasets": {
			labels: map[string]string{"xc.dataset": "DATA:tank/db", "xc.dataset.2": "tank/a:b"},
			want:   Wishes{Datasets: []Dataset{{"DATA", "tank/db"}, {"", "tank/a:b"}}},
		},
		"devices": {
			labels: map[string]string{"xc.usdt": "", "xc.enable-pf": "no", "xc.devfs.a": "path bpf* unhide"},
			want:   Wishes{DevfsRules: []string{"path bpf* unhide", "path dtrace unhide", "path dtrace/helper unhide"}},
			errs:   []string{"xc.enable-pf=no: must be true or false"},
		},
		"tunnels": {
			labels: map[string]string{"xc.tap": "A", "xc.tap.2": "B", "xc.tun": "C", "xc.tun.2": "A", "xc.tun.3": "1"}, want: Wishes{Tunnels: []Tunnel{{"A", false}, {"B", false}, {"C", true}}},
			errs: []string{"xc.tun.2=A: another interface has this variable", "xc.tun.3=1: must be the name of a variable"},
		},
		"files": {
			labels: map[string]string{"xc.copy": `/etc/a\:b:/etc/c`, "xc.volume.data": "vol:ro", "xc.entrypoint": "shell", "xc.deinit-timeout": "90s"},
			want: Wishes{
				Copies: []FileCopy{{"/etc/a:b", "/etc/c"}}, Volumes: map[string]string{"data": "vol:ro"}, EntryPoint: "shell", DeinitTimeout: 90 * time.Second,
			},
		},
		"every mistake": {
			labels: map[string]string{
				"xc.vnte": "true", "xc.vnet": "maybe", "xc.dataset": "tank", "xc.dataset.2": "/tank/x", "xc.dataset.3": "1A:tank/x", "xc.copy": "a:/b",
				"xc.copy.2": "/a", "xc.copy.3": "/a:/b/", "xc.devfs.": "path x", "xc.devfs.b": " ", "xc.max-children": "-1", "xc.dns": "no", "xc.init-timeout": "5",
				"xc.entrypoint": "", "xc.volume.": "x", "xc.volume.a": ":ro", "xc.extra-layer": "", "xc.tree": "yes",
			},
			annotations: map[string]string{"xc.tree": "true"},
			errs: []string{
				"label xc.vnte: xc has no key of this name, is xc.vnet meant?", "annotation xc.tree=true: the label of this name says yes",
				"xc.copy=a:/b: must be FILE:PATH", "xc.copy.2=/a: must be FILE", "xc.copy.3=/a:/b/: must be FILE", `xc.dataset=tank: "tank" is not a dataset below a pool`,
				`"/tank/x" is not`, `"1A" is not the name of a variable`, "xc.devfs.=path x: it needs a name", "xc.devfs.b= : an empty rule",
				"xc.dns=no: must be image", "xc.entrypoint=: must not be empty", "xc.extra-layer=: must be", `xc.init-timeout=5: must be a time like "90s"`,
				"xc.max-children=-1: must be a number up to", "xc.tree=yes: must be true", "xc.vnet=maybe: must be true", "xc.volume.=x: must be", "xc.volume.a=:ro: must be",
			},
		},
		"the opposite elsewhere": {
			labels:      map[string]string{"xc.vnet": "true", "xc.jail.children.max": "3", "xc.max-children": "4"},
			annotations: map[string]string{"org.freebsd.jail.vnet": "inherit"},
			errs:        []string{"xc.max-children=4: another key says that children.max is 3", "xc.vnet=true: another key says the opposite"},
		},
		"a dataset in another": {
			labels: map[string]string{"xc.dataset": "tank/a", "xc.dataset.2": "tank/a/b", "xc.dataset.3": "tank/ab"}, errs: []string{"one is in the other"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, errs := ReadKeys(tc.labels, tc.annotations)
			for i, err := range errs {
				if i >= len(tc.errs) || !strings.Contains(err.Error(), tc.errs[i]) {
					t.Errorf("mistake %d: %v, want %q", i, err, tc.errs)
				}
			}
			if len(errs) < len(tc.errs) {
				t.Errorf("mistakes %v, want %q", errs, tc.errs)
			}
			if len(tc.errs) > 0 && tc.want.DevfsRules == nil && tc.want.Tunnels == nil {
				return
			}
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(Wishes{}, "Used")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWithAnnotations(t *testing.T) {
	labels := map[string]string{"a": "1", "xc.ip": "em0"}
	got := WithAnnotations(labels, map[string]string{"xc.ip": "em1", "xc.net-group": "n", "b": "2"})
	if diff := cmp.Diff(map[string]string{"a": "1", "xc.ip": "em0", "xc.net-group": "n"}, got); diff != "" || len(labels) != 2 {
		t.Error(diff, labels)
	}
	if got := WithAnnotations(nil, map[string]string{"xc.tree": ""}); len(got) != 1 {
		t.Error(got)
	}
}

func TestKeysTellWhatTheyNeed(t *testing.T) {
	for label, want := range map[string]bool{
		"xc.ip": true, "xc.ip.2": true, "xc.ipx": false, "xc.jail.allow.mlock": true, "xc.tree": false, "xc.entrypoint": false, "xc.copy.1": true, "a": false,
		"org.freebsd.jail.vnet": true,
	} {
		if got := NeedsPrivilege(label); got != want {
			t.Errorf("%s: %v", label, got)
		}
	}
}

// The page that users read has every key, where it belongs.
func TestKeysAreDocumented(t *testing.T) {
	b, err := os.ReadFile("../docs/labels.md")
	if err != nil {
		t.Fatal(err)
	}
	everywhere, freebsd, _ := strings.Cut(string(b), "\n## FreeBSD")
	rows := func(page string) []string {
		var all []string
		for line := range strings.Lines(page) {
			if strings.HasPrefix(line, "| `") {
				all = append(all, line)
			}
		}
		return all
	}
	for _, k := range Keys() {
		page := everywhere
		if k.Jails != "" {
			page = freebsd
		}
		i := slices.IndexFunc(rows(page), func(row string) bool {
			return strings.Contains(strings.SplitN(row, "|", 3)[1], "`"+k.Name+"`") || k.Family() && strings.Contains(row, "| `"+k.Name)
		})
		if i < 0 {
			t.Errorf("%s has no row where it belongs", k.Name)
			continue
		}
		row := rows(page)[i]
		if k.Many != strings.Contains(row, "(many)") {
			t.Errorf("%s: many %v, %s", k.Name, k.Many, row)
		}
		// What a right is not needed for may stand behind a comma.
		if k.Needs != PrivilegeNone && !strings.Contains(row, "| "+string(k.Needs)+" |") && !strings.Contains(row, "| "+string(k.Needs)+", ") {
			t.Errorf("%s needs %s: %s", k.Name, k.Needs, row)
		}
	}
}
