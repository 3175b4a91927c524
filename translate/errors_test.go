package translate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine"
)

const (
	id64   = "c2265e11f4439d9d22d2e4ba32122e71f57c66cc06c8f4656ef207ccfba04157"
	execID = "62fd56c369cc4ea9a5de4a34421b053452d46d1d96f2cfd41343bb1ee4722817"
)

// TestMessage holds every sentence that clients match on, with the kind that dockerd answers, as observed from 28.5.2.
func TestMessage(t *testing.T) {
	noContainer := &engine.Error{Op: "find", Kind: engine.NotFound, Resource: engine.ResourceContainer, ID: "x"}
	notRunning := &engine.Error{Op: "kill", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: "x", Reason: engine.ReasonNotRunning, Args: []string{id64}}
	taken := &engine.Error{Op: "name", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: "x", Reason: engine.ReasonNameTaken, Args: []string{id64}}
	running := &engine.Error{Op: "remove", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: "x", Reason: engine.ReasonRunning, Args: []string{"running"}}
	conflict := `Conflict. The container name "/x" is already in use by container "` + id64 + `". You have to remove (or rename) that container to be able to reuse that name.`
	unexecutable := func(reason engine.Reason, word string) error {
		return &engine.Error{Op: "run", Kind: engine.Invalid, Resource: engine.ResourceContainer, Reason: reason, Args: []string{word}}
	}
	const task = "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "
	for _, c := range []struct {
		name string
		err  error
		kind engine.Kind
		want string
	}{
		{"unknown container", noContainer, engine.NotFound, "No such container: x"},
		{"name taken", taken, engine.Conflict, conflict},
		{"rename to a taken name", During("rename", "y", taken), engine.Conflict, "Error when allocating new name: " + conflict},
		{"rename to nothing", During("rename", "y", &engine.Error{Op: "rename", Kind: engine.Invalid, Err: errors.New("Neither old nor new names may be empty")}), engine.Invalid, "Neither old nor new names may be empty"},
		{"create, image missing", &engine.Error{Op: "create", Kind: engine.NotFound, Resource: engine.ResourceImage, ID: "x:tag"}, engine.NotFound, "No such image: x:tag"},
		{"rm running", During("remove", "x", running), engine.Conflict, `cannot remove container "x": container is running: stop the container before removing or force remove`},
		{"rm restarting", During("remove", "x", &engine.Error{Op: "remove", Kind: engine.Conflict, Resource: engine.ResourceContainer, Reason: engine.ReasonRunning, Args: []string{"restarting"}}), engine.Conflict, `cannot remove container "x": container is restarting: stop the container before removing or force remove`},
		{"rm paused", During("remove", "x", &engine.Error{Op: "remove", Kind: engine.Conflict, Resource: engine.ResourceContainer, Reason: engine.ReasonRunning, Args: []string{"paused"}}), engine.Conflict, `cannot remove container "x": container is paused and must be unpaused first`},
		{"rm in progress", During("remove", "x", &engine.Error{Op: "remove", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: "x", Reason: engine.ReasonRemoving}), engine.Conflict, "removal of container x is already in progress"},
		{"rm unknown", During("remove", "x", noContainer), engine.NotFound, "No such container: x"},
		{"kill not running", During("kill", "x", notRunning), engine.Conflict, "cannot kill container: x: container " + id64 + " is not running"},
		{"kill unknown", During("kill", "x", noContainer), engine.NotFound, "cannot kill container: x: No such container: x"},
		{"kill, bad signal", During("kill", "x", invalidf("invalid signal: ZZ")), engine.Invalid, "cannot kill container: x: invalid signal: ZZ"},
		{"stop, bad signal", During("stop", "x", invalidf("invalid signal: ZZ")), engine.Internal, "cannot stop container: x: invalid signal: ZZ"},
		{"stop, stopped", During("stop", "x", &engine.Error{Op: "stop", Kind: engine.NotModified, Resource: engine.ResourceContainer}), engine.NotModified, "stop container: not modified"},
		{"restart, bad signal", During("restart", "x", invalidf("invalid signal: ZZ")), engine.Internal, "Cannot restart container x: invalid signal: ZZ"},
		{"restart unknown", During("restart", "x", noContainer), engine.NotFound, "No such container: x"},
		{"exec not running", &engine.Error{Op: "exec", Kind: engine.Conflict, Resource: engine.ResourceExec, ID: "x", Reason: engine.ReasonNotRunning, Args: []string{id64}}, engine.Conflict, "container " + id64 + " is not running"},
		{"exec paused", &engine.Error{Op: "exec", Kind: engine.Conflict, Resource: engine.ResourceExec, ID: "x", Reason: engine.ReasonPaused, Args: []string{id64}}, engine.Conflict, "Container x is paused, unpause the container before exec"},
		{"exec unknown", &engine.Error{Op: "find", Kind: engine.NotFound, Resource: engine.ResourceExec, ID: execID}, engine.NotFound, "No such exec instance: " + execID},
		{"exec resize too early", &engine.Error{Op: "resize", Kind: engine.Conflict, Resource: engine.ResourceExec, ID: execID, Reason: engine.ReasonNotRunning, Args: []string{id64}}, engine.Invalid, "exec process is not started"},
		{"attach paused", &engine.Error{Op: "attach", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: "x", Reason: engine.ReasonPaused, Args: []string{id64}}, engine.Conflict, "container x is paused, unpause the container before attach"},
		{"start paused", During("start", "x", &engine.Error{Op: "start", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: "x", Reason: engine.ReasonPaused, Args: []string{id64}}), engine.Conflict, "cannot start a paused container, try unpause instead"},
		{"pause paused", &engine.Error{Op: "pause", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: "x", Reason: engine.ReasonPaused, Args: []string{id64}}, engine.Conflict, "Container " + id64 + " is already paused"},
		{"unpause running", &engine.Error{Op: "unpause", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: "x", Reason: engine.ReasonNotPaused, Args: []string{id64}}, engine.Internal, "Container " + id64 + " is not paused"},

		{"bad command", During("start", "x", unexecutable(engine.ReasonExecNotFound, "x")), engine.Invalid, task + `exec: "x": executable file not found in $PATH: unknown`},
		{"bad path", During("start", "x", unexecutable(engine.ReasonExecNotFound, "/x")), engine.Invalid, task + `exec: "/x": stat /x: no such file or directory: unknown`},
		{"not executable", During("start", "x", unexecutable(engine.ReasonExecDenied, "/x")), engine.Invalid, task + `exec: "/x": permission denied: unknown`},
		{"a directory", During("start", "x", unexecutable(engine.ReasonExecIsDir, "/x")), engine.Invalid, task + `exec: "/x": is a directory: permission denied: unknown`},
		{"exec of a bad command", During("exec start", execID, unexecutable(engine.ReasonExecNotFound, "x")), engine.Invalid, `OCI runtime exec failed: exec failed: unable to start container process: exec: "x": executable file not found in $PATH: unknown`},
		{"exec in a bad directory", During("exec start", execID, unexecutable(engine.ReasonBadCwd, "/x")), engine.Invalid, `OCI runtime exec failed: exec failed: unable to start container process: chdir to cwd ("/x") set in config.json failed: no such file or directory: unknown`},
		{"no such user", unexecutable(engine.ReasonNoUser, "x"), engine.Invalid, "unable to find user x: no matching entries in passwd file"},
		{"no such group", &engine.Error{Kind: engine.Invalid, Reason: engine.ReasonNoUser, Args: []string{"x", "group"}}, engine.Invalid, "unable to find group x: no matching entries in group file"},
		{"no command", &engine.Error{Op: "create", Kind: engine.Invalid, Resource: engine.ResourceContainer, Reason: engine.ReasonNoCommand}, engine.Invalid, "no command specified"},
		{"no bind source", &engine.Error{Op: "create", Kind: engine.Invalid, Resource: engine.ResourcePath, ID: "/x", Reason: engine.ReasonNoSource, Args: []string{"/x"}}, engine.Invalid, `invalid mount config for type "bind": bind source path does not exist: /x`},

		{"port taken", During("start", "x", &engine.Error{Op: "publish", Kind: engine.Conflict, Resource: engine.ResourcePort, ID: "127.0.0.1:18098", Reason: engine.ReasonPortTaken, Args: []string{"127.0.0.1:18098"}}), engine.Internal, "failed to set up container networking: driver failed programming external connectivity on endpoint x: Bind for 127.0.0.1:18098 failed: port is already allocated"},
		{"port of IPv6 taken", &engine.Error{Op: "publish", Kind: engine.Conflict, Resource: engine.ResourcePort, Reason: engine.ReasonPortTaken, Args: []string{"[::]:18098"}}, engine.Internal, "Bind for :::18098 failed: port is already allocated"},
		{"ports taken", &engine.Error{Op: "publish", Kind: engine.Conflict, Resource: engine.ResourcePort, Reason: engine.ReasonPortsTaken}, engine.Internal, "all ports are allocated"},
		{"port busy", During("start", "x", &engine.Error{Op: "publish", Kind: engine.Conflict, Resource: engine.ResourcePort, Reason: engine.ReasonPortBusy, Args: []string{"0.0.0.0:80", "tcp", "10.0.0.2:8080"}}), engine.Internal, "failed to set up container networking: driver failed programming external connectivity on endpoint x: failed to bind host port for 0.0.0.0:80:10.0.0.2:8080/tcp: address already in use"},
		{"network missing at start", During("start", "x", &engine.Error{Op: "find", Kind: engine.NotFound, Resource: engine.ResourceNetwork, ID: "bar"}), engine.NotFound, "failed to set up container networking: network bar not found"},
		{"no address left", During("start", "x", &engine.Error{Op: "address", Kind: engine.Unavailable, Resource: engine.ResourceEndpoint, ID: "n", Reason: engine.ReasonNoAddress, Args: []string{"IPv4", "n", "3897"}}), engine.Unavailable, "failed to set up container networking: no available IPv4 addresses on this network's address pools: n (3897)"},
		{"address taken", During("start", "x", &engine.Error{Kind: engine.Forbidden, Resource: engine.ResourceNetwork, Reason: engine.ReasonAddressTaken, Args: []string{"10.0.0.2"}}), engine.Forbidden, "failed to set up container networking: Address already in use"},
		{"unknown network", &engine.Error{Kind: engine.NotFound, Resource: engine.ResourceNetwork, ID: "x"}, engine.NotFound, "network x not found"},
		{"network in use", &engine.Error{Op: "remove", Kind: engine.Conflict, Resource: engine.ResourceNetwork, ID: "n", Reason: engine.ReasonHasEndpoints, Args: []string{"c", id64, "d", execID}}, engine.Forbidden, `error while removing network: network n has active endpoints (name:"c" id:"c2265e11f443", name:"d" id:"62fd56c369cc")`},
		{"predefined, create", &engine.Error{Op: "create", Kind: engine.Forbidden, Resource: engine.ResourceNetwork, ID: "bridge", Reason: engine.ReasonPredefined}, engine.Forbidden, "operation is not permitted on predefined bridge network "},
		{"predefined, one instance", &engine.Error{Op: "create", Kind: engine.Forbidden, Resource: engine.ResourceNetwork, ID: "h2", Reason: engine.ReasonPredefined, Args: []string{"host"}}, engine.Forbidden, `only one instance of "host" network is allowed`},
		{"predefined, remove", &engine.Error{Op: "remove", Kind: engine.Forbidden, Resource: engine.ResourceNetwork, ID: "bridge", Reason: engine.ReasonPredefined}, engine.Forbidden, "bridge is a pre-defined network and cannot be removed"},
		{"network exists", &engine.Error{Kind: engine.Conflict, Resource: engine.ResourceNetwork, ID: "x", Reason: engine.ReasonNameTaken}, engine.Conflict, "network with name x already exists"},
		{"pools overlap", &engine.Error{Kind: engine.Forbidden, Resource: engine.ResourceNetwork, Reason: engine.ReasonOverlap, Args: []string{"a", "b"}}, engine.Forbidden, "invalid pool request: Pool overlaps with other one on this address space"},
		{"network driver unknown", &engine.Error{Kind: engine.NotFound, Resource: engine.ResourceNetwork, ID: "n", Reason: engine.ReasonDriverUnknown, Args: []string{"d"}}, engine.NotFound, `plugin "d" not found`},
		{"connected already", &engine.Error{Op: "connect", Kind: engine.Forbidden, Resource: engine.ResourceEndpoint, ID: "c", Reason: engine.ReasonAlreadyConnected, Args: []string{"n"}}, engine.Forbidden, "endpoint with name c already exists in network n"},
		{"not connected", &engine.Error{Op: "disconnect", Kind: engine.Internal, Resource: engine.ResourceEndpoint, ID: id64, Reason: engine.ReasonNotConnected, Args: []string{"n"}}, engine.Internal, "container " + id64 + " is not connected to network n"},

		{"unknown volume", &engine.Error{Kind: engine.NotFound, Resource: engine.ResourceVolume, ID: "x"}, engine.NotFound, "get x: no such volume"},
		{"volume in use", &engine.Error{Kind: engine.Conflict, Resource: engine.ResourceVolume, ID: "v", Reason: engine.ReasonInUse, Args: []string{id64}}, engine.Conflict, "remove v: volume is in use - [" + id64 + "]"},
		{"volume driver unknown", &engine.Error{Kind: engine.NotFound, Resource: engine.ResourceVolume, ID: "v", Reason: engine.ReasonDriverUnknown, Args: []string{"d"}}, engine.NotFound, `create v: error looking up volume plugin d: plugin "d" not found`},
		{"log driver unknown", &engine.Error{Kind: engine.Invalid, Resource: engine.ResourceContainer, Reason: engine.ReasonDriverUnknown, Args: []string{"d"}}, engine.Invalid, `error looking up logging plugin d: plugin "d" not found`},
		{"path not in container", &engine.Error{Kind: engine.NotFound, Resource: engine.ResourcePath, ID: "/no/such", Args: []string{"x"}}, engine.NotFound, "Could not find the file /no/such in container x"},
		{"logs unreadable", &engine.Error{Kind: engine.NotImplemented, Resource: engine.ResourceContainer, Reason: engine.ReasonLogUnreadable}, engine.NotImplemented, "configured logging driver does not support reading"},
		{"pull denied", &engine.Error{Kind: engine.NotFound, Resource: engine.ResourceRegistry, Reason: engine.ReasonPullDenied, Args: []string{"x"}}, engine.NotFound, "pull access denied for x, repository does not exist or may require 'docker login': denied: requested access to the resource is denied"},
		{"registry down", &engine.Error{Kind: engine.Unavailable, Resource: engine.ResourceRegistry, Reason: engine.ReasonUnreachable, Err: errors.New(`Get "http://x/v2/": no`)}, engine.Internal, `Get "http://x/v2/": no`},
		{"pull without a password", &engine.Error{Kind: engine.Unauthorized, Resource: engine.ResourceRegistry, Reason: engine.ReasonNoCredentials, Args: []string{`Head "http://x/v2/y/manifests/1"`}}, engine.Internal, `Head "http://x/v2/y/manifests/1": no basic auth credentials`},
		{"push without a password", &engine.Error{Kind: engine.Unauthorized, Resource: engine.ResourceRegistry, Reason: engine.ReasonNoCredentials}, engine.Internal, "no basic auth credentials"},
		{"login", &engine.Error{Kind: engine.Unauthorized, Resource: engine.ResourceRegistry, Reason: engine.ReasonLoginRefused, Args: []string{"http://x/v2/", "401 Unauthorized"}}, engine.Internal, "login attempt to http://x/v2/ failed with status: 401 Unauthorized"},
		{"distribution of no tag", &engine.Error{Op: "inspect", Kind: engine.NotFound, Resource: engine.ResourceImage, Reason: engine.ReasonManifestUnknown, Args: []string{"x", "t"}}, engine.NotFound, "manifest unknown: manifest unknown"},
		{"pull no tag", &engine.Error{Kind: engine.NotFound, Resource: engine.ResourceRegistry, Reason: engine.ReasonManifestUnknown, Args: []string{"x", "t"}}, engine.NotFound, "manifest for x:t not found: manifest unknown: manifest unknown"},
		{"image in use", &engine.Error{Kind: engine.Conflict, Resource: engine.ResourceImage, ID: "x:1", Reason: engine.ReasonInUse, Args: []string{id64, "sha256:" + execID}}, engine.Conflict, `conflict: unable to remove repository reference "x:1" (must force) - container c2265e11f443 is using its referenced image 62fd56c369cc`},
		{"nothing to save", &engine.Error{Op: "save", Kind: engine.NotFound, Resource: engine.ResourceImage, ID: "bb:1", Reason: engine.ReasonNoPlatform, Args: []string{"linux/arm64", "linux/amd64"}}, engine.Internal, "no suitable export target found for platform linux/arm64"},
		{"other platform", &engine.Error{Kind: engine.NotFound, Resource: engine.ResourceImage, ID: "bb:1", Reason: engine.ReasonNoPlatform, Args: []string{"linux/arm64", "linux/amd64"}}, engine.NotFound, "image with reference bb:1 was found but its platform (linux/amd64) does not match the specified platform (linux/arm64)"},
		{"no manifest for it", &engine.Error{Op: "pull", Kind: engine.NotFound, Resource: engine.ResourceImage, Reason: engine.ReasonNoPlatform, Args: []string{"linux/arm64"}}, engine.NotFound, "no matching manifest for linux/arm64 in the manifest list entries"},
		{"unsupported", &engine.Error{Kind: engine.Invalid, Reason: engine.ReasonUnsupported, Args: []string{"mount type image", "there is none"}}, engine.Invalid, "mount type image is not supported: there is none"},
		{"unsupported, told by its cause", &engine.Error{Kind: engine.NotFound, Resource: engine.ResourceNetwork, ID: "n", Reason: engine.ReasonUnsupported, Err: errors.New("no such configuration")}, engine.NotFound, "no such configuration"},
		{"directory over a file", &engine.Error{Kind: engine.Invalid, Resource: engine.ResourcePath, Reason: engine.ReasonBadCwd, Args: []string{"/x"}}, engine.Invalid, "Cannot mkdir: /x is not a directory"},
		{"wait condition", &engine.Error{Kind: engine.Invalid, Resource: engine.ResourceContainer, Reason: engine.ReasonBadCondition, Args: []string{"zz"}}, engine.Invalid, `invalid condition: "zz"`},

		{"update", During("update", "x", &engine.Error{Op: "update", Kind: engine.Conflict, Resource: engine.ResourceContainer, Err: errors.New("it is too late")}), engine.Conflict, "Cannot update container x: it is too late"},
		{"the outer kind wins", &engine.Error{Op: "create", Kind: engine.Invalid, Err: noContainer}, engine.Invalid, "No such container: x"},
		{"a cause with context", &engine.Error{Op: "create", Kind: engine.Internal, Err: fmt.Errorf("make root: %w", errors.New("disk full"))}, engine.Internal, "make root: disk full"},
		{"a stranger", errors.New("disk full"), engine.Internal, "disk full"},
		{"given up", context.Canceled, engine.Canceled, "context canceled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Message(c.err); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if got := Kind(c.err); got != c.kind {
				t.Errorf("kind %v, want %v", got, c.kind)
			}
		})
	}
}

// TestEveryReasonSpeaks keeps the table complete: an error that states a reason never shows its bare words to a client.
func TestEveryReasonSpeaks(t *testing.T) {
	for _, r := range rows {
		if r.kind == asRaised {
			r.kind = engine.NotImplemented
		}
		e := &engine.Error{Op: r.op, Kind: r.kind, Resource: r.resource, Reason: r.reason, ID: "thing", Args: []string{"one", "two"}}
		if msg := Message(e); msg == "" || strings.Contains(msg, string(r.reason)+" (") || strings.Contains(msg, "%!") {
			t.Errorf("%v %q %q: %q", r.kind, r.resource, r.reason, msg)
		}
	}
}

func TestDuringKeepsNil(t *testing.T) {
	if err := During("kill", "x", nil); err != nil {
		t.Error(err)
	}
}
