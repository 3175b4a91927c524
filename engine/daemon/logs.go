package daemon

import (
	"os"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/lifecycle"
	"github.com/xcengine/xc/engine/logs"
)

// logReader gives engine/logs the form that lifecycle wants.
type logReader struct{}

// Check implements lifecycle.LogReader.
func (logReader) Check(spec engine.LogSpec, c engine.Container) (engine.LogFile, error) {
	host, _ := os.Hostname() // a tag template may name it; without it the name is empty
	args := c.Spec.Process.Args()
	info := logs.Info{
		Config: spec.Options, ContainerID: string(c.ID), ContainerName: "/" + c.Name, ContainerImageID: string(c.Image),
		ContainerImageName: c.Spec.ImageRef, ContainerCreated: c.Created, ContainerEnv: c.Spec.Process.Env,
		ContainerLabels: c.Spec.Labels, LogPath: c.LogPath, DaemonName: "xcd", HostName: host,
	}
	if len(args) > 0 {
		info.ContainerEntrypoint, info.ContainerArgs = args[0], args[1:]
	}
	return logs.Resolve(spec, c.LogPath, info)
}

// Open implements lifecycle.LogReader.
func (logReader) Open(file engine.LogFile, q engine.LogQuery, grew <-chan struct{}) (lifecycle.LogRecords, error) {
	return logs.Open(file, q, grew)
}
