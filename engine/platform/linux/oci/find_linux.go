package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/linux/cgroup"
)

// candidates are tried in this order: crun starts a process in a tenth of runc's time.
var candidates = []string{"crun", "runc"}

// runcShim is containerd's name for what starts runc; dockerd offers runc by it too.
const runcShim = "io.containerd.runc.v2"

// programDirs are looked in beside PATH, which is short in some services.
var programDirs = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// trialTimeout bounds a trial.
const trialTimeout = 30 * time.Second

// find chooses the first runtime that works on this host, and notes which others a container may ask for. Trials of earlier
// starts are believed as long as nothing changed that they depend on; when none of them is good, all are made anew.
func (r *Runtime) find(ctx context.Context) error {
	names := candidates
	if r.cfg.Runtime != "" {
		names = []string{r.cfg.Runtime}
	}
	file := filepath.Join(r.cfg.StateDir, "oci-runtime.json")
	known, err := readPrograms(file)
	if err != nil {
		return err
	}
	earlier := len(known) > 0
	good, problems := r.firstGood(ctx, names, known)
	if good.Path == "" && earlier && ctx.Err() == nil {
		known = programs{}
		good, problems = r.firstGood(ctx, names, known)
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case good.Path == "":
		return fmt.Errorf("no OCI runtime works on this host (%s); install runc or crun (on Debian and Ubuntu: apt-get install runc)", strings.Join(problems, "; "))
	}
	r.program, r.others = good, map[string]program{}
	for _, name := range candidates {
		if p, err := r.try(ctx, name, known); err == nil && p.Problem == "" && p.name() != good.name() {
			r.others[name] = p
		}
	}
	if p, err := r.choose("runc"); err == nil {
		r.others[runcShim] = p
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return known.write(file)
}

// firstGood tries the runtimes in order, but believes what is known of one, and notes in known what it finds.
func (r *Runtime) firstGood(ctx context.Context, names []string, known programs) (program, []string) {
	var problems []string
	for _, name := range names {
		p, err := r.try(ctx, name, known)
		if err == nil && p.Problem == "" {
			return p, nil
		}
		if err == nil {
			err = errors.New(p.Problem)
		}
		problems = append(problems, fmt.Sprintf("%s: %v", name, err))
	}
	return program{}, problems
}

// try finds out whether a runtime works. The error is of not finding it; one that was found and does not work has a Problem.
func (r *Runtime) try(ctx context.Context, name string, known programs) (program, error) {
	path, err := lookProgram(name)
	if err != nil {
		return program{}, err
	}
	key, err := r.trialKey(path)
	if err != nil {
		return program{}, err
	}
	if p, ok := known[path]; ok && p.Key == key {
		return p, nil
	}
	p := program{Path: path, Key: key}
	version, err := output(ctx, path, "--version")
	if err != nil {
		return program{}, err
	}
	p.Version, _, _ = strings.Cut(strings.TrimSpace(string(version)), "\n")
	release, _, err := kernel()
	if err != nil {
		return program{}, err
	}
	features, err := output(ctx, path, "features")
	p.RecursiveRO = (err == nil && knowsRRO(features) || crunKnowsRRO(p.Version)) && kernelAtLeast(release, 5, 12)
	start := time.Now()
	err = r.trial(ctx, p)
	if groups := r.host.groups; err != nil && groups.V2 != "" && !groups.Unified() {
		aside := p
		aside.Hidden = groups.V2
		if r.trial(ctx, aside) == nil {
			p, err = aside, nil
		}
	}
	if err != nil {
		p.Problem = err.Error()
	}
	r.log.InfoContext(ctx, "tried an OCI runtime", "path", path, "version", p.Version, "took", time.Since(start), "hidden", p.Hidden, "problem", p.Problem)
	known[path] = p
	return p, nil
}

func lookProgram(name string) (string, error) {
	if strings.Contains(name, "/") {
		return exec.LookPath(name)
	}
	dirs := append(filepath.SplitList(os.Getenv("PATH")), programDirs...)
	for _, dir := range slices.Compact(dirs) {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil && filepath.IsAbs(path) {
			return path, nil
		}
	}
	return "", errors.New("it is not installed")
}

// trialKey is a text of everything that a trial's outcome depends on.
func (r *Runtime) trialKey(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	release, machine, err := kernel()
	if err != nil {
		return "", err
	}
	// The leading number is of what a trial finds out.
	return fmt.Sprintf("2: size %d, changed %d, kernel %s %s, capabilities %d, groups %s", info.Size(), info.ModTime().UnixNano(),
		release, machine, len(r.host.capabilities), r.host.groups.Signature()), nil
}

// trial runs a container with everything that an ordinary one has: namespaces, limits, mounts, a filter.
func (r *Runtime) trial(ctx context.Context, p program) (err error) {
	ctx, cancel := context.WithTimeout(ctx, trialTimeout)
	defer cancel()
	dir, err := os.MkdirTemp(r.cfg.StateDir, "oci-trial-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	t := *r
	t.program, t.others = p, nil
	pids := int64(100)
	spec := engine.SandboxSpec{
		ID: engine.ContainerID(engine.NewID()), Dir: dir, Root: filepath.Join(dir, "root"), Args: []string{"--version"}, Init: true,
		Spec: engine.Spec{Hostname: "trial", Resources: engine.Resources{Memory: 64 << 20, CPUShares: 512, PidsLimit: &pids}},
	}
	if err := os.Mkdir(spec.Root, 0o755); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, t.RemoveSandbox(ctx, spec.ID, dir))
		// A program may have used hierarchies that the chosen one leaves alone.
		r.host.groups.Group(r.host.groupParent).RemoveEmpty()
	}()
	box, err := t.CreateSandbox(ctx, spec)
	if err != nil {
		return err
	}
	// Without the "--" that Launch would put before the program, docker-init takes the option for itself.
	if err := t.writeConfig(spec, box, []string{initTarget, "--version"}); err != nil {
		return err
	}
	return p.run(ctx, "--root", t.places.runtimeRoot(spec.ID), "run", "--bundle", bundle(dir), string(spec.ID))
}

// run runs the runtime in the view of the host that it needs.
func (p program) run(ctx context.Context, args ...string) error {
	return cgroup.Aside(p.Hidden, func() error {
		_, err := output(ctx, append([]string{p.Path}, args...)...)
		return err
	})
}

// output runs a host program and returns what it prints. The error of one that fails is the last thing it said on stderr.
func output(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = []string{"PATH=" + defaultPath, "LC_ALL=C"}
	cmd.WaitDelay = time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err == nil {
		return out, nil
	}
	if strings.TrimSpace(stderr.String()) != "" {
		return nil, saidError(stderr.String())
	}
	return nil, fmt.Errorf("%s: %w", filepath.Base(args[0]), err)
}
