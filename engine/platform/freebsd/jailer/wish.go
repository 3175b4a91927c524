package jailer

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/freebsd/devfs"
)

// Labels and annotations for what Docker has no word for.
const (
	labelVNET       = "xc.vnet"
	labelParam      = "xc.jail."
	labelDevfs      = "xc.devfs."
	labelDataset    = "xc.dataset"
	annotationParam = "org.freebsd.jail."
)

// wish is what labels and annotations ask for.
type wish struct {
	vnet     *bool             // nil: not said
	params   map[string]string // raw jail parameters
	rules    []devfs.Rule
	datasets []dataset
}

// dataset is a ZFS dataset that the jail manages itself. Env, unless empty, names a variable that tells the jail its name.
type dataset struct {
	Env, Name string
}

// readWish collects every mistake.
func readWish(s engine.Spec) (w wish, errs []error) {
	w.params = map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(s.Annotations)) {
		if name, ok := strings.CutPrefix(key, annotationParam); ok {
			errs = append(errs, w.param(key, name, s.Annotations[key]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.Labels)) {
		value := s.Labels[key]
		switch {
		case key == labelVNET:
			errs = append(errs, w.setVNET(key, value))
		case strings.HasPrefix(key, labelParam):
			errs = append(errs, w.param(key, strings.TrimPrefix(key, labelParam), value))
		case strings.HasPrefix(key, labelDevfs):
			rule, err := devfs.Parse(value)
			if err != nil {
				errs = append(errs, fmt.Errorf("label %s: %w", key, err))
			}
			w.rules = append(w.rules, rule)
		case key == labelDataset || strings.HasPrefix(key, labelDataset+"."):
			d, err := parseDataset(value)
			if err != nil {
				errs = append(errs, fmt.Errorf("label %s: %w", key, err))
			}
			w.datasets = append(w.datasets, d)
		}
	}
	return w, slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

// param takes one raw parameter. Those that have a place of their own in a jail's configuration go there.
func (w *wish) param(key, name, value string) error {
	if name == "vnet" {
		return w.setVNET(key, value)
	}
	w.params[name] = value
	return nil
}

func (w *wish) setVNET(key, value string) error {
	var on bool
	switch value {
	case "new":
		on = true
	case "inherit", "disable":
	default:
		var err error
		if on, err = strconv.ParseBool(value); err != nil {
			return fmt.Errorf("%s=%s: must be true or false", key, value)
		}
	}
	w.vnet = &on
	return nil
}

// datasetChars are what the names of ZFS datasets are made of (zfsprops(7)).
const datasetChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-/"

func parseDataset(s string) (dataset, error) {
	env, name, ok := strings.Cut(s, ":")
	if !ok || strings.Contains(env, "/") {
		env, name = "", s
	}
	if name == "" || strings.Trim(name, datasetChars) != "" || strings.HasPrefix(name, "/") || strings.HasPrefix(name, "-") || strings.HasSuffix(name, "/") || !strings.Contains(name, "/") {
		return dataset{}, fmt.Errorf("%q is not a dataset below a pool", name)
	}
	return dataset{env, name}, nil
}
