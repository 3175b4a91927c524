package translate

//lint:file-ignore SA1019 old clients send and read what is deprecated

import (
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/system"

	"github.com/xcengine/xc/engine"
)

// imageQueryRules are what differs between versions of asking for GET /images/json.
var imageQueryRules = []rule[*ImageListQuery]{
	{from: Version{1, 41}, do: func(l *ImageListQuery) { l.Name = "" }},
	{below: Version{1, 42}, do: func(l *ImageListQuery) { l.SharedSize = false }},
	{below: Version{1, 47}, do: func(l *ImageListQuery) { l.Manifests = false }},
}

// imageListRules are what differs between versions of GET /images/json.
var imageListRules = []rule[*image.Summary]{
	{below: Version{1, 43}, do: func(s *image.Summary) {
		if len(s.RepoTags)+len(s.RepoDigests) == 0 {
			s.RepoTags, s.RepoDigests = []string{"<none>:<none>"}, []string{"<none>@<none>"}
		}
	}},
	{from: Version{1, 43}, do: func(s *image.Summary) {
		s.RepoTags, s.RepoDigests = orEmpty(s.RepoTags), orEmpty(s.RepoDigests)
	}},
	{below: Version{1, 44}, do: func(s *image.Summary) { s.VirtualSize = s.Size }},
	{below: Version{1, 51}, do: func(s *image.Summary) { s.Containers = -1 }},
}

// imageInspectRules are what differs between versions of GET /images/{name}/json.
var imageInspectRules = []rule[*ImageInspect]{
	{below: Version{1, 44}, do: func(i *ImageInspect) {
		i.VirtualSize = i.Size
		if i.Created == "" {
			i.Created = stamp(time.Time{})
		}
	}},
	{below: Version{1, 45}, do: func(i *ImageInspect) {
		i.ContainerConfig = &container.Config{}
	}},
	{below: Version{1, 50}, do: func(i *ImageInspect) {
		i.show(map[string]any{
			"AttachStderr": false, "AttachStdin": false, "AttachStdout": false, "Domainname": "", "Hostname": "", "Image": "",
			"OpenStdin": false, "StdinOnce": false, "Tty": false,
		})
	}},
	{from: Version{1, 24}, do: func(i *ImageInspect) {
		i.show(map[string]any{
			"Cmd": nil, "Entrypoint": nil, "Env": nil, "Labels": nil, "OnBuild": nil, "User": "", "Volumes": nil, "WorkingDir": "",
		})
	}},
}

// networkRules are what differs between versions of POST /networks/create.
var networkRules = []rule[*network.CreateRequest]{
	{below: Version{1, 48}, do: func(b *network.CreateRequest) { b.EnableIPv4 = nil }},
}

// networkListRules are what differs between versions of GET /networks: those of today do not tell what is attached.
var networkListRules = []rule[*engine.NetworkDetail]{
	{from: Version{1, 28}, do: func(n *engine.NetworkDetail) { n.Attached = nil }},
}

// volumePruneRules are what differs between versions of POST /volumes/prune: once it removed named volumes too.
var volumePruneRules = []rule[*engine.PruneQuery]{
	{below: Version{1, 42}, do: func(q *engine.PruneQuery) { q.All = true }},
}

// infoRules are what differs between versions of GET /info.
var infoRules = []rule[*SystemInfo]{
	{below: Version{1, 25}, do: func(i *SystemInfo) {
		for n, o := range i.SecurityOptions {
			i.SecurityOptions[n] = securityName(o)
		}
	}},
	{below: Version{1, 39}, do: func(i *SystemInfo) {
		for _, s := range []*string{&i.KernelVersion, &i.OperatingSystem} {
			if *s == "" {
				*s = "<unknown>"
			}
		}
	}},
	{below: Version{1, 47}, do: func(i *SystemInfo) {
		i.RegistryConfig.ExtraFields = map[string]any{"AllowNondistributableArtifactsCIDRs": nil, "AllowNondistributableArtifactsHostnames": nil}
	}},
	{below: Version{1, 49}, do: func(i *SystemInfo) {
		i.FirewallBackend = nil
		for _, c := range []*system.Commit{&i.ContainerdCommit, &i.RuncCommit, &i.InitCommit} {
			c.Expected = c.ID
		}
	}},
	{below: Version{1, 50}, do: func(i *SystemInfo) {
		i.extra = map[string]any{"BridgeNfIptables": false, "BridgeNfIp6tables": false}
	}},
}

// diskUsageRules are what differs between versions of GET /system/df.
var diskUsageRules = []rule[*types.DiskUsage]{
	{below: Version{1, 42}, do: func(u *types.DiskUsage) {
		for _, b := range u.BuildCache {
			u.BuilderSize += b.Size
			b.Parents = nil
		}
	}},
	{below: Version{1, 44}, do: func(u *types.DiskUsage) {
		for _, i := range u.Images {
			i.VirtualSize = i.Size
		}
	}},
}
