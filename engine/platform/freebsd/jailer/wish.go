package jailer

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/freebsd/devfs"
)

// wish is what is asked for beyond Docker's words.
type wish struct {
	engine.JailSpec
	rules []devfs.Rule
	made  []made // for Tunnels
}

// made is an interface that was made for a jail.
type made struct{ Env, Name string }

// environment tells the jail's programs of what was delegated to it and made for it.
func (w wish) environment() []string {
	var env []string
	for _, d := range w.Datasets {
		if d.Env != "" {
			env = append(env, d.Env+"="+d.Name)
		}
	}
	for _, m := range w.made {
		env = append(env, m.Env+"="+m.Name)
	}
	return env
}

// tunnelGroup marks the interfaces that are made for a jail, as long as no jail has them: moving to one takes an interface out of
// its groups. Names of groups have at most 15 characters and no digit at their end.
func tunnelGroup(id engine.ContainerID) string { return "x" + id.Short() + "t" }

// validTunnel is what ifconfig(8) answers to "create".
func validTunnel(name string, t engine.Tunnel) bool {
	kind := "tap"
	if t.Tun {
		kind = "tun"
	}
	number, ok := strings.CutPrefix(name, kind)
	return ok && number != "" && strings.Trim(number, "0123456789") == ""
}

// readWish collects every mistake.
func readWish(s engine.Spec) (w wish, errs []error) {
	w.JailSpec = s.Jail
	for _, text := range s.Jail.DevfsRules {
		rule, err := devfs.Parse(text)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		w.rules = append(w.rules, rule)
	}
	return w, errs
}

// fit tells what is wrong with a dataset that is to be delegated. have are its properties, nil when it is not there.
func fit(d engine.JailDataset, have map[string]string) (errs []error) {
	if have == nil {
		return []error{fmt.Errorf("dataset %s: it does not exist (zfs create %[1]s)", d.Name)}
	}
	if have["type"] != "filesystem" && have["type"] != "volume" {
		errs = append(errs, fmt.Errorf("dataset %s: it is a %s, not a file system", d.Name, have["type"]))
	}
	for _, name := range slices.Sorted(maps.Keys(d.Props)) {
		if want := d.Props[name]; have[name] != want {
			errs = append(errs, fmt.Errorf("dataset %s: the image needs %s=%s, it is %q (zfs set %[2]s=%[3]s %[1]s)", d.Name, name, want, have[name]))
		}
	}
	return errs
}

// parseProperties reads "zfs get -Hp -o property,value".
func parseProperties(out string) map[string]string {
	props := map[string]string{}
	for line := range strings.Lines(out) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\n"), "\t"); ok {
			props[name] = value
		}
	}
	return props
}

// overlap reports whether two datasets are the same or one is in the other.
func overlap(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}
