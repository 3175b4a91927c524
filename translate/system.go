package translate

import (
	"encoding/json"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/volume"

	"github.com/xcengine/xc/engine"
)

// Ping are the headers of an answer to a ping, beside those of every answer.
func Ping() map[string]string {
	return map[string]string{
		"Cache-Control": "no-cache, no-store, must-revalidate", "Pragma": "no-cache", "Content-Type": "text/plain; charset=utf-8",
		"Builder-Version": string(build.BuilderV1), "Swarm": string(swarm.LocalNodeStateInactive),
	}
}

// SystemInfo is the answer to info, with fields that only older versions have.
type SystemInfo struct {
	*system.Info
	extra map[string]any
}

// MarshalJSON joins the fields.
func (i SystemInfo) MarshalJSON() ([]byte, error) {
	base, err := json.Marshal(i.Info)
	if err != nil || len(i.extra) == 0 {
		return base, err
	}
	extra, err := json.Marshal(i.extra)
	if err != nil {
		return nil, err
	}
	return slices.Concat(base[:len(base)-1], []byte(","), extra[1:]), nil
}

// notKnown is dockerd's word for the version of a program that it does not find.
const notKnown = "N/A"

// Info renders what is known of the daemon and its host.
func Info(i engine.Info, v Version, host Host) SystemInfo {
	c := i.Capabilities
	out := SystemInfo{Info: &system.Info{
		ID: i.ID, Containers: i.Containers, ContainersRunning: i.Running, ContainersPaused: i.Paused, ContainersStopped: i.Stopped,
		Images: i.Images, Driver: i.Driver, DriverStatus: orEmpty(i.DriverStatus),
		Plugins:     system.PluginsInfo{Volume: i.VolumeDrivers, Network: i.NetworkDrivers, Log: i.LogDrivers},
		MemoryLimit: c.MemoryLimit, SwapLimit: c.SwapLimit, CPUCfsPeriod: c.CPUQuota, CPUCfsQuota: c.CPUQuota, CPUShares: c.CPUShares,
		CPUSet: c.CPUSet, PidsLimit: c.PidsLimit, OomKillDisable: c.OOMKillDisable, IPv4Forwarding: !i.ForwardingOff,
		Debug: i.Debug, NFd: i.Descriptors, NGoroutines: i.Goroutines, NEventsListener: i.EventListeners,
		SystemTime: i.SystemTime.Format(time.RFC3339Nano), LoggingDriver: i.LogDriver, CgroupDriver: c.CgroupDriver, CgroupVersion: c.CgroupVersion,
		KernelVersion: c.KernelVersion, OperatingSystem: c.OperatingSystem, OSVersion: c.OSVersion, OSType: c.OSType,
		Architecture: c.Architecture, IndexServerAddress: "https://index.docker.io/v1/", RegistryConfig: registries(i),
		NCPU: c.NCPU, MemTotal: c.MemTotal, DockerRootDir: i.StateDir,
		HTTPProxy: maskProxy(i.HTTPProxy), HTTPSProxy: maskProxy(i.HTTPSProxy), NoProxy: i.NoProxy,
		Name: i.Name, Labels: orEmpty(i.Labels), ServerVersion: i.Version, DefaultRuntime: host.Runtime,
		Runtimes:           map[string]system.RuntimeWithStatus{},
		Swarm:              swarm.Info{LocalNodeState: swarm.LocalNodeStateInactive},
		LiveRestoreEnabled: true, // a daemon that ends or is started leaves the containers running
		ContainerdCommit:   system.Commit{ID: notKnown}, RuncCommit: system.Commit{ID: notKnown}, InitCommit: system.Commit{ID: notKnown},
		SecurityOptions: slices.Clone(c.Security), CDISpecDirs: []string{}, Warnings: warnings(i),
	}}
	if c.Runtime != "" {
		out.RuncCommit.ID = c.Runtime
	}
	out.Runtimes[host.Runtime] = system.RuntimeWithStatus{Runtime: system.Runtime{Path: c.RuntimePath}}
	for name, path := range c.Runtimes {
		out.Runtimes[name] = system.RuntimeWithStatus{Runtime: system.Runtime{Path: path}}
	}
	for _, p := range i.AddressPools {
		out.DefaultAddressPools = append(out.DefaultAddressPools, system.NetworkAddressPool{Base: p.Subnet.String(), Size: p.Range.Bits()})
	}
	if i.FirewallBackend != "" {
		out.FirewallBackend = &system.FirewallInfo{Driver: i.FirewallBackend}
	}
	apply(infoRules, v, &out)
	return out
}

func warnings(i engine.Info) []string {
	out := slices.Clone(i.Warnings)
	if i.ForwardingOff {
		out = append(out, "WARNING: IPv4 forwarding is disabled")
	}
	return out
}

// securityName takes the name out of "name=seccomp,profile=builtin".
func securityName(option string) string {
	for _, pair := range strings.Split(option, ",") {
		if name, ok := strings.CutPrefix(pair, "name="); ok {
			return name
		}
	}
	return option
}

// maskProxy hides the credentials in a proxy's address, which may be without a scheme.
func maskProxy(address string) string {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		scheme, rest = "", address
	} else {
		scheme += "://"
	}
	authority, path, slash := strings.Cut(rest, "/")
	at := strings.LastIndexByte(authority, '@')
	if at < 0 {
		return address
	}
	masked := scheme + "xxxxx:xxxxx" + authority[at:]
	if slash {
		masked += "/" + path
	}
	return masked
}

// registries tells how registries are reached. Those of this host are always allowed to be insecure.
func registries(i engine.Info) *registry.ServiceConfig {
	out := &registry.ServiceConfig{Mirrors: i.Mirrors, IndexConfigs: map[string]*registry.IndexInfo{
		"docker.io": {Name: "docker.io", Mirrors: orEmpty(i.Mirrors), Secure: true, Official: true},
	}}
	for _, s := range slices.Concat([]string{"::1/128", "127.0.0.0/8"}, i.Insecure) {
		if _, cidr, err := net.ParseCIDR(s); err == nil {
			out.InsecureRegistryCIDRs = append(out.InsecureRegistryCIDRs, (*registry.NetIPNet)(cidr))
			continue
		}
		out.IndexConfigs[s] = &registry.IndexInfo{Name: s, Mirrors: []string{}}
	}
	return out
}

// Program says what the daemon was built with; it is not the engine's to know.
type Program struct {
	GoVersion string // runtime.Version
}

// DaemonVersion renders the versions of the daemon and of what it runs containers with.
func DaemonVersion(i engine.Info, host Host, p Program) types.Version {
	c := i.Capabilities
	out := types.Version{
		Version: i.Version, APIVersion: MaxVersion.String(), MinAPIVersion: MinVersion.String(), GitCommit: i.Commit, GoVersion: p.GoVersion,
		Os: c.OSType, Arch: host.Arch, KernelVersion: c.KernelVersion, BuildTime: i.BuildTime,
		Components: []types.ComponentVersion{{Name: "Engine", Version: i.Version, Details: map[string]string{
			"ApiVersion": MaxVersion.String(), "MinAPIVersion": MinVersion.String(), "Arch": host.Arch, "BuildTime": i.BuildTime,
			"Experimental": "false", "GitCommit": i.Commit, "GoVersion": p.GoVersion, "KernelVersion": c.KernelVersion, "Os": c.OSType,
		}}},
	}
	out.Platform.Name = "xc"
	if name, version, ok := strings.Cut(c.Runtime, " "); ok {
		out.Components = append(out.Components, types.ComponentVersion{Name: name, Version: version, Details: map[string]string{"GitCommit": ""}})
	}
	return out
}

// A DiskUsageWish says which parts of the disk usage a client wants.
type DiskUsageWish struct {
	images, containers, volumes, cache bool
}

// DiskUsageTypes reads the parameter "type" of a disk usage request; given says whether there was one. Before 1.42 there is
// none, and all is told.
func DiskUsageTypes(given bool, kinds []string, v Version) (DiskUsageWish, error) {
	if !given || v.Before(1, 42) {
		return DiskUsageWish{true, true, true, true}, nil
	}
	var w DiskUsageWish
	for _, k := range kinds {
		switch types.DiskUsageObject(k) {
		case types.ContainerObject:
			w.containers = true
		case types.ImageObject:
			w.images = true
		case types.VolumeObject:
			w.volumes = true
		case types.BuildCacheObject:
			w.cache = true
		default:
			return w, invalidf("unknown object type: %s", k)
		}
	}
	return w, nil
}

// DiskUsage renders the wanted parts of the disk usage; a part that is not wanted is null.
func DiskUsage(u engine.DiskUsage, w DiskUsageWish, v Version, now time.Time) types.DiskUsage {
	var out types.DiskUsage
	if w.images {
		out.LayersSize = u.LayersSize
		out.Images = orEmpty(out.Images)
		for _, i := range u.Images {
			out.Images = append(out.Images, imageSummary(i))
		}
	}
	if w.containers {
		out.Containers = []*container.Summary{}
		for _, c := range Summaries(u.Containers, v, now) {
			out.Containers = append(out.Containers, &c)
		}
	}
	if w.volumes {
		out.Volumes = []*volume.Volume{}
		for _, x := range u.Volumes {
			out.Volumes = append(out.Volumes, volumeUsage(x))
		}
	}
	if w.cache {
		out.BuildCache = []*build.CacheRecord{}
		for _, b := range u.BuildCache {
			out.BuildCache = append(out.BuildCache, cacheRecord(b))
		}
	}
	apply(diskUsageRules, v, &out)
	return out
}

func cacheRecord(b engine.BuildCacheRecord) *build.CacheRecord {
	r := &build.CacheRecord{
		ID: b.ID, Parents: b.Parents, Type: b.Type, Description: b.Description, InUse: b.InUse, Shared: b.Shared, Size: b.Size,
		CreatedAt: b.Created, UsageCount: b.Uses,
	}
	if !b.LastUsed.IsZero() {
		r.LastUsedAt = &b.LastUsed
	}
	return r
}
