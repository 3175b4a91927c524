package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// wish is what run and create are asked for, as their flags say it.
type wish struct {
	name, hostname, platform, user, group, workDir string
	entryPoint, program                            string // --entry-point, --entrypoint
	env, envFiles, labels, labelFiles, annotations []string
	volumes, tmpfs, publish, networks              []string
	aliases, ips, netGroups, datasets, taps, tuns  []string
	params, copies, layers, hosts                  []string
	dns, dnsSearch, dnsOptions                     []string
	capAdd, capDrop, ulimits, groups, logOptions   []string
	mainAddress, memory, shm, restart              string
	stopSignal, logDriver                          string
	maxChildren                                    string
	cpus                                           float64
	pids                                           int64
	stopTimeout                                    int
	vnet, noLo0, usdt, pf, persist, publishAll     bool
	emptyDNS, keepDNS, readOnly, privileged        bool
	init, tree                                     optional
}

// optional is a truth value that may be left to the image or the daemon.
type optional struct{ value *bool }

func (o *optional) String() string {
	if o.value == nil {
		return ""
	}
	return strconv.FormatBool(*o.value)
}

func (o *optional) Set(s string) error {
	v, err := strconv.ParseBool(s)
	o.value = &v
	return err
}

func (o *optional) Type() string     { return "bool" }
func (o *optional) IsBoolFlag() bool { return true }

// flags defines the flags that run and create share.
func (w *wish) flags(f *pflag.FlagSet) {
	many := func(to *[]string, name, short, text string) { f.StringArrayVarP(to, name, short, nil, text) }
	f.SetInterspersed(false)
	f.StringVar(&w.name, "name", "", "name of the container")
	f.StringVar(&w.hostname, "hostname", "", "its host name (default: its name)")
	f.StringVar(&w.platform, "platform", "", "OS/ARCHITECTURE of the image, where it is for several")
	f.StringVarP(&w.user, "user", "u", "", "user, or USER:GROUP, by names or numbers of the container's")
	f.StringVarP(&w.group, "group", "g", "", "group")
	f.StringVarP(&w.workDir, "workdir", "w", "", "working directory")
	f.StringVar(&w.entryPoint, "entry-point", "", "name of one of the image's entry points")
	f.StringVar(&w.program, "entrypoint", "", "program in place of the image's own; what follows IMAGE are its arguments")
	many(&w.env, "env", "e", "NAME=VALUE, or NAME for this environment's value")
	many(&w.envFiles, "env-file", "", "file of such lines")
	many(&w.labels, "label", "l", "NAME=VALUE")
	many(&w.labelFiles, "label-file", "", "file of such lines")
	many(&w.annotations, "annotation", "", "NAME=VALUE")
	f.Var(&w.init, "init", "run under an init that reaps and passes signals on")
	f.Lookup("init").NoOptDefVal = "true"
	f.Var(&w.tree, "tree", "the container ends with the last descendant of its main process")
	f.Lookup("tree").NoOptDefVal = "true"
	f.StringVar(&w.restart, "restart", "", "no, always, unless-stopped, on-failure[:RETRIES]")
	f.StringVar(&w.stopSignal, "stop-signal", "", "signal that ends it gently")
	f.IntVar(&w.stopTimeout, "stop-timeout", 0, "seconds before it is killed")
	f.StringVar(&w.logDriver, "log-driver", "", "json-file, local or none")
	many(&w.logOptions, "log-opt", "", "NAME=VALUE for the log driver")

	many(&w.volumes, "volume", "v", "SOURCE:TARGET[:ro], a path of the host or a volume; TARGET may be the name of a mount that the image declares")
	many(&w.tmpfs, "tmpfs", "", "PATH[:OPTIONS], a file system in memory")
	f.BoolVar(&w.readOnly, "read-only", false, "the root cannot be written")
	many(&w.copies, "copy", "", "SOURCE:TARGET, a file of the host that is copied into the root before anything runs")
	many(&w.layers, "extra-layer", "", "FILE, a tar that is unpacked over the root, or an image whose layers are")
	many(&w.datasets, "zfs", "z", "[ENV:]DATASET, a ZFS dataset that the container manages; ENV gets its name")

	many(&w.networks, "network", "", "NETWORK or NETWORK|ADDRESS; also host, none, container:NAME (default: none)")
	many(&w.networks, "net", "", "")
	f.Lookup("net").Hidden = true
	many(&w.aliases, "network-alias", "", "further name in the first network")
	many(&w.ips, "ip", "", "IF or IF|ADDR[/BITS][,…], an interface of the host with addresses")
	f.BoolVar(&w.vnet, "vnet", false, "a network stack of its own")
	f.BoolVar(&w.noLo0, "no-lo0", false, "no addresses on lo0")
	f.StringVar(&w.mainAddress, "main-address", "", "network/NAME or ipaddr/ADDR, where ports are published")
	many(&w.netGroups, "net-group", "", "network whose members are in the hosts file")
	many(&w.publish, "publish", "p", "[IF|][ADDR:][PORT[-PORT]:]PORT[/PROTO], a port that is reachable at the host")
	f.BoolVarP(&w.publishAll, "publish-all", "P", false, "publish every port that the image exposes")
	many(&w.hosts, "add-host", "", "NAME:ADDRESS for the hosts file")
	many(&w.dns, "dns", "", "name server for resolv.conf (default: the host's)")
	many(&w.dnsSearch, "dns-search", "", "domain to search")
	many(&w.dnsOptions, "dns-option", "", "option for resolv.conf")
	f.BoolVar(&w.emptyDNS, "empty-dns", false, "an empty resolv.conf")
	f.BoolVar(&w.keepDNS, "dns-nop", false, "leave the image's resolv.conf alone")

	many(&w.params, "option", "o", "NAME=VALUE, a parameter of the jail")
	many(&w.taps, "tap", "", "ENV, which gets the name of a tap interface made for it")
	many(&w.tuns, "tun", "", "ENV, which gets the name of a tun interface made for it")
	f.BoolVar(&w.usdt, "usdt", false, "programs can register their USDT probes")
	f.BoolVar(&w.pf, "enable-pf", false, "the container's own network stack can be filtered with pf")
	f.StringVar(&w.maxChildren, "max.children", "", "how many jails it may make")
	f.BoolVar(&w.persist, "persist", false, "it goes on when its processes have ended, until it is stopped")

	f.StringVarP(&w.memory, "memory", "m", "", "bound of memory, as in 512m")
	f.Float64Var(&w.cpus, "cpus", 0, "bound of processors, as in 1.5")
	f.Int64Var(&w.pids, "pids-limit", 0, "bound of processes")
	f.StringVar(&w.shm, "shm-size", "", "size of /dev/shm")
	many(&w.ulimits, "ulimit", "", "NAME=SOFT[:HARD]")
	many(&w.capAdd, "cap-add", "", "Linux capability to add")
	many(&w.capDrop, "cap-drop", "", "Linux capability to drop")
	many(&w.groups, "group-add", "", "further group")
	f.BoolVar(&w.privileged, "privileged", false, "do not keep it apart from the host")
}

// request collects every mistake of the flags. args are IMAGE and what follows it.
func (w *wish) request(args []string) (wire.ContainerCreate, error) {
	r := reader{}
	c := wire.ContainerCreate{
		Name: w.name, Image: args[0], Platform: w.platform, WorkDir: w.workDir, User: w.user, Groups: w.groups, Hostname: w.hostname,
		ReadOnly: w.readOnly, Init: w.init.value, StopSignal: w.stopSignal, PublishAll: w.publishAll, Privileged: w.privileged,
		CapAdd: w.capAdd, CapDrop: w.capDrop,
		Env:    append(r.files("--env-file", w.envFiles, environment), each(&r, "--env", w.env, environment)...),
		Labels: r.pairs("--label", append(r.files("--label-file", w.labelFiles, asIs), w.labels...), true),
		Tmpfs:  each(&r, "--tmpfs", w.tmpfs, parseTmpfs),
	}
	if len(w.annotations) > 0 {
		c.Annotations = r.pairs("--annotation", w.annotations, true)
	}
	if c.Hostname == "" && !w.sharesNetwork() {
		c.Hostname = w.name
	}
	w.run(&r, &c, args[1:])
	w.identity(&c)
	w.network(&r, &c)
	w.mounts(&r, &c)
	w.keys(&r, &c)
	w.limits(&r, &c)
	return c, errors.Join(r.errs...)
}

// run says what is run.
func (w *wish) run(r *reader, c *wire.ContainerCreate, args []string) {
	switch {
	case w.entryPoint != "" && w.program != "":
		r.failf("--entry-point and --entrypoint exclude each other")
	case w.entryPoint != "":
		c.Labels[engine.LabelEntryPoint], c.Args = w.entryPoint, args
	case w.program != "":
		c.Entrypoint, c.Args = []string{w.program}, args
	case len(args) > 0:
		c.EntryPoint, c.Args = args[0], args[1:]
		if len(c.Args) > 0 && c.Args[0] == "--" {
			c.Args = c.Args[1:]
		}
	}
}

func (w *wish) identity(c *wire.ContainerCreate) {
	if w.group == "" {
		return
	}
	if c.User == "" {
		c.User = "0"
	}
	user, _, _ := strings.Cut(c.User, ":")
	c.User = user + ":" + w.group
}

func (w *wish) sharesNetwork() bool {
	return len(w.networks) == 1 && (w.networks[0] == "host" || strings.HasPrefix(w.networks[0], "container:"))
}

func (w *wish) network(r *reader, c *wire.ContainerCreate) {
	each(r, "--dns", w.dns, parseAddress)
	c.Network = wire.NetworkWish{DNS: w.dns, DNSSearch: w.dnsSearch, DNSOptions: w.dnsOptions, ExtraHosts: w.hosts}
	for _, text := range w.networks {
		if text == "host" || text == "none" || strings.HasPrefix(text, "container:") {
			if len(w.networks) > 1 {
				r.failf("--network %s goes with no other network", text)
			}
			c.Network.Mode = text
			continue
		}
		j, err := parseNetwork(text)
		r.failed("--network", err)
		c.Network.Networks = append(c.Network.Networks, j)
	}
	if len(w.networks) == 0 {
		c.Network.Mode = "none"
	}
	if len(w.aliases) > 0 {
		if len(c.Network.Networks) == 0 {
			r.failf("--network-alias: there is no network to be known in: --network NETWORK")
		} else {
			c.Network.Networks[0].Aliases = w.aliases
		}
	}
	for _, all := range each(r, "--publish", w.publish, func(text string) ([]wire.Publish, error) { return parsePublish(text, false) }) {
		c.Publish = append(c.Publish, all...)
	}
	if (len(w.publish) > 0 || w.publishAll) && len(c.Network.Networks) == 0 && len(w.ips) == 0 {
		r.failf("--publish: the container has no network whose ports could be reached: --network NETWORK")
	}
	for _, text := range w.ips {
		r.failed("--ip", checkInterface(text))
	}
	switch {
	case w.emptyDNS && w.keepDNS:
		r.failf("--empty-dns and --dns-nop exclude each other")
	case (w.emptyDNS || w.keepDNS) && len(w.dns)+len(w.dnsSearch)+len(w.dnsOptions) > 0:
		r.failf("--dns and the like exclude --empty-dns and --dns-nop")
	case w.noLo0:
		r.failf("--no-lo0 is not supported: lo0 of a network stack of its own always has its addresses")
	}
}

func (w *wish) mounts(r *reader, c *wire.ContainerCreate) {
	for _, v := range each(r, "--volume", w.volumes, parseVolume) {
		if isPath(v.source) {
			v.source = r.hostPath("--volume", v.source)
		}
		if strings.HasPrefix(v.target, "/") {
			c.Mounts = append(c.Mounts, wire.MountWish{Source: v.source, Target: v.target, ReadOnly: v.readOnly})
			continue
		}
		if v.readOnly {
			v.source += ":ro"
		}
		c.Labels[engine.LabelVolume+v.target] = v.source
	}
}

func (w *wish) dnsSource() string {
	switch {
	case w.emptyDNS:
		return string(engine.DNSNone)
	case w.keepDNS:
		return string(engine.DNSImage)
	}
	return ""
}

// keys are what goes as labels: what Docker has no word for.
func (w *wish) keys(r *reader, c *wire.ContainerCreate) {
	many := func(key string, values []string) {
		for i, v := range values {
			name := key
			if i > 0 {
				name += "." + strconv.Itoa(i+1)
			}
			c.Labels[name] = v
		}
	}
	many(engine.LabelIP, w.ips)
	for _, text := range w.datasets {
		r.failed("-z", parseDataset(text))
	}
	many(engine.LabelDataset, w.datasets)
	many(engine.LabelTap, w.taps)
	many(engine.LabelTun, w.tuns)
	many(engine.LabelCopy, each(r, "--copy", w.copies, parseCopy))
	many(engine.LabelExtraLayer, each(r, "--extra-layer", w.layers, extraLayer))
	for name, value := range r.pairs("-o", w.params, false) {
		c.Labels[engine.LabelJail+name] = value
	}
	for key, on := range map[string]bool{engine.LabelVNET: w.vnet, engine.LabelUSDT: w.usdt, engine.LabelPF: w.pf, engine.LabelPersist: w.persist} {
		if on {
			c.Labels[key] = "true"
		}
	}
	for key, value := range map[string]string{
		engine.LabelMainAddress: r.one("--main-address", w.mainAddress, parseMainAddress), engine.LabelNetGroup: strings.Join(w.netGroups, ","), engine.LabelMaxChildren: w.maxChildren,
		engine.LabelDNS: w.dnsSource(), engine.LabelTree: w.tree.String(),
	} {
		if value != "" {
			c.Labels[key] = value
		}
	}
}

func (w *wish) limits(r *reader, c *wire.ContainerCreate) {
	c.Limits = wire.Limits{CPUs: w.cpus, Pids: w.pids, Memory: r.size("--memory", w.memory), ShmSize: r.size("--shm-size", w.shm)}
	c.Limits.Ulimits = each(r, "--ulimit", w.ulimits, parseUlimit)
	if w.stopTimeout > 0 {
		c.StopTimeout = &w.stopTimeout
	}
	c.Log = wire.Log{Driver: w.logDriver}
	if len(w.logOptions) > 0 {
		c.Log.Options = r.pairs("--log-opt", w.logOptions, false)
	}
	name, retries, bounded := strings.Cut(w.restart, ":")
	if policies := []string{"", "no", "always", "unless-stopped", "on-failure"}; !slices.Contains(policies, name) {
		r.failed("--restart", meant(&syntaxError{w.restart, 0, "must be no, always, unless-stopped or on-failure[:RETRIES]"}, name, policies))
	}
	c.Restart.Policy = name
	if bounded {
		n, err := strconv.Atoi(retries)
		if err != nil || n < 0 {
			r.failf("--restart %s: %q is not a count", w.restart, retries)
		}
		c.Restart.Max = n
	}
}

// reader reads values of flags and notes what is wrong with them.
type reader struct{ errs []error }

func (r *reader) failf(format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf(format, args...))
}

func (r *reader) failed(flag string, err error) {
	if err != nil {
		r.failf("%s: %w", flag, err)
	}
}

// each reads every value of a flag.
func each[T any](r *reader, flag string, values []string, read func(string) (T, error)) (all []T) {
	for _, text := range values {
		v, err := read(text)
		if err != nil {
			r.failed(flag, err)
			continue
		}
		all = append(all, v)
	}
	return all
}

// one reads a flag's only value, if it was given.
func (r *reader) one(flag, text string, read func(string) (string, error)) string {
	if text == "" {
		return ""
	}
	v, err := read(text)
	r.failed(flag, err)
	return v
}

// parseAddress reads an address.
func parseAddress(text string) (string, error) {
	if _, err := netip.ParseAddr(text); err != nil {
		return "", &syntaxError{text, 0, "must be an address, of IPv4 or IPv6"}
	}
	return text, nil
}

// parseMainAddress reads --main-address: network/NAME or ipaddr/ADDRESS.
func parseMainAddress(text string) (string, error) {
	kind, value, _ := strings.Cut(text, "/")
	switch kind {
	case "network":
		if value != "" {
			return text, nil
		}
	case "ipaddr":
		if _, err := netip.ParseAddr(value); err != nil {
			return "", &syntaxError{text, len("ipaddr/"), fmt.Sprintf("%q is not an address", value)}
		}
		return text, nil
	}
	return "", &syntaxError{text, 0, "must be network/NAME or ipaddr/ADDRESS"}
}

func asIs(s string) (string, error) { return s, nil }

// environment completes NAME from this environment. One that is not there stays out of the container's.
func environment(text string) (string, error) {
	name, _, ok := strings.Cut(text, "=")
	if name == "" {
		return "", &syntaxError{text, 0, "the name is missing: NAME=VALUE"}
	}
	if ok {
		return text, nil
	}
	return name + "=" + os.Getenv(name), nil
}

// files reads the lines of files; empty ones and those that begin with # say nothing.
func (r *reader) files(flag string, paths []string, read func(string) (string, error)) (all []string) {
	for _, p := range paths {
		data, err := os.ReadFile(p)
		r.failed(flag, err)
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				all = append(all, each(r, flag+" "+p, []string{line}, read)...)
			}
		}
	}
	return all
}

// pairs reads NAME=VALUE of a flag; bare lets a name stand for the empty value.
func (r *reader) pairs(flag string, values []string, bare bool) map[string]string {
	all := map[string]string{}
	for _, text := range values {
		if bare && !strings.Contains(text, "=") {
			text += "="
		}
		key, value, err := pair(text)
		r.failed(flag, err)
		all[key] = value
	}
	return all
}

func (r *reader) size(flag, text string) int64 {
	if text == "" {
		return 0
	}
	n, err := parseBytes(text)
	r.failed(flag, err)
	return n
}

// hostPath gives the absolute path of something that is there, without links.
func (r *reader) hostPath(flag, p string) string {
	abs, err := filepath.Abs(p)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	r.failed(flag, err)
	return abs
}

// parseCopy reads --copy: SOURCE:TARGET, a file here and an absolute path in the container.
func parseCopy(text string) (string, error) {
	p, at := parts(text)
	s := &scanner{text: text}
	switch {
	case len(p) < 2:
		return "", s.failf(len(text), "the target is missing: SOURCE:TARGET")
	case len(p) > 2:
		return "", s.failf(at[2]-1, "nothing may follow here")
	case !strings.HasPrefix(p[1], "/"):
		return "", s.failf(at[1], "the target must be an absolute path")
	}
	source, err := filepath.Abs(p[0])
	if err != nil {
		return "", err
	}
	if fi, err := os.Stat(source); err != nil {
		return "", err
	} else if !fi.Mode().IsRegular() {
		return "", s.failf(0, "%s is not a file", p[0])
	}
	return strings.ReplaceAll(source, ":", `\:`) + ":" + p[1], nil
}

// extraLayer gives the path of a tar, or the name of an image as it is.
func extraLayer(text string) (string, error) {
	fi, err := os.Stat(text)
	switch {
	case err == nil && fi.Mode().IsRegular():
		return filepath.Abs(text)
	case err == nil || isPath(text):
		return "", fmt.Errorf("%s is no tar", text)
	}
	return text, nil
}

// parseTmpfs reads --tmpfs: PATH[:OPTIONS].
func parseTmpfs(text string) (wire.Tmpfs, error) {
	target, options, _ := strings.Cut(text, ":")
	if !strings.HasPrefix(target, "/") {
		return wire.Tmpfs{}, &syntaxError{text, 0, "must be an absolute path"}
	}
	return wire.Tmpfs{Target: target, Options: options}, nil
}

// parseUlimit reads --ulimit: NAME=SOFT[:HARD].
func parseUlimit(text string) (wire.Ulimit, error) {
	name, values, err := pair(text)
	if err != nil {
		return wire.Ulimit{}, err
	}
	soft, hard, two := strings.Cut(values, ":")
	if !two {
		hard = soft
	}
	u := wire.Ulimit{Name: name}
	for i, one := range []string{soft, hard} {
		to := []*int64{&u.Soft, &u.Hard}[i]
		if *to, err = strconv.ParseInt(one, 10, 64); err != nil || *to < -1 {
			return u, &syntaxError{text, len(name) + 1, fmt.Sprintf("%q is not a bound: a number, -1 for none", one)}
		}
	}
	return u, nil
}

func createCommand(a *app) *cobra.Command {
	var w wish
	var o createOptions
	var interactive, tty bool
	cmd := &cobra.Command{
		Use: "create [flags] IMAGE [flags] [ENTRY_POINT [ARG...]]", Short: "Make a container and start nothing", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			args, err := flagsAfterImage(cmd, args)
			if err != nil {
				return err
			}
			c, err := w.request(args)
			if err != nil {
				return usageError{err}
			}
			c.TTY, c.Stdin, c.Once = tty, interactive || tty, interactive
			made, err := a.create(cmd.Context(), c, o)
			if err != nil {
				return err
			}
			return a.println(made.ID)
		},
	}
	f := cmd.Flags()
	w.flags(f)
	f.BoolVarP(&interactive, "interactive", "i", false, "keep its stdin open")
	f.BoolVarP(&tty, "tty", "t", false, "give it a terminal")
	o.flags(f)
	return cmd
}
