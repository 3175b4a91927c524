package platform

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/daemon"
	"github.com/xcengine/xc/engine/lifecycle"
	"github.com/xcengine/xc/engine/shim"
)

// shimName is the shim's program, looked for beside the daemon's own and on PATH.
const shimName = "xc-shim"

// shims gives the shim client the form that lifecycle wants.
type shims struct{ *shim.Client }

var (
	_ lifecycle.Shims = shims{}
	_ lifecycle.Shim  = (*shim.Handle)(nil)
)

// Start implements lifecycle.Shims.
func (s shims) Start(ctx context.Context, sup engine.Supervision) (lifecycle.Shim, error) {
	h, err := s.Client.Start(ctx, sup)
	if err != nil {
		return nil, err // not a nil *shim.Handle in an interface
	}
	return h, nil
}

// Open implements lifecycle.Shims.
func (s shims) Open(ctx context.Context, id engine.ContainerID, dir string) (lifecycle.Shim, error) {
	h, err := s.Client.Open(ctx, id, dir)
	if err != nil {
		return nil, err
	}
	return h, nil
}

// shimPath finds the shim's program: the configured one, one beside this program, one on PATH.
func shimPath(cfg daemon.Config) (string, error) {
	if cfg.ShimPath != "" {
		return filepath.Abs(cfg.ShimPath)
	}
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), shimName)
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
	}
	path, err := exec.LookPath(shimName)
	if err != nil {
		return "", &engine.Error{Op: "start", Kind: engine.Unavailable, Err: errors.New("xc-shim is neither beside xcd nor on PATH: install it there, or name it with \"shim_path\" in the configuration")}
	}
	return filepath.Abs(path)
}
