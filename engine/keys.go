package engine

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Keys are xc's own words: what Docker has no word for. They are given as labels or annotations of a container, so that compose
// files and every client of Docker's API can say them, and the flags of xc are made of them. There is one table of them, Keys,
// and one reader, ReadKeys; docs/labels.md has a row for each.

// KeyPrefix begins every key of xc's own.
const KeyPrefix = "xc."

// The names of keys. One that ends in a dot is a family: the rest is a name of the user's or the kernel's.
const (
	// LabelIP puts addresses of an interface of the host's to the container's use: "IF|ADDR[/BITS],…", or "IF" alone. The
	// interface itself moves into a private network stack; on the host's stack the addresses are added to it.
	LabelIP = "xc.ip"
	// LabelMainAddress chooses the address that ports are published at and XC_MAIN_IP tells: "network/NAME" or "ipaddr/ADDR".
	LabelMainAddress = "xc.main-address"
	// LabelNetGroup names networks of the container, separated by commas, in which its hosts file has everyone who says so
	// of the same network, and theirs have it.
	LabelNetGroup = "xc.net-group"

	LabelVNET          = "xc.vnet"
	LabelJail          = "xc.jail."
	LabelDataset       = "xc.dataset"
	LabelDevfs         = "xc.devfs."
	LabelUSDT          = "xc.usdt"
	LabelPF            = "xc.enable-pf"
	LabelTap           = "xc.tap"
	LabelTun           = "xc.tun"
	LabelMaxChildren   = "xc.max-children"
	LabelEntryPoint    = "xc.entrypoint"
	LabelVolume        = "xc.volume."
	LabelCopy          = "xc.copy"
	LabelExtraLayer    = "xc.extra-layer"
	LabelTree          = "xc.tree"
	LabelPersist       = "xc.persist"
	LabelNoClean       = "xc.no-clean"
	LabelNoInit        = "xc.no-init"
	LabelNoDeinit      = "xc.no-deinit"
	LabelInitTimeout   = "xc.init-timeout"
	LabelDeinitTimeout = "xc.deinit-timeout"
	LabelDNS           = "xc.dns"
	LabelOwner         = "xc.owner"

	// AnnotationJail is how ocijail and podman name jail parameters.
	AnnotationJail = "org.freebsd.jail."
)

// Privilege is what of the host a key reaches. Who may use the engine but is not root needs a grant for each.
type Privilege string

// The privileges.
const (
	PrivilegeNone    Privilege = ""        // nothing beyond the container: an image's labels may say it
	PrivilegeNetwork Privilege = "network" // interfaces and addresses of the host
	PrivilegeJail    Privilege = "jail"    // parameters of the jail
	PrivilegeDataset Privilege = "dataset" // ZFS datasets
	PrivilegeDevice  Privilege = "device"  // nodes of /dev
	PrivilegePath    Privilege = "path"    // files of the host
	PrivilegeHost    Privilege = "host"    // leaves things on the host
)

// Key is one row of the table.
type Key struct {
	Name string
	// Many: further ones are Name + "." + anything, in the order of that, numbers by their value.
	Many  bool
	Value string // its form, for people; empty: true or false, and nothing for true
	Text  string // what it does, one sentence
	Needs Privilege
	// Jails says why only a platform that isolates with jails has it, for the refusal by others; empty: every platform has it.
	Jails string

	read func(w *Wishes, key, value string) error
}

// Family reports whether the key is the beginning of names.
func (k Key) Family() bool { return strings.HasSuffix(k.Name, ".") }

// fits reports whether a label is of this key.
func (k Key) fits(label string) bool {
	switch {
	case k.Family():
		return strings.HasPrefix(label, k.Name)
	case k.Many && strings.HasPrefix(label, k.Name+"."):
		return true
	}
	return label == k.Name
}

// Wishes are what keys ask for, read and checked as far as they can be without a host.
type Wishes struct {
	VNET        *bool
	Params      map[string]string // jail parameters by the kernel's names
	Datasets    []Dataset
	DevfsRules  []string // devfs(8)'s words
	Tunnels     []Tunnel
	EntryPoint  string
	Volumes     map[string]string // by the name that the image gives a mount: a volume or an absolute path, then maybe ":ro"
	Copies      []FileCopy
	ExtraLayers []string // an image's name, or the absolute path of a tar of the host
	Tree        *bool
	Persist     bool
	NoClean     bool
	NoInit      bool
	NoDeinit    bool
	// InitTimeout and DeinitTimeout bound each program of the image's chains; 0 is the engine's default.
	InitTimeout, DeinitTimeout time.Duration
	DNS                        DNSSource
	Owner                      int // the user of the host whose container it is; 0 is root
	// Used are the keys that were given, each once.
	Used []Key
}

// Dataset is a ZFS dataset that a container manages itself. Env, unless empty, names a variable that tells it the name.
type Dataset struct{ Env, Name string }

// Tunnel is a tap(4) or tun(4) interface made for a container; Env names the variable that tells its name.
type Tunnel struct {
	Env string
	Tun bool
}

// FileCopy is a file of the host that is copied into a new container.
type FileCopy struct{ Source, Target string }

// DNSSource says where a container's resolv.conf comes from when it is not the engine that writes one.
type DNSSource string

// The sources.
const (
	DNSEngine DNSSource = ""      // the engine writes one, from the networks and what the user said
	DNSImage  DNSSource = "image" // the root's own is left alone
	DNSNone   DNSSource = "empty" // an empty one
	DNSHost   DNSSource = "host"  // the host's own, as it is
)

// keys is the table, in the order of the documentation.
var keys = []Key{
	{Name: LabelEntryPoint, Value: "NAME", Text: "the image's entry point of this name is run", read: text(func(w *Wishes) *string { return &w.EntryPoint })},
	{Name: LabelVolume, Value: "SOURCE[:ro]", Text: "mounts a volume or an absolute path of the host where the image wants its mount of this name", Needs: PrivilegePath, read: readVolume},
	{Name: LabelCopy, Many: true, Value: "FILE:PATH", Text: "a file of the host is copied into the new root", Needs: PrivilegePath, read: readCopy},
	{Name: LabelExtraLayer, Many: true, Value: "IMAGE or FILE", Text: "the layers of a further image, or a tar of the host, are applied to the new root", Needs: PrivilegePath, read: readLayer},
	{Name: LabelTree, Text: "the container ends with the last descendant of its main process, not with that", read: flagPointer(func(w *Wishes) **bool { return &w.Tree })},
	{Name: LabelPersist, Text: "the container goes on when its processes have ended, until it is stopped", read: flag(func(w *Wishes) *bool { return &w.Persist })},
	{Name: LabelNoClean, Text: "what the container has in the kernel (jail or namespaces, mounts, network) stays after its end, to be looked at, until it is started or removed", Needs: PrivilegeHost, read: flag(func(w *Wishes) *bool { return &w.NoClean })},
	{Name: LabelNoInit, Text: "the image's programs before the main one are left out", read: flag(func(w *Wishes) *bool { return &w.NoInit })},
	{Name: LabelNoDeinit, Text: "the image's programs after the main one are left out", read: flag(func(w *Wishes) *bool { return &w.NoDeinit })},
	{Name: LabelInitTimeout, Value: "DURATION", Text: "how long each of the image's programs before the main one may take", read: duration(func(w *Wishes) *time.Duration { return &w.InitTimeout })},
	{Name: LabelDeinitTimeout, Value: "DURATION", Text: "how long each of the image's programs after the main one may take", read: duration(func(w *Wishes) *time.Duration { return &w.DeinitTimeout })},
	{Name: LabelDNS, Value: "image, empty or host", Text: "resolv.conf is the root's own, empty, or the host's", read: readDNS},
	{Name: LabelOwner, Value: "UID", Text: "the user of the host, by number, who may use the container through xc's own socket", Needs: PrivilegeHost, read: readOwner},
	{Name: LabelIP, Many: true, Value: "IF or IF|ADDR[/BITS],…", Text: "an interface of the host with addresses", Needs: PrivilegeNetwork},
	{Name: LabelMainAddress, Value: "network/NAME or ipaddr/ADDR", Text: "where ports are published", Needs: PrivilegeNetwork},
	{Name: LabelNetGroup, Value: "NETWORK[,NETWORK]", Text: "names each other's members in their hosts files", Needs: PrivilegeNetwork},
	{Name: LabelVNET, Value: "true or false", Text: "the jail has a network stack of its own, or addresses of the host's", Needs: PrivilegeJail, Jails: "containers of this platform have a network stack of their own, or with --network host the host's", read: readVNET},
	{Name: LabelJail, Value: "VALUE", Text: "a parameter of the jail (jail(8))", Needs: PrivilegeJail, Jails: "it is a parameter of a FreeBSD jail", read: readParam},
	{Name: AnnotationJail, Value: "VALUE", Text: "the same, as ocijail reads it", Needs: PrivilegeJail, Jails: "it is a parameter of a FreeBSD jail", read: readParam},
	{Name: LabelMaxChildren, Value: "N", Text: "how many jails the container may make (children.max)", Needs: PrivilegeJail, Jails: "it is a parameter of a FreeBSD jail", read: readMaxChildren},
	{Name: LabelDataset, Many: true, Value: "[ENV:]POOL/DATASET", Text: "a ZFS dataset that the container manages itself; ENV tells it the name", Needs: PrivilegeDataset, Jails: "only a FreeBSD jail can be given a ZFS dataset to manage; mount one with -v instead", read: readDataset},
	{Name: LabelDevfs, Value: "RULE", Text: "a rule for /dev, in devfs(8)'s words: \"path bpf* unhide mode 0660\"", Needs: PrivilegeDevice, Jails: "only a FreeBSD jail's /dev has rules; use --device", read: readDevfs},
	{Name: LabelTap, Many: true, Value: "ENV", Text: "a tap(4) interface is made for the container, in its stack if it has one; ENV tells it the name", Needs: PrivilegeNetwork, Jails: "it is an interface of FreeBSD's; use --device /dev/net/tun --cap-add NET_ADMIN", read: readTunnel(false)},
	{Name: LabelTun, Many: true, Value: "ENV", Text: "the same with a tun(4) interface", Needs: PrivilegeNetwork, Jails: "it is an interface of FreeBSD's; use --device /dev/net/tun --cap-add NET_ADMIN", read: readTunnel(true)},
	{Name: LabelUSDT, Text: "programs can register their USDT probes (/dev/dtrace/helper)", Needs: PrivilegeDevice, Jails: "it shows DTrace's devices of FreeBSD", read: showDevices("dtrace", "dtrace/helper")},
	{Name: LabelPF, Text: "the container's own stack can be filtered with pf (/dev/pf)", Needs: PrivilegeDevice, Jails: "it shows FreeBSD's packet filter; use --cap-add NET_ADMIN", read: showDevices("pf")},
}

// Keys returns the table.
func Keys() []Key { return slices.Clone(keys) }

// FindKey finds the row that a label or annotation belongs to.
func FindKey(label string) (Key, bool) {
	i := slices.IndexFunc(keys, func(k Key) bool { return k.fits(label) })
	if i < 0 {
		return Key{}, false
	}
	return keys[i], true
}

// NeedsPrivilege reports whether a label gives a container something of the host. Only its user can say so, not an image.
func NeedsPrivilege(label string) bool {
	k, ok := FindKey(label)
	return ok && k.Needs != PrivilegeNone
}

// ReadKeys reads the keys among labels and annotations. It tells every mistake: a name that is nearly a key's, a value that is not
// of the key's form, a key that both say differently. Other names are the user's own.
func ReadKeys(labels, annotations map[string]string) (Wishes, []error) {
	w := Wishes{Params: map[string]string{}, Volumes: map[string]string{}}
	var errs []error
	all := map[string]string{}
	for _, from := range []struct {
		what  string
		pairs map[string]string
	}{{"label", labels}, {"annotation", annotations}} {
		for _, name := range slices.Sorted(maps.Keys(from.pairs)) {
			_, known := FindKey(name)
			value := from.pairs[name]
			have, twice := all[name]
			switch {
			case !known && suggestion(name) != "":
				errs = append(errs, fmt.Errorf("%s %s: xc has no key of this name, is %s meant?", from.what, name, suggestion(name)))
			case twice && have != value:
				errs = append(errs, fmt.Errorf("annotation %s=%s: the label of this name says %s", name, value, have))
			case known:
				all[name] = value
			}
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(all), byNumber) {
		k, _ := FindKey(name)
		if !slices.ContainsFunc(w.Used, func(o Key) bool { return o.Name == k.Name }) {
			w.Used = append(w.Used, k)
		}
		if k.read == nil {
			continue // the networks service reads it
		}
		if err := k.read(&w, name, all[name]); err != nil {
			errs = append(errs, fmt.Errorf("%s=%s: %w", name, all[name], err))
		}
	}
	return w, errs
}

// WithAnnotations gives labels together with those keys that are said as annotations.
func WithAnnotations(labels, annotations map[string]string) map[string]string {
	all := labels
	for name, value := range annotations {
		if _, known := FindKey(name); !known {
			continue
		}
		if len(all) == len(labels) {
			all = maps.Clone(labels)
		}
		if _, said := labels[name]; !said {
			if all == nil {
				all = map[string]string{}
			}
			all[name] = value
		}
	}
	return all
}

// byNumber orders names so that x.2 comes before x.10.
func byNumber(a, b string) int {
	i, j := strings.LastIndexByte(a, '.'), strings.LastIndexByte(b, '.')
	if i > 0 && j > 0 && a[:i] == b[:j] {
		m, errA := strconv.Atoi(a[i+1:])
		n, errB := strconv.Atoi(b[j+1:])
		if errA == nil && errB == nil {
			return m - n
		}
	}
	return strings.Compare(a, b)
}

// suggestion names the key that was probably meant by one that is none, empty when none is near.
func suggestion(name string) string {
	if !strings.HasPrefix(name, KeyPrefix) {
		return ""
	}
	best, distance := "", 3
	for _, k := range keys {
		if d := EditDistance(name, strings.TrimSuffix(k.Name, ".")); d < distance {
			best, distance = k.Name, d
		}
	}
	return best
}

func readBool(value string) (bool, error) {
	if value == "" {
		return true, nil
	}
	on, err := strconv.ParseBool(value)
	if err != nil {
		return false, errors.New("must be true or false")
	}
	return on, nil
}

func flag(to func(*Wishes) *bool) func(*Wishes, string, string) error {
	return func(w *Wishes, _, value string) (err error) {
		*to(w), err = readBool(value)
		return err
	}
}

func flagPointer(to func(*Wishes) **bool) func(*Wishes, string, string) error {
	return func(w *Wishes, _, value string) error {
		on, err := readBool(value)
		*to(w) = &on
		return err
	}
}

func text(to func(*Wishes) *string) func(*Wishes, string, string) error {
	return func(w *Wishes, _, value string) error {
		if value == "" {
			return errors.New("must not be empty")
		}
		*to(w) = value
		return nil
	}
}

func duration(to func(*Wishes) *time.Duration) func(*Wishes, string, string) error {
	return func(w *Wishes, _, value string) error {
		d, err := time.ParseDuration(value)
		if err != nil || d <= 0 {
			return errors.New(`must be a time like "90s" or "5m"`)
		}
		*to(w) = d
		return nil
	}
}

func readDNS(w *Wishes, _, value string) error {
	w.DNS = DNSSource(value)
	switch w.DNS {
	case DNSImage, DNSNone, DNSHost:
		return nil
	}
	return errors.New("must be image, empty or host")
}

func readOwner(w *Wishes, _, value string) error {
	uid, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return errors.New("must be the number of a user")
	}
	w.Owner = int(uid)
	return nil
}

// readVNET takes jail(8)'s words as well.
func readVNET(w *Wishes, _, value string) error {
	var on bool
	switch value {
	case "new":
		on = true
	case "inherit", "disable":
	default:
		var err error
		if on, err = readBool(value); err != nil {
			return err
		}
	}
	if w.VNET != nil && *w.VNET != on {
		return errors.New("another key says the opposite")
	}
	w.VNET = &on
	return nil
}

// readParam takes one raw parameter. The one that decides over the network stack is not raw: the engine must know.
func readParam(w *Wishes, key, value string) error {
	name := strings.TrimPrefix(strings.TrimPrefix(key, LabelJail), AnnotationJail)
	if name == "vnet" {
		return readVNET(w, key, value)
	}
	return w.setParam(name, value)
}

func (w *Wishes) setParam(name, value string) error {
	if have, twice := w.Params[name]; twice && have != value {
		return fmt.Errorf("another key says that %s is %s", name, have)
	}
	w.Params[name] = value
	return nil
}

// mostJails is how many jails FreeBSD can have (sys/kern/kern_jail.c: JAIL_MAX).
const mostJails = 999_999

func readMaxChildren(w *Wishes, _, value string) error {
	if n, err := strconv.ParseUint(value, 10, 32); err != nil || n > mostJails {
		return fmt.Errorf("must be a number up to %d", mostJails)
	}
	return w.setParam("children.max", value)
}

// datasetChars are what the names of ZFS datasets are made of (zfsprops(7)).
const datasetChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-/"

func readDataset(w *Wishes, _, value string) error {
	env, name, ok := strings.Cut(value, ":")
	if !ok || strings.Contains(env, "/") {
		env, name = "", value
	}
	switch {
	case strings.Trim(name, datasetChars) != "", strings.HasPrefix(name, "-"), !strings.Contains(strings.Trim(name, "/"), "/"),
		strings.HasPrefix(name, "/"), strings.HasSuffix(name, "/"), strings.Contains(name, "//"):
		return fmt.Errorf("%q is not a dataset below a pool", name)
	case ok && env != "" && !isVariable(env):
		return fmt.Errorf("%q is not the name of a variable", env)
	}
	for _, d := range w.Datasets {
		if d.Name == name || strings.HasPrefix(d.Name, name+"/") || strings.HasPrefix(name, d.Name+"/") {
			return fmt.Errorf("%s and %s are the same dataset or one is in the other", name, d.Name)
		}
	}
	w.Datasets = append(w.Datasets, Dataset{env, name})
	return nil
}

// isVariable reports whether a name is one that shells take for a variable's.
func isVariable(name string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

func readTunnel(tun bool) func(*Wishes, string, string) error {
	return func(w *Wishes, _, value string) error {
		if !isVariable(value) {
			return errors.New("must be the name of a variable")
		}
		if slices.ContainsFunc(w.Tunnels, func(t Tunnel) bool { return t.Env == value }) {
			return errors.New("another interface has this variable")
		}
		w.Tunnels = append(w.Tunnels, Tunnel{value, tun})
		return nil
	}
}

// readDevfs leaves the rule's words to the platform.
func readDevfs(w *Wishes, key, value string) error {
	switch {
	case key == LabelDevfs:
		return errors.New("it needs a name of yours: " + LabelDevfs + "NAME")
	case strings.TrimSpace(value) == "":
		return errors.New("an empty rule")
	}
	w.DevfsRules = append(w.DevfsRules, value)
	return nil
}

func showDevices(paths ...string) func(*Wishes, string, string) error {
	return func(w *Wishes, _, value string) error {
		on, err := readBool(value)
		for _, p := range paths {
			if on {
				w.DevfsRules = append(w.DevfsRules, "path "+p+" unhide")
			}
		}
		return err
	}
}

// readCopy takes "\:" for a colon in a name, as the original did.
func readCopy(w *Wishes, _, value string) error {
	source, target, ok := cutEscaped(value)
	if !ok || !path.IsAbs(source) || !path.IsAbs(target) || strings.HasSuffix(target, "/") {
		return errors.New("must be FILE:PATH, both absolute")
	}
	w.Copies = append(w.Copies, FileCopy{path.Clean(source), path.Clean(target)})
	return nil
}

// cutEscaped cuts at the first colon that no backslash stands before.
func cutEscaped(s string) (before, after string, ok bool) {
	for i := range len(s) {
		if s[i] == ':' && (i == 0 || s[i-1] != '\\') {
			unescape := strings.NewReplacer(`\:`, ":").Replace
			return unescape(s[:i]), unescape(s[i+1:]), true
		}
	}
	return s, "", false
}

func readLayer(w *Wishes, _, value string) error {
	if value == "" {
		return errors.New("must be an image or the absolute path of a tar")
	}
	w.ExtraLayers = append(w.ExtraLayers, value)
	return nil
}

func readVolume(w *Wishes, key, value string) error {
	name := strings.TrimPrefix(key, LabelVolume)
	if name == "" || value == "" || strings.HasPrefix(value, ":") {
		return errors.New("must be " + LabelVolume + "NAME=SOURCE, with the name that the image gives the mount")
	}
	w.Volumes[name] = value
	return nil
}
