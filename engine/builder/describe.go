package builder

import (
	"fmt"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/xcengine/xc/engine/internal/declare"
)

// quoted is what %q makes of anything, which Docker's history shows for health checks.
func quoted(v any) string { return fmt.Sprintf("%q", v) }

// describe is how history tells a command that changed the configuration: in the words of moby's
// builder/dockerfile/dispatchers.go. next is the configuration after it.
func describe(cmd instructions.Command, next *declare.Config) string {
	name := strings.ToUpper(cmd.Name())
	words := []string{name}
	switch i := cmd.(type) {
	case *instructions.EnvCommand:
		for _, kv := range i.Env {
			words = append(words, kv.String())
		}
	case *instructions.LabelCommand:
		for _, kv := range i.Labels {
			words = append(words, kv.String())
		}
	case *instructions.ArgCommand:
		for _, kv := range i.Args {
			if words = append(words, kv.Key); kv.Value != nil {
				words[len(words)-1] = kv.String()
			}
		}
	case *instructions.ExposeCommand:
		words = append(words, strings.Join(i.Ports, " "))
	case *instructions.CmdCommand:
		words = append(words, fmt.Sprintf("%q", next.Process.Cmd))
	case *instructions.EntrypointCommand:
		words = append(words, fmt.Sprintf("%q", next.Process.Entrypoint))
	case *instructions.HealthCheckCommand:
		words = append(words, quoted(i.Health))
	case *instructions.MaintainerCommand:
		words = append(words, i.Maintainer)
	case *instructions.UserCommand:
		words = append(words, i.User)
	case *instructions.VolumeCommand:
		words = append(words, fmt.Sprint(i.Volumes))
	case *instructions.StopSignalCommand:
		words = append(words, i.Signal)
	case *instructions.OnbuildCommand:
		words = append(words, i.Expression)
	case *instructions.ShellCommand:
		words = append(words, fmt.Sprint(i.Shell))
	case *instructions.WorkdirCommand:
		words = append(words, i.Path)
	}
	return strings.Join(words, " ")
}
