package doctor

import (
	"fmt"
	"slices"
)

// Free space below which images hardly fit, and below which the daemon's own records do not.
const (
	littleSpace = 2 << 30
	noSpace     = 128 << 20
)

func privilege(f Facts, _ Options) []Finding {
	return one(!f.Root, Finding{
		ID: "root", Severity: Hint, What: "this is not root", Breaks: "some of what follows cannot be seen, and nothing can be mended",
		Mend: []string{"su -m root -c 'xc doctor'"},
	}, "this is root")
}

func configuration(f Facts, _ Options) []Finding {
	c := f.Config
	if !c.File.Exists {
		return []Finding{ok("config", "no "+c.File.Path+": the defaults hold")}
	}
	return one(c.Problem != "", Finding{
		ID: "config", Severity: Broken, What: c.File.Path + ": " + c.Problem, Breaks: "xcd does not start",
		Mend: []string{"$EDITOR " + c.File.Path},
	}, c.File.Path+" can be read")
}

func space(f Facts, _ Options) []Finding {
	d := f.State
	if d.Total == 0 {
		return nil
	}
	finding := Finding{
		ID: "space", Severity: Limited, What: fmt.Sprintf("%s of %s are free for %s", size(d.Free), size(d.Total), d.Path),
		Breaks: "there is hardly room for images and logs", Mend: []string{"docker system prune"},
	}
	if d.Free < noSpace {
		finding.Severity, finding.Breaks = Broken, "records cannot be written, so nothing is made or started"
	}
	return one(d.Free < littleSpace, finding, finding.What)
}

// size is a number of bytes for reading.
func size(n uint64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	v, u := float64(n), 0
	for v >= 1024 && u < len(units)-1 {
		v, u = v/1024, u+1
	}
	if u == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[u])
}

// dockerGroup looks at who may use the Docker socket. Nobody is put in the group unasked: its members are as good as root.
func dockerGroup(f Facts, o Options) []Finding {
	g := f.Users
	name := firstOf(g.Name, defaultGroup)
	add, join := groupCommands(f, name)
	if !g.Exists {
		steps := []Step{add}
		for _, u := range o.Users {
			steps = append(steps, join(u))
		}
		return []Finding{{
			ID: "docker.group", Severity: Limited, What: "there is no group " + name, Breaks: "root alone can use " + f.Docker.Path, Steps: steps,
		}}
	}
	var missing []Step
	for _, u := range o.Users {
		if !slices.Contains(g.Members, u) {
			missing = append(missing, join(u))
		}
	}
	if len(missing) > 0 {
		return []Finding{{ID: "docker.group", Severity: Limited, What: "not all who should are in the group " + name, Breaks: "they cannot use " + f.Docker.Path, Steps: missing}}
	}
	return one(len(g.Members) == 0, Finding{
		ID: "docker.group", Severity: Hint, What: "nobody is in the group " + name,
		Breaks: "root alone can use " + f.Docker.Path + " (whoever can is as good as root)", Mend: []string{join("USER").Lines()[0]},
	}, fmt.Sprintf("the group %s may use %s: %v", name, f.Docker.Path, g.Members))
}

// groupCommands are the system's own ways to make a group and to put a user in it.
func groupCommands(f Facts, group string) (add Step, join func(user string) Step) {
	if f.FreeBSD != nil {
		return command("pw", "groupadd", group), func(user string) Step { return command("pw", "groupmod", group, "-m", user) }
	}
	return command("groupadd", "--system", group), func(user string) Step { return command("usermod", "-a", "-G", group, user) }
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func dockerProgram(f Facts, _ Options) []Finding {
	return one(f.Tools["docker"] == "", Finding{
		ID: "docker.cli", Severity: Hint, What: "there is no docker command", Breaks: "only xc and clients elsewhere can be used",
		Mend: []string{install(f, "docker")},
	}, "the docker command is "+f.Tools["docker"])
}

// install is how the system's packages are installed. Nothing is installed by setup.
func install(f Facts, program string) string {
	if f.FreeBSD != nil {
		return "pkg install " + program
	}
	if program == "docker" {
		program = "docker-cli"
	}
	for _, known := range []struct{ id, command string }{
		{"debian", "apt-get install"},
		{"ubuntu", "apt-get install"},
		{"fedora", "dnf install"},
		{"rhel", "dnf install"},
		{"suse", "zypper install"},
		{"alpine", "apk add"},
		{"arch", "pacman -S"},
	} {
		if f.Linux != nil && slices.Contains(f.Linux.Distribution, known.id) {
			return known.command + " " + program
		}
	}
	return "install the package " + program
}

// programs looks for what the daemon needs beside it.
func programs(f Facts, _ Options) []Finding {
	var missing []string
	for _, name := range []string{"xcd", "xc-shim"} {
		if f.Tools[name] == "" {
			missing = append(missing, name)
		}
	}
	return one(len(missing) > 0, Finding{
		ID: "programs", Severity: Broken, What: fmt.Sprintf("not installed: %v", missing), Breaks: "there is no daemon to run containers",
		Mend: []string{"install xcd and xc-shim side by side, in /usr/local/sbin (make build; or the package)"},
	}, "xcd is "+f.Tools["xcd"])
}

// sockets looks at who answers.
func sockets(f Facts, _ Options) []Finding {
	if f.Native.Server != "" {
		return []Finding{ok("xcd.answers", fmt.Sprintf("xcd %s answers on %s", f.Native.Server, f.Native.Path))}
	}
	start := "xcd &"
	if f.FreeBSD != nil {
		start = "service xcd start"
	}
	found := []Finding{{
		ID: "xcd.answers", Severity: Broken, What: "xcd does not answer on " + f.Native.Path, Breaks: "nothing runs containers", Mend: []string{start},
	}}
	if f.FreeBSD != nil && f.FreeBSD.Service {
		found[0].Steps = []Step{command("service", "xcd", "restart"), Answer{f.Native.Path}}
	}
	if f.Docker.Server != "" {
		found = append(found, Finding{
			ID: "docker.socket", Severity: Broken, What: fmt.Sprintf("another engine (%s) answers on %s", f.Docker.Server, f.Docker.Path),
			Breaks: "xcd does not start: it never takes a socket over", Mend: []string{`stop that engine, or give xcd another socket: "hosts": ["unix:///var/run/xc-docker.sock"] in ` + f.Config.File.Path},
		})
		found[0].Steps = nil
	}
	return found
}

// warnings are what the running daemon itself says.
func warnings(f Facts, _ Options) []Finding {
	var found []Finding
	for _, w := range f.Native.Warnings {
		found = append(found, Finding{ID: "xcd.warning", Severity: Limited, What: w, Breaks: "see there", Mend: []string{}})
	}
	return found
}
