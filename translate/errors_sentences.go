package translate

import (
	"fmt"
	"strings"

	"github.com/xcengine/xc/engine"
)

// A row gives dockerd's sentence for one failure, and the kind that its clients are told. Resource and reason must match, and
// so must op unless it is empty; where there is no reason the kind must match too. A row that says nothing leaves it to the
// error's cause.
type row struct {
	kind     engine.Kind
	resource engine.Resource // empty: any
	reason   engine.Reason
	op       string
	say      func(e *engine.Error) string
}

// asRaised is the kind of a row that keeps the error's own.
const asRaised = ^engine.Kind(0)

// known returns the sentence and the kind of an error that the table knows; "" when it does not.
func known(e *engine.Error) (string, engine.Kind) {
	for i := range rows {
		r := &rows[i]
		switch {
		case r.resource != e.Resource && r.resource != "", r.reason != e.Reason, r.op != "" && r.op != e.Op:
		case r.reason == engine.ReasonNone && (r.kind != e.Kind || e.Err != nil):
		case r.kind == asRaised:
			return r.say(e), e.Kind
		default:
			return r.say(e), r.kind
		}
	}
	return "", e.Kind
}

// about makes a sentence of an error's ID.
func about(format string) func(*engine.Error) string {
	return func(e *engine.Error) string { return fmt.Sprintf(format, e.ID) }
}

// with makes a sentence of an error's first argument.
func with(format string) func(*engine.Error) string {
	return func(e *engine.Error) string { return fmt.Sprintf(format, arg(e, 0)) }
}

// plain is a sentence that names nothing.
func plain(s string) func(*engine.Error) string { return func(*engine.Error) string { return s } }

// arg returns an argument, or the ID in place of a first one that is missing.
func arg(e *engine.Error, i int) string {
	switch {
	case i < len(e.Args):
		return e.Args[i]
	case i == 0:
		return e.ID
	}
	return ""
}

// rows are the sentences; of two that match, the earlier one speaks.
var rows = []row{
	// Containers. ID is the container as the client wrote it; Args are those that the reason documents.
	{engine.NotFound, engine.ResourceContainer, engine.ReasonNone, "", about("No such container: %s")},
	{engine.Conflict, engine.ResourceContainer, engine.ReasonNameTaken, "", func(e *engine.Error) string {
		return fmt.Sprintf("Conflict. The container name %q is already in use by container %q. "+
			"You have to remove (or rename) that container to be able to reuse that name.", "/"+e.ID, arg(e, 0))
	}},
	{engine.Conflict, engine.ResourceContainer, engine.ReasonRunning, "", func(e *engine.Error) string {
		if arg(e, 0) == string(engine.StatePaused) {
			return "container is paused and must be unpaused first"
		}
		return fmt.Sprintf("container is %s: stop the container before removing or force remove", arg(e, 0))
	}},
	{engine.Conflict, engine.ResourceContainer, engine.ReasonPaused, "remove", plain("container is paused and must be unpaused first")},
	{engine.Conflict, engine.ResourceContainer, engine.ReasonPaused, "start", plain("cannot start a paused container, try unpause instead")},
	{engine.Conflict, engine.ResourceContainer, engine.ReasonPaused, "attach", about("container %s is paused, unpause the container before attach")},
	{engine.Conflict, engine.ResourceContainer, engine.ReasonPaused, "pause", with("Container %s is already paused")},
	{engine.Conflict, "", engine.ReasonPaused, "", about("Container %s is paused, unpause the container before exec")},
	{engine.Internal, engine.ResourceContainer, engine.ReasonNotPaused, "", with("Container %s is not paused")},
	{engine.Invalid, engine.ResourceExec, engine.ReasonNotRunning, "resize", plain("exec process is not started")},
	{engine.Conflict, "", engine.ReasonNotRunning, "", with("container %s is not running")},
	{engine.Conflict, engine.ResourceContainer, engine.ReasonRestarting, "attach", about("container %s is restarting, wait until the container is running")},
	{engine.Conflict, "", engine.ReasonRestarting, "", with("Container %s is restarting, wait until the container is running")},
	{engine.Conflict, engine.ResourceContainer, engine.ReasonRemoving, "start", plain("container is marked for removal and cannot be started")},
	{engine.Conflict, engine.ResourceContainer, engine.ReasonRemoving, "", about("removal of container %s is already in progress")},
	{engine.Conflict, engine.ResourceContainer, engine.ReasonState, "start", func(e *engine.Error) string {
		if arg(e, 0) == string(engine.StatePaused) {
			return "cannot start a paused container, try unpause instead"
		}
		return "container is marked for removal and cannot be started"
	}},
	{engine.Conflict, engine.ResourceContainer, engine.ReasonState, "", func(e *engine.Error) string {
		return fmt.Sprintf("container %s is %s", e.ID, arg(e, 0))
	}},
	{engine.Invalid, engine.ResourceContainer, engine.ReasonAmbiguous, "", about("Multiple IDs found with provided prefix: %s")},
	{engine.Invalid, engine.ResourceContainer, engine.ReasonNoCommand, "", plain("no command specified")},
	{engine.Invalid, engine.ResourceContainer, engine.ReasonBadCondition, "", func(e *engine.Error) string {
		return fmt.Sprintf("invalid condition: %q", arg(e, 0))
	}},
	{engine.Invalid, engine.ResourceContainer, engine.ReasonDriverUnknown, "", func(e *engine.Error) string {
		return fmt.Sprintf("error looking up logging plugin %s: plugin %q not found", arg(e, 0), arg(e, 0))
	}},
	{engine.NotImplemented, engine.ResourceContainer, engine.ReasonLogUnreadable, "", plain("configured logging driver does not support reading")},
	{engine.Invalid, engine.ResourcePath, engine.ReasonNoSource, "", with(`invalid mount config for type "bind": bind source path does not exist: %s`)},
	// A path inside a container. ID is the path, Args: the container as the client wrote it.
	{engine.NotFound, engine.ResourcePath, engine.ReasonNone, "", func(e *engine.Error) string {
		return fmt.Sprintf("Could not find the file %s in container %s", e.ID, arg(e, 0))
	}},

	// A build. Args are those that the reason documents.
	{engine.Internal, engine.ResourceBuild, engine.ReasonStepFailed, "", func(e *engine.Error) string {
		text := fmt.Sprintf("The command '%s' returned a non-zero code: %s", arg(e, 0), arg(e, 1))
		if e.Err != nil {
			text += ": " + e.Err.Error()
		}
		return text
	}},

	// What could not be executed. Of a main process the resource is the container, of an exec the exec; in both cases the
	// words decide the exit status of the docker CLI.
	{engine.Invalid, "", engine.ReasonExecNotFound, "", notExecuted(func(e *engine.Error) string {
		if strings.Contains(arg(e, 0), "/") {
			return fmt.Sprintf("exec: %q: stat %s: no such file or directory", arg(e, 0), arg(e, 0))
		}
		return fmt.Sprintf("exec: %q: executable file not found in $PATH", arg(e, 0))
	})},
	{engine.Invalid, "", engine.ReasonExecDenied, "", notExecuted(func(e *engine.Error) string {
		return fmt.Sprintf("exec: %q: permission denied", arg(e, 0))
	})},
	{engine.Invalid, "", engine.ReasonExecIsDir, "", notExecuted(func(e *engine.Error) string {
		return fmt.Sprintf("exec: %q: is a directory: permission denied", arg(e, 0))
	})},
	{engine.Invalid, engine.ResourcePath, engine.ReasonBadCwd, "", func(e *engine.Error) string {
		if e.Err != nil {
			return e.Err.Error()
		}
		return fmt.Sprintf("Cannot mkdir: %s is not a directory", arg(e, 0))
	}},
	{engine.Invalid, "", engine.ReasonBadCwd, "", notExecuted(func(e *engine.Error) string {
		why := "no such file or directory"
		if e.Err != nil {
			why = e.Err.Error()
		}
		return fmt.Sprintf("chdir to cwd (%q) set in config.json failed: %s", arg(e, 0), why)
	})},
	// Args: the name, and "group" when it is one.
	{engine.Invalid, "", engine.ReasonNoUser, "", func(e *engine.Error) string {
		if e.Err != nil {
			return e.Err.Error()
		}
		if arg(e, 1) == "group" {
			return fmt.Sprintf("unable to find group %s: no matching entries in group file", arg(e, 0))
		}
		return fmt.Sprintf("unable to find user %s: no matching entries in passwd file", arg(e, 0))
	}},

	// Execs. ID is the exec's id.
	{engine.NotFound, engine.ResourceExec, engine.ReasonNone, "", about("No such exec instance: %s")},
	{engine.Conflict, engine.ResourceExec, engine.ReasonRunning, "", about("exec command %s is already running")},
	{engine.Conflict, engine.ResourceExec, engine.ReasonState, "", about("exec command %s has already run")},

	// Images. ID is the reference in its familiar form with its tag, or what the client wrote.
	{engine.Internal, engine.ResourceImage, engine.ReasonNoPlatform, "save", with("no suitable export target found for platform %s")},
	{engine.NotFound, engine.ResourceImage, engine.ReasonNone, "", about("No such image: %s")},
	// Args: the wanted platform, and the one that is there when the image is here already.
	{engine.NotFound, engine.ResourceImage, engine.ReasonNoPlatform, "", func(e *engine.Error) string {
		if arg(e, 1) == "" {
			return fmt.Sprintf("no matching manifest for %s in the manifest list entries", arg(e, 0))
		}
		return fmt.Sprintf("image with reference %s was found but its platform (%s) does not match the specified platform (%s)",
			e.ID, arg(e, 1), arg(e, 0))
	}},
	{engine.NotFound, "", engine.ReasonPullDenied, "", func(e *engine.Error) string {
		return fmt.Sprintf("pull access denied for %s, repository does not exist or may require 'docker login': "+
			"denied: requested access to the resource is denied", arg(e, 0))
	}},
	// What is wrong with a registry is an internal error to Docker's clients.
	{engine.Internal, engine.ResourceRegistry, engine.ReasonUnreachable, "", func(e *engine.Error) string {
		if e.Err == nil {
			return fmt.Sprintf("registry %s cannot be reached", e.ID)
		}
		return e.Err.Error()
	}},
	{engine.Internal, engine.ResourceRegistry, engine.ReasonNoCredentials, "", func(e *engine.Error) string {
		if len(e.Args) == 0 {
			return "no basic auth credentials"
		}
		return arg(e, 0) + ": no basic auth credentials"
	}},
	{engine.Internal, engine.ResourceRegistry, engine.ReasonLoginRefused, "", func(e *engine.Error) string {
		return fmt.Sprintf("login attempt to %s failed with status: %s", arg(e, 0), arg(e, 1))
	}},
	{engine.NotFound, "", engine.ReasonManifestUnknown, "inspect", plain("manifest unknown: manifest unknown")},
	// Args: repository, tag or digest.
	{engine.NotFound, "", engine.ReasonManifestUnknown, "", func(e *engine.Error) string {
		sep := ":"
		if strings.Contains(arg(e, 1), ":") {
			sep = "@"
		}
		return fmt.Sprintf("manifest for %s%s%s not found: manifest unknown: manifest unknown", arg(e, 0), sep, arg(e, 1))
	}},
	{engine.Conflict, engine.ResourceImage, engine.ReasonInUse, "", imageInUse},
	{engine.Conflict, engine.ResourceImage, engine.ReasonTagged, "", func(e *engine.Error) string {
		return fmt.Sprintf("conflict: unable to delete %s (must be forced) - image is referenced in multiple repositories", shortImage(e.ID))
	}},
	{engine.Invalid, engine.ResourceImage, engine.ReasonAmbiguous, "", about("ambiguous image id: %s")},

	// Networks. ID is the network as the client wrote it, for a name that is taken the name.
	{engine.NotFound, engine.ResourceNetwork, engine.ReasonNone, "", about("network %s not found")},
	{engine.Conflict, engine.ResourceNetwork, engine.ReasonNameTaken, "", about("network with name %s already exists")},
	{engine.Invalid, engine.ResourceNetwork, engine.ReasonAmbiguous, "", about("network %s is ambiguous")},
	{engine.Forbidden, engine.ResourceNetwork, engine.ReasonPredefined, "remove", about("%s is a pre-defined network and cannot be removed")},
	{engine.Forbidden, engine.ResourceNetwork, engine.ReasonPredefined, "", func(e *engine.Error) string {
		// Args: the driver, when it is the driver of which there can be one network only.
		if len(e.Args) > 0 {
			return fmt.Sprintf("only one instance of %q network is allowed", e.Args[0])
		}
		return fmt.Sprintf("operation is not permitted on predefined %s network ", e.ID)
	}},
	{engine.Forbidden, engine.ResourceNetwork, engine.ReasonHasEndpoints, "", func(e *engine.Error) string {
		var users []string
		for i := 0; i+1 < len(e.Args); i += 2 {
			users = append(users, fmt.Sprintf("name:%q id:%q", e.Args[i], short(e.Args[i+1])))
		}
		return fmt.Sprintf("error while removing network: network %s has active endpoints (%s)", e.ID, strings.Join(users, ", "))
	}},
	{engine.NotFound, engine.ResourceNetwork, engine.ReasonDriverUnknown, "", func(e *engine.Error) string {
		return fmt.Sprintf("plugin %q not found", arg(e, 0))
	}},
	{engine.Forbidden, engine.ResourceNetwork, engine.ReasonOverlap, "", plain("invalid pool request: Pool overlaps with other one on this address space")},
	{engine.Invalid, engine.ResourceNetwork, engine.ReasonPoolsExhausted, "", plain("all predefined address pools have been fully subnetted")},
	{engine.Forbidden, "", engine.ReasonAddressTaken, "", plain("Address already in use")},
	{engine.Unavailable, engine.ResourceEndpoint, engine.ReasonNoAddress, "", func(e *engine.Error) string {
		return fmt.Sprintf("no available %s addresses on this network's address pools: %s (%s)", arg(e, 0), arg(e, 1), arg(e, 2))
	}},
	{engine.Unavailable, "", engine.ReasonNoAddress, "", plain("no available addresses on this pool")},
	// Endpoints. ID is the container; "connect" and "disconnect" name it as dockerd does: by name, by id.
	{engine.Forbidden, "", engine.ReasonAlreadyConnected, "", func(e *engine.Error) string {
		return fmt.Sprintf("endpoint with name %s already exists in network %s", e.ID, arg(e, 0))
	}},
	{engine.Internal, "", engine.ReasonNotConnected, "", func(e *engine.Error) string {
		return fmt.Sprintf("container %s is not connected to network %s", e.ID, arg(e, 0))
	}},
	// Ports.
	{engine.Internal, engine.ResourcePort, engine.ReasonPortTaken, "", func(e *engine.Error) string {
		return fmt.Sprintf("Bind for %s failed: port is already allocated", strings.NewReplacer("[", "", "]", "").Replace(arg(e, 0)))
	}},
	{engine.Internal, engine.ResourcePort, engine.ReasonPortsTaken, "", plain("all ports are allocated")},
	{engine.Internal, engine.ResourcePort, engine.ReasonPortBusy, "", func(e *engine.Error) string {
		return fmt.Sprintf("failed to bind host port for %s:%s/%s: address already in use", arg(e, 0), arg(e, 2), arg(e, 1))
	}},

	// Volumes. ID is the volume's name.
	{engine.NotFound, engine.ResourceVolume, engine.ReasonNone, "", about("get %s: no such volume")},
	{engine.Conflict, engine.ResourceVolume, engine.ReasonInUse, "", func(e *engine.Error) string {
		return fmt.Sprintf("remove %s: volume is in use - [%s]", e.ID, strings.Join(e.Args, ", "))
	}},
	{engine.NotFound, engine.ResourceVolume, engine.ReasonDriverUnknown, "", func(e *engine.Error) string {
		return fmt.Sprintf("create %s: error looking up volume plugin %s: plugin %q not found", e.ID, arg(e, 0), arg(e, 0))
	}},
	{engine.Conflict, engine.ResourceVolume, engine.ReasonNameTaken, "", func(e *engine.Error) string {
		return fmt.Sprintf("create %s: a volume with the name %s already exists", e.ID, e.ID)
	}},

	// Anything that this platform or engine does not do. Args: what, why; without them the cause tells.
	{asRaised, "", engine.ReasonUnsupported, "", func(e *engine.Error) string {
		switch len(e.Args) {
		case 0:
			return ""
		case 1:
			return e.Args[0] + " is not supported"
		}
		return fmt.Sprintf("%s is not supported: %s", e.Args[0], e.Args[1])
	}},
}

// What dockerd's layers say before the reason why a program was not executed.
const (
	taskLayers = "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: "
	execLayers = "OCI runtime exec failed: exec failed: "
)

func notExecuted(why func(*engine.Error) string) func(*engine.Error) string {
	return func(e *engine.Error) string {
		layers := taskLayers
		if e.Resource == engine.ResourceExec {
			layers = execLayers
		}
		return layers + "unable to start container process: " + why(e) + ": unknown"
	}
}

// imageInUse tells who uses an image. ID is what the client wrote, Args: the user's id, and the image's id when the client
// named a reference of it.
func imageInUse(e *engine.Error) string {
	if image := arg(e, 1); image != "" {
		return fmt.Sprintf("conflict: unable to remove repository reference %q (must force) - container %s is using its referenced image %s",
			e.ID, short(arg(e, 0)), shortImage(image))
	}
	return fmt.Sprintf("conflict: unable to delete %s (must be forced) - image is being used by stopped container %s", shortImage(e.ID), short(arg(e, 0)))
}

// short cuts an id to the 12 digits that are shown.
func short(id string) string { return engine.ContainerID(id).Short() }

// shortImage cuts an image id to the 12 digits that are shown.
func shortImage(id string) string { return engine.ImageID(id).Short() }
