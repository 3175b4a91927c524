package doctor

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// fullPool is how many percent of a pool may be in use: ZFS gets slow beyond.
const fullPool = 90

// pools looks at the pools themselves.
func pools(f Facts, _ Options) []Finding {
	b := f.FreeBSD
	if len(b.Pools) == 0 {
		return []Finding{{
			ID: "zfs.pool", Severity: Hint, What: "there is no ZFS pool", Breaks: "images and roots are copied file by file instead of cloned: slower, and more space",
			Mend: []string{"zpool create tank DISK"},
		}}
	}
	var found []Finding
	for _, p := range b.Pools {
		found = append(found, one(p.Health != "ONLINE", Finding{
			ID: "zfs.health", Severity: Limited, What: "the pool " + p.Name + " is " + p.Health, Breaks: "what is on it may be lost", Mend: []string{"zpool status -x " + p.Name},
		}, "the pool "+p.Name+" is online")...)
		if p.Full >= fullPool {
			found = append(found, Finding{
				ID: "zfs.full", Severity: Limited, What: fmt.Sprintf("the pool %s is %d%% full", p.Name, p.Full), Breaks: "everything on it gets slow", Mend: []string{"docker system prune"},
			})
		}
	}
	return found
}

// choosePool is where images and containers are put unless the administrator decides.
func choosePool(b *FreeBSD, o Options) string {
	if o.Pool != "" {
		return o.Pool
	}
	if slices.ContainsFunc(b.Pools, func(p Pool) bool { return p.Name == b.RootPool }) {
		return b.RootPool
	}
	if len(b.Pools) == 0 {
		return ""
	}
	return slices.MaxFunc(b.Pools, func(p, q Pool) int { return cmp.Compare(p.Free, q.Free) }).Name
}

// datasets looks at the datasets that the configuration names, or should.
func datasets(f Facts, o Options) []Finding {
	c, b := f.Config, f.FreeBSD
	if c.Problem != "" || c.StorageDriver == "copy" {
		return nil
	}
	if c.ImageDataset == "" {
		return unconfigured(f, o)
	}
	if poolOf(c.ImageDataset) != poolOf(c.ContainerDataset) {
		return []Finding{{
			ID: "zfs.datasets", Severity: Broken, What: c.ImageDataset + " and " + c.ContainerDataset + " are in different pools",
			Breaks: "a root is a clone of its image, so xcd does not start", Mend: []string{"$EDITOR " + c.File.Path},
		}}
	}
	var found []Finding
	for _, name := range wantedDatasets(c, "") {
		imported := slices.ContainsFunc(b.Pools, func(p Pool) bool { return p.Name == poolOf(name) })
		found = append(found, dataset(name, imported, b.Datasets[name]))
	}
	return found
}

func dataset(name string, imported bool, have Dataset) Finding {
	f := Finding{ID: "zfs.dataset", Severity: Broken, Breaks: "xcd does not start: what it has may be there"}
	switch {
	case !imported:
		f.What, f.Mend = "there is no pool "+poolOf(name)+", which "+name+" is to be in", []string{"zpool import " + poolOf(name)}
	case have == nil:
		f.What, f.Steps = "there is no dataset "+name, []Step{createDataset(name)}
	case have["type"] != "filesystem":
		f.What, f.Mend = name+" is a "+have["type"]+", not a file system", []string{"name another in " + DefaultConfig}
	case have["keystatus"] == "unavailable":
		f.What, f.Mend = "the key of "+name+" is not loaded", []string{"zfs load-key " + name}
	default:
		return ok(f.ID, "the dataset "+name+" is there")
	}
	return f
}

// createDataset makes a dataset as the guide does.
func createDataset(name string) Step { return command("zfs", "create", "-p", "-o", "atime=off", name) }

func poolOf(dataset string) string {
	name, _, _ := strings.Cut(dataset, "/")
	return name
}

// unconfigured is what is done where a pool is, but no dataset is named. A daemon that has roots as copies already keeps
// them: it would not find them any more.
func unconfigured(f Facts, o Options) []Finding {
	pool := choosePool(f.FreeBSD, o)
	if pool == "" {
		return nil
	}
	finding := Finding{
		ID: "zfs.datasets", Severity: Limited, What: "no image_dataset is configured in " + f.Config.File.Path,
		Breaks: "images and roots are copied file by file instead of cloned: slower, and more space",
	}
	images, containers := pool+"/xc/datasets", pool+"/xc/run"
	edit, can := configureDatasets(f.Config.File, images, containers)
	if f.FreeBSD.CopyInUse || !can {
		finding.Severity = Hint
		finding.Mend = []string{"xcd purge", createDataset(images).Lines()[0], createDataset(containers).Lines()[0], "xc setup"}
		finding.Breaks += "; the daemon already has images as copies, which it would not find any more"
		return []Finding{finding}
	}
	finding.Steps = []Step{createDataset(images), createDataset(containers), edit}
	if f.Native.Server != "" && f.FreeBSD.Service && yes(f.FreeBSD.RC["xcd_enable"]) { // one started by hand is its starter's
		finding.Steps = append(finding.Steps, command("service", "xcd", "restart"), Answer{f.Native.Path})
	}
	return []Finding{finding}
}

// configureDatasets adds the datasets to the configuration: to one that is there as its first lines, so that nothing else
// of it is touched.
func configureDatasets(file File, images, containers string) (Edit, bool) {
	e := Edit{Path: file.Path, Old: file.Text, Absent: !file.Exists, Mode: 0o644}
	members := fmt.Sprintf("  \"image_dataset\": %q,\n  \"container_dataset\": %q", images, containers)
	rest, object := strings.CutPrefix(strings.TrimSpace(file.Text), "{")
	switch inner := strings.TrimSpace(strings.TrimSuffix(rest, "}")); {
	case strings.TrimSpace(file.Text) == "", object && inner == "":
		e.New = "{\n" + members + "\n}\n"
	case !object:
		return e, false
	default:
		at := strings.Index(file.Text, "{") + 1
		e.New = file.Text[:at] + "\n" + members + "," + leadingNewline(file.Text[at:])
	}
	// A file that already has one of the keys, empty, would have it twice.
	twice := bytes.Count([]byte(e.New), []byte(`"image_dataset"`)) > 1 || bytes.Count([]byte(e.New), []byte(`"container_dataset"`)) > 1
	return e, json.Valid([]byte(e.New)) && !twice
}

func leadingNewline(s string) string {
	if strings.HasPrefix(strings.TrimLeft(s, " \t"), "\n") {
		return strings.TrimLeft(s, " \t")
	}
	return "\n  " + strings.TrimLeft(s, " \t")
}

// ownDatasets looks at the daemon's own datasets: ZFS must mount nothing of them by itself, at boot or otherwise.
func ownDatasets(f Facts, _ Options) []Finding {
	var found []Finding
	for _, name := range wantedDatasets(f.Config, f.FreeBSD.Owner) {
		have := f.FreeBSD.Datasets[name]
		if f.FreeBSD.Owner == "" || !strings.HasSuffix(name, "/"+f.FreeBSD.Owner) || have == nil {
			continue
		}
		found = append(found, one(have["mountpoint"] != "legacy" || have["canmount"] == "on", Finding{
			ID: "zfs.mounts", Severity: Limited, What: fmt.Sprintf("%s has mountpoint=%s canmount=%s", name, have["mountpoint"], have["canmount"]),
			Breaks: "every root and layer is mounted at boot, a second time",
			Steps:  []Step{command("zfs", "set", "canmount=noauto", name), command("zfs", "set", "mountpoint=legacy", name)},
		}, name+" mounts nothing by itself")...)
	}
	return found
}
