package translate

import (
	"strconv"
	"time"

	"github.com/docker/docker/api/types/volume"

	"github.com/xcengine/xc/engine"
)

// VolumeRequest reads a volume create.
func VolumeRequest(body volume.CreateOptions, v Version) (engine.VolumeRequest, error) {
	if body.ClusterVolumeSpec != nil && !v.Before(1, 42) {
		return engine.VolumeRequest{}, NoManager()
	}
	return engine.VolumeRequest{Name: body.Name, Driver: body.Driver, Labels: body.Labels, Options: body.DriverOpts}, nil
}

// ClusterVolumeUpdate is the answer to an update of a volume: there are only cluster volumes to update, and no cluster.
func ClusterVolumeUpdate() error {
	return refusef(engine.Unavailable, "volume update only valid for cluster volumes, but swarm is unavailable")
}

// VolumeQuery reads the filters of a volume list.
func VolumeQuery(f Filters) (engine.VolumeQuery, error) {
	if err := f.Only("dangling", "driver", "label", "name"); err != nil {
		return engine.VolumeQuery{}, err
	}
	dangling, err := f.Bool("dangling")
	return engine.VolumeQuery{Names: f["name"], Drivers: f["driver"], Labels: f.Labels("label"), Dangling: dangling}, err
}

// VolumePrune reads the filters of a volume prune. Before 1.42 it removed named volumes too.
func VolumePrune(f Filters, v Version) (engine.PruneQuery, error) {
	if err := f.Only("all", "label", "label!"); err != nil {
		return engine.PruneQuery{}, err
	}
	q := engine.PruneQuery{Labels: f.Labels("label"), NotLabels: f.Labels("label!")}
	apply(volumePruneRules, v, &q)
	switch all := f["all"]; {
	case q.All || len(all) == 0:
	case len(all) > 1:
		return q, invalidf("invalid filter 'all=%s': only one value is expected", all)
	default:
		yes, err := strconv.ParseBool(all[0])
		if err != nil {
			return q, invalidf("invalid filter 'all': %v", err)
		}
		q.All = yes
	}
	return q, nil
}

// Volume renders a volume.
func Volume(v engine.Volume) volume.Volume {
	return volume.Volume{
		CreatedAt: v.Created.UTC().Format(time.RFC3339), Driver: v.Driver, Labels: v.Labels, Mountpoint: v.Mountpoint,
		Name: v.Name, Options: v.Options, Scope: "local",
	}
}

// Volumes renders a volume list.
func Volumes(list []engine.Volume) volume.ListResponse {
	out := volume.ListResponse{Volumes: make([]*volume.Volume, 0, len(list))}
	for _, v := range list {
		one := Volume(v)
		out.Volumes = append(out.Volumes, &one)
	}
	return out
}

// VolumesPruned answers a volume prune.
func VolumesPruned(r engine.PruneResult) volume.PruneReport {
	return volume.PruneReport{VolumesDeleted: orEmpty(r.Deleted), SpaceReclaimed: uint64(max(r.Reclaimed, 0))}
}

// volumeUsage renders a volume in the disk usage.
func volumeUsage(u engine.VolumeUsage) *volume.Volume {
	v := Volume(u.Volume)
	v.UsageData = &volume.UsageData{RefCount: int64(u.RefCount), Size: u.Size}
	return &v
}

// orEmpty renders an absent list as an empty one.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// BadVolumeFilters says of which operation the filters could not be read.
func BadVolumeFilters(err error) error {
	return invalidf("error reading volume filters: %s", Message(err))
}
