package volumes

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"

	"github.com/docker/go-units"

	"github.com/xcengine/xc/engine"
)

const driverName = "local"

// anonymousLabel is Docker's mark of a volume that nobody named.
const anonymousLabel = "com.docker.volume.anonymous"

const nameChars = `[a-zA-Z0-9][a-zA-Z0-9_.-]`

var nameForm = regexp.MustCompile(`^` + nameChars + `+$`)

// maxName is how long a file name may be.
const maxName = 255

// checkName holds a name to dockerd's rules (daemon/names, volume/local).
func checkName(name string) error {
	switch {
	case len(name) == 1:
		return errors.New("volume name is too short, names should be at least two alphanumeric characters")
	case !nameForm.MatchString(name):
		return fmt.Errorf("%q includes invalid characters for a local volume name, only %q are allowed. "+
			"If you intended to pass a host directory, use absolute path", name, nameChars)
	case len(name) > maxName:
		return fmt.Errorf("volume name is too long, it may have %d characters", maxName)
	}
	return nil
}

// needs are the options that an option does not make sense without.
var needs = []struct{ option, other string }{{"device", "type"}, {"type", "device"}, {"o", "device"}, {"o", "type"}}

// checkOptions holds the driver's options to dockerd's rules (volume/local).
func checkOptions(options map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(options)) {
		if !slices.Contains([]string{"type", "device", "o", "size"}, name) {
			return fmt.Errorf("invalid option: %q", name)
		}
	}
	if options["type"] == "cifs" && options["device"] != "" {
		device, err := url.Parse(options["device"])
		if err != nil {
			return fmt.Errorf("error parsing mount device url: %w", err)
		}
		if device.Port() != "" {
			return errors.New("port not allowed in CIFS device URL, include 'port' in 'o='")
		}
	}
	if size, ok := options["size"]; ok {
		n, err := units.RAMInBytes(size)
		if err != nil {
			return err
		}
		if n > 0 {
			return errors.New("quota size requested but no quota support")
		}
	}
	for _, n := range needs {
		_, has := options[n.option]
		if _, ok := options[n.other]; has && !ok {
			return fmt.Errorf("missing required option: %q", n.other)
		}
	}
	return nil
}

// needsMount reports whether a volume is more than its directory.
func needsMount(v engine.Volume) bool { return v.Options["type"] != "" || v.Options["device"] != "" }

// check refuses a request in dockerd's words.
func check(req engine.VolumeRequest) error {
	if req.Driver != "" && req.Driver != driverName {
		return &engine.Error{
			Op: "create", Kind: engine.NotFound, Resource: engine.ResourceVolume, ID: req.Name,
			Reason: engine.ReasonDriverUnknown, Args: []string{req.Driver},
		}
	}
	err := checkName(req.Name)
	if err == nil {
		err = checkOptions(req.Options)
	}
	if err == nil {
		return nil
	}
	return &engine.Error{Op: "create", Kind: engine.Invalid, Resource: engine.ResourceVolume, ID: req.Name, Err: fmt.Errorf("create %s: %w", req.Name, err)}
}
