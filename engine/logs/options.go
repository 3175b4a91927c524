package logs

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/docker/go-units"

	"github.com/xcengine/xc/engine"
)

// The log drivers.
const (
	DriverJSON   = "json-file"
	DriverLocal  = "local"
	DriverSyslog = "syslog"
	DriverNone   = "none"
)

// Drivers lists the log drivers, as info shows them.
func Drivers() []string { return []string{DriverJSON, DriverLocal, DriverNone, DriverSyslog} }

// foreign are Docker's other drivers, which send lines to services that this engine does not speak to.
var foreign = []string{"awslogs", "etwlogs", "fluentd", "gcplogs", "gelf", "journald", "logentries", "splunk"}

// common are options that dockerd takes for every driver. A log that is a local file needs neither a buffer before it nor a
// cache behind it, so that for those drivers they are checked and have no effect.
var common = []string{"mode", "max-buffer-size", "cache-disabled", "cache-max-file", "cache-max-size", "cache-compress"}

var known = map[string][]string{
	DriverJSON:  {"max-file", "max-size", "compress", "labels", "labels-regex", "env", "env-regex", "tag"},
	DriverLocal: {"max-file", "max-size", "compress"},
	DriverSyslog: {
		"env", "env-regex", "labels", "labels-regex", "syslog-address", "syslog-facility", "syslog-format", "syslog-tls-ca-cert",
		"syslog-tls-cert", "syslog-tls-key", "syslog-tls-skip-verify", "tag",
	},
}

// Validate checks what dockerd checks when a container is created: driver, names of options, and the values of those
// common to all drivers. The errors are Invalid and carry dockerd's words. An empty driver is json-file.
func Validate(spec engine.LogSpec) error {
	driver := spec.Driver
	if driver == "" {
		driver = DriverJSON
	}
	if driver == DriverNone {
		return nil
	}
	if err := validateCommon(spec.Options); err != nil {
		return invalid(err)
	}
	names, ok := known[driver]
	if slices.Contains(foreign, driver) {
		return invalid(fmt.Errorf("logging driver %q is not supported: use json-file, local, syslog or none", driver))
	}
	if !ok {
		return invalid(fmt.Errorf("error looking up logging plugin %s: plugin %q not found", driver, driver))
	}
	for _, k := range sortedKeys(spec.Options) {
		if slices.Contains(names, k) || slices.Contains(common, k) {
			continue
		}
		if driver == DriverLocal {
			return invalid(fmt.Errorf("unknown log opt '%s' for log driver local", k))
		}
		return invalid(fmt.Errorf("unknown log opt '%s' for %s log driver", k, driver))
	}
	if driver == DriverSyslog {
		if _, err := receiver(spec.Options); err != nil {
			return invalid(err)
		}
	}
	return nil
}

// nonBlocking is the mode in which a container never waits for its log.
const nonBlocking = "non-blocking"

func validateCommon(opts map[string]string) error {
	switch opts["mode"] {
	case "", "blocking", nonBlocking:
	default:
		return fmt.Errorf("logger: logging mode not supported: %s", opts["mode"])
	}
	if s, ok := opts["max-buffer-size"]; ok {
		if opts["mode"] != nonBlocking {
			return errors.New("logger: max-buffer-size option is only supported with 'mode=non-blocking'")
		}
		if _, err := units.RAMInBytes(s); err != nil {
			return fmt.Errorf("error parsing option max-buffer-size: %w", err)
		}
	}
	if v := opts["cache-disabled"]; v != "" {
		if _, err := strconv.ParseBool(v); err != nil {
			return fmt.Errorf("invalid value for option cache-disabled: %s", v)
		}
	}
	return nil
}

// Resolve makes of a container's log options what its shim is told, as dockerd does when a container starts. path is where
// the log stands. The errors are Invalid and carry dockerd's words behind "failed to initialize logging driver: ".
func Resolve(spec engine.LogSpec, path string, info Info) (engine.LogFile, error) {
	if err := Validate(spec); err != nil {
		return engine.LogFile{}, err
	}
	var f engine.LogFile
	var err error
	switch spec.Driver {
	case DriverNone:
		return engine.LogFile{Driver: DriverNone, MaxFiles: 1}, nil
	case DriverLocal:
		f, err = resolveLocal(spec.Options)
	case DriverSyslog:
		f, err = resolveSyslog(spec.Options, info)
		if disabled, _ := strconv.ParseBool(spec.Options["cache-disabled"]); disabled {
			path = ""
		}
	default:
		f, err = resolveJSON(spec.Options, info)
	}
	if err != nil {
		return engine.LogFile{}, invalid(err)
	}
	f.Path = path
	return f, nil
}

func resolveJSON(opts map[string]string, info Info) (engine.LogFile, error) {
	f := engine.LogFile{Driver: DriverJSON, MaxFiles: 1}
	var err error
	if s, ok := opts["max-size"]; ok {
		if f.MaxSize, err = units.FromHumanSize(s); err != nil {
			return f, err
		}
		if f.MaxSize <= 0 {
			return f, errors.New("max-size must be a positive number")
		}
	}
	if s, ok := opts["max-file"]; ok {
		if f.MaxFiles, err = strconv.Atoi(s); err != nil {
			return f, err
		}
		if f.MaxFiles < 1 {
			return f, errors.New("max-file cannot be less than 1")
		}
	}
	if s, ok := opts["compress"]; ok {
		if f.Compress, err = strconv.ParseBool(s); err != nil {
			return f, err
		}
		if f.Compress && (f.MaxFiles == 1 || f.MaxSize == 0) {
			return f, errors.New("compress cannot be true when max-file is less than 2 or max-size is not set")
		}
	}
	f.Attrs, err = info.attrs(opts)
	return f, err
}

func resolveLocal(opts map[string]string) (engine.LogFile, error) {
	f := engine.LogFile{Driver: DriverLocal, MaxSize: 20 << 20, MaxFiles: 5, Compress: true}
	var err error
	if s, ok := opts["max-size"]; ok {
		if f.MaxSize, err = units.FromHumanSize(s); err != nil {
			return f, fmt.Errorf("invalid value for max-size: %s: %w", s, err)
		}
	}
	if s, ok := opts["max-file"]; ok {
		if f.MaxFiles, err = strconv.Atoi(s); err != nil {
			return f, fmt.Errorf("invalid value for max-file: %s: %w", s, err)
		}
	}
	if s, ok := opts["compress"]; ok {
		if f.Compress, err = strconv.ParseBool(s); err != nil {
			return f, fmt.Errorf("error reading compress log option: %w", err)
		}
	}
	switch {
	case f.MaxFiles < 0:
		return f, errors.New("max file count cannot be less than 0")
	case f.Compress && f.MaxFiles <= 1:
		return f, errors.New("compression cannot be enabled when max file count is 1")
	}
	f.MaxFiles = max(f.MaxFiles, 1)
	return f, nil
}

func invalid(err error) error {
	return &engine.Error{Op: "log", Kind: engine.Invalid, Err: err}
}
