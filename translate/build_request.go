package translate

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/registry"

	"github.com/xcengine/xc/engine"
)

// Build reads the query of a build and its credentials, the header X-Registry-Config. The context is the caller's to add.
func Build(q url.Values, registries string, v Version, host Host) (engine.BuildRequest, error) {
	req := engine.BuildRequest{
		ID: q.Get("buildid"), Remote: q.Get("remote"), Dockerfile: q.Get("dockerfile"), Tags: q["t"], Target: q.Get("target"),
		NoCache: truth(q, "nocache"), Pull: truth(q, "pull"), RemoveFailed: truth(q, "forcerm"), Auth: buildCredentials(registries),
	}
	req.KeepContainers = !req.RemoveFailed && q.Get("rm") != "" && !truth(q, "rm") // forcerm says rm too
	if err := checkBuild(q, host); err != nil {
		return req, err
	}
	for _, field := range []struct {
		key, what string
		to        any
	}{
		{"buildargs", "error reading build args", &req.Args},
		{"labels", "error reading labels", &req.Labels},
		{"cachefrom", "error reading cache-from", &req.CacheFrom},
	} {
		if s := q.Get(field.key); s != "" {
			if err := json.Unmarshal([]byte(s), field.to); err != nil {
				return req, invalidf("%s: %w", field.what, err)
			}
		}
	}
	if p := q.Get("platform"); p != "" && !v.Before(1, 32) {
		var err error
		if req.Platform, err = Platform(p, host); err != nil {
			return req, err
		}
	}
	return req, buildEnvironment(&req, q, host)
}

// checkBuild refuses what this engine has none of.
func checkBuild(q url.Values, host Host) error {
	switch version := q.Get("version"); version {
	case "", "1":
	case "2":
		return NoSession()
	default:
		return invalidf("invalid version %q", version)
	}
	switch isolation := strings.ToLower(q.Get("isolation")); {
	case isolation != "" && isolation != "default":
		return invalidf("unsupported isolation: %q", q.Get("isolation"))
	case truth(q, "squash"):
		return invalidf("squash is only supported with experimental mode")
	case q.Has("securityopt"):
		return invalidf("security options are not supported on %s", host.OSType)
	}
	return nil
}

// buildEnvironment reads what the containers of a build are to have.
func buildEnvironment(req *engine.BuildRequest, q url.Values, host Host) error {
	h := &container.HostConfig{
		ExtraHosts: slices.DeleteFunc(slices.Clone(q["extrahosts"]), func(s string) bool { return s == "" }), Resources: container.Resources{
			Memory: count(q, "memory"), MemorySwap: count(q, "memswap"), CPUShares: count(q, "cpushares"), CPUPeriod: count(q, "cpuperiod"),
			CPUQuota: count(q, "cpuquota"), CpusetCpus: q.Get("cpusetcpus"), CpusetMems: q.Get("cpusetmems"), CgroupParent: q.Get("cgroupparent"),
		},
	}
	if s := q.Get("shmsize"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return &engine.Error{Err: err}
		}
		h.ShmSize = n
	}
	if s := q.Get("ulimits"); s != "" {
		if err := json.Unmarshal([]byte(s), &h.Ulimits); err != nil {
			return invalidf("error reading ulimit settings: %w", err)
		}
	}
	if err := checkResources(h.Resources, host, false); err != nil {
		return err
	}
	if err := checkExtraHosts(h); err != nil {
		return err
	}
	var err error
	req.Network = engine.NetworkSpec{Mode: engine.NetworkMode(q.Get("networkmode")), ExtraHosts: h.ExtraHosts}
	req.Resources, err = resources(h)
	return err
}

// truth reads a key as dockerd does.
func truth(q url.Values, key string) bool {
	v := strings.ToLower(strings.TrimSpace(q.Get(key)))
	return !slices.Contains([]string{"", "0", "no", "false", "none"}, v)
}

// count reads a number; what is none is zero, as with dockerd.
func count(q url.Values, key string) int64 {
	n, err := strconv.ParseInt(q.Get(key), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// buildCredentials reads those for all registries that the client knows. What cannot be read counts as none.
func buildCredentials(header string) map[string]engine.Credentials {
	text := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(strings.TrimSpace(header), "="))
	b, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(b) == 0 {
		return nil
	}
	var all map[string]registry.AuthConfig
	if err := json.Unmarshal(b, &all); err != nil {
		return nil
	}
	out := map[string]engine.Credentials{}
	for name, auth := range all {
		out[name] = AuthConfig(auth)
	}
	return out
}

// What a process wrote to its error output is shown in red.
const red, notRed = "\x1b[91m", "\x1b[0m"

// BuildLines renders a build's event as lines of its stream, in the words of dockerd's classic builder.
func BuildLines(e engine.BuildEvent, v Version) []byte {
	say := func(format string, args ...any) []byte {
		return encodeLine(progressLine{Stream: fmt.Sprintf(format, args...)})
	}
	switch e.Kind {
	case engine.BuildStep:
		return append(say("Step %d/%d : %s", e.N, e.Total, e.Text), say("\n")...)
	case engine.BuildImage:
		return say(" ---> %s\n", e.Image.Short())
	case engine.BuildCached:
		return say(" ---> Using cache\n")
	case engine.BuildRunning:
		return say(" ---> Running in %s\n", e.Container.Short())
	case engine.BuildRemoved:
		return say(" ---> Removed intermediate container %s\n", e.Container.Short())
	case engine.BuildOutput:
		if e.Stderr {
			return say("%s%s%s", red, e.Data, notRed)
		}
		return say("%s", e.Data)
	case engine.BuildTriggers:
		if e.N == 1 {
			return say("# Executing 1 build trigger\n")
		}
		return say("# Executing %d build triggers\n", e.N)
	case engine.BuildResult:
		if e.Image == "" || v.Before(1, 30) {
			return nil
		}
		return ProgressLine(engine.Progress{Aux: &engine.ProgressAux{ID: e.Image}})
	case engine.BuildDone:
		return say("Successfully built %s\n", e.Image.Short())
	case engine.BuildTagged:
		return say("Successfully tagged %s\n", e.Text)
	case engine.BuildWarning:
		return say("%s\n", e.Text)
	case engine.BuildProgress:
		return ProgressLine(e.Progress)
	}
	return nil
}

// BuiltLine is all that a quiet build tells.
func BuiltLine(id engine.ImageID) []byte { return encodeLine(progressLine{Stream: string(id) + "\n"}) }

// stepCode is the exit code of the command that made a build fail; 0 when something else did.
func stepCode(err error) int {
	for {
		var e *engine.Error
		if !errors.As(err, &e) {
			return 0
		}
		if e.Reason == engine.ReasonStepFailed && len(e.Args) > 1 {
			n, err := strconv.Atoi(e.Args[1])
			if err != nil {
				return 0
			}
			return n
		}
		err = e.Err
	}
}
