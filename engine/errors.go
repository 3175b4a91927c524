package engine

import (
	"context"
	"errors"
	"strings"
)

// Kind says what sort of failure an Error is. The set is closed: the HTTP layers map every kind to a status, and a test
// holds them to it. A Kind is itself an error, so that errors.Is(err, engine.NotFound) asks the question.
type Kind uint8

const (
	// Internal is a fault of ours or of the host; it is the kind of every error that states none.
	Internal Kind = iota
	// NotFound: the named thing does not exist.
	NotFound
	// Invalid: the request is wrong in itself and would be wrong at any time.
	Invalid
	// Conflict: the request is sound but the present state forbids it.
	Conflict
	// NotModified: the wanted state holds already; nothing was done.
	NotModified
	// Forbidden: policy forbids it, whoever asks.
	Forbidden
	// Unauthorized: credentials are missing or wrong.
	Unauthorized
	// Unavailable: something that is needed is not there now; trying later may help.
	Unavailable
	// NotImplemented: this platform or engine cannot do it.
	NotImplemented
	// Canceled: the caller went away or gave up.
	Canceled
	// TooLarge: the request body exceeds its bound.
	TooLarge
	numKinds
)

var kindNames = [numKinds]string{
	Internal: "internal error", NotFound: "not found", Invalid: "invalid argument", Conflict: "conflict",
	NotModified: "not modified", Forbidden: "forbidden", Unauthorized: "unauthorized", Unavailable: "unavailable",
	NotImplemented: "not implemented", Canceled: "canceled", TooLarge: "too large",
}

// Error returns the kind in words.
func (k Kind) Error() string {
	if k < numKinds {
		return kindNames[k]
	}
	return "unknown error kind"
}

// Kinds returns every kind, for tables that must be complete.
func Kinds() []Kind {
	all := make([]Kind, numKinds)
	for i := range all {
		all[i] = Kind(i)
	}
	return all
}

// Resource names the sort of thing an Error is about.
type Resource string

// The resources.
const (
	ResourceContainer Resource = "container"
	ResourceExec      Resource = "exec"
	ResourceImage     Resource = "image"
	ResourceLayer     Resource = "layer"
	ResourceNetwork   Resource = "network"
	ResourceEndpoint  Resource = "endpoint"
	ResourceVolume    Resource = "volume"
	ResourcePath      Resource = "path"
	ResourcePort      Resource = "port"
	ResourceRegistry  Resource = "registry"
	ResourceBuild     Resource = "build"
)

// Reason tells failures of one kind apart where a client must be told which. What Args holds is said at each.
type Reason string

// The reasons.
const (
	ReasonNone             Reason = ""
	ReasonState            Reason = "state"             // a forbidden move of the state machine; Args: state, wanted state
	ReasonNameTaken        Reason = "name-taken"        // Args: id of the holder
	ReasonRunning          Reason = "running"           // the container runs; Args: state
	ReasonNotRunning       Reason = "not-running"       // Args: container id
	ReasonPaused           Reason = "paused"            // Args: container id
	ReasonNotPaused        Reason = "not-paused"        //
	ReasonRestarting       Reason = "restarting"        // Args: container id
	ReasonRemoving         Reason = "removing"          // removal is already in progress
	ReasonInUse            Reason = "in-use"            // Args: ids or names of the users
	ReasonPredefined       Reason = "predefined"        // a network that the engine itself owns
	ReasonPortTaken        Reason = "port-taken"        // held by one of our containers; Args: host address with port, as it is held
	ReasonPortsTaken       Reason = "ports-taken"       // all that it could be chosen from are held by our containers
	ReasonPortBusy         Reason = "port-busy"         // held by another program; Args: host address with port, protocol, container's address with port
	ReasonNoCommand        Reason = "no-command"        // neither the image nor the request says what to run
	ReasonExecNotFound     Reason = "exec-not-found"    // Args: the word that was looked up
	ReasonExecDenied       Reason = "exec-denied"       // Args: the word that was looked up
	ReasonExecIsDir        Reason = "exec-is-dir"       // Args: the word that was looked up
	ReasonBadCwd           Reason = "bad-cwd"           // Args: the directory
	ReasonNoUser           Reason = "no-user"           // Args: the user or group that has no entry
	ReasonNoSource         Reason = "no-source"         // the source of a bind mount does not exist; Args: path
	ReasonLogUnreadable    Reason = "log-unreadable"    // the log driver keeps nothing to read
	ReasonPullDenied       Reason = "pull-denied"       // Args: repository
	ReasonUnreachable      Reason = "unreachable"       // a registry that cannot be had now, or does not do what it should
	ReasonNoCredentials    Reason = "no-credentials"    // a registry asks for a password and there is none; Args: request
	ReasonLoginRefused     Reason = "login-refused"     // Args: address, status
	ReasonManifestUnknown  Reason = "manifest-unknown"  // Args: repository, tag or digest
	ReasonNoPlatform       Reason = "no-platform"       // no manifest or image for the platform; Args: platform, the one that is there (may be missing)
	ReasonNameUnknown      Reason = "name-unknown"      // the registry has no such repository; Args: repository
	ReasonAmbiguous        Reason = "ambiguous"         // an id prefix that fits several
	ReasonDriverUnknown    Reason = "driver-unknown"    // Args: driver
	ReasonOverlap          Reason = "overlap"           // Args: the requested pool, the pool it overlaps
	ReasonPoolsExhausted   Reason = "pools-exhausted"   // no default address pool is left
	ReasonAddressTaken     Reason = "address-taken"     // Args: address
	ReasonNoAddress        Reason = "no-address"        // the pool is used up; Args, of an endpoint: "IPv4" or "IPv6", network's name, its id
	ReasonAlreadyConnected Reason = "already-connected" // Args: network name
	ReasonNotConnected     Reason = "not-connected"     // Args: network name
	ReasonHasEndpoints     Reason = "has-endpoints"     // Args: pairs of container name, endpoint id
	ReasonTagged           Reason = "tagged"            // image referenced in several repositories
	ReasonHasChildren      Reason = "has-children"      // other images are made of this one
	ReasonBadCondition     Reason = "bad-condition"     // a wait condition that is not one; Args: it
	ReasonUnsupported      Reason = "unsupported"       // Args: what, why
	ReasonStepFailed       Reason = "step-failed"       // a command of a build; Args: command, exit code
)

// Error is the error of every engine call. ID is what the caller wrote to name the thing, or its full id.
type Error struct {
	Op       string // a verb: "create", "start", "pull"
	Kind     Kind
	Resource Resource
	ID       string
	Reason   Reason
	Args     []string
	Err      error // the cause, may be nil
}

// Error gives a sentence for a log: operation, resource, what happened.
func (e *Error) Error() string {
	var b strings.Builder
	for _, s := range []string{e.Op, string(e.Resource), e.ID} {
		if s == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(s)
	}
	what := e.what()
	if b.Len() == 0 {
		return what
	}
	return b.String() + ": " + what
}

func (e *Error) what() string {
	var parts []string
	switch {
	case e.Reason != ReasonNone && len(e.Args) > 0:
		parts = append(parts, string(e.Reason)+" ("+strings.Join(e.Args, ", ")+")")
	case e.Reason != ReasonNone:
		parts = append(parts, string(e.Reason))
	case e.Err == nil:
		parts = append(parts, e.Kind.Error())
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, ": ")
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is this error's own kind, so errors.Is finds a kind anywhere in a chain. Whoever must act on
// one kind, as the HTTP layers do, asks KindOf: the outermost wins.
func (e *Error) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && k == e.Kind
}

// KindOf returns the kind of the outermost Error in err's chain. Context errors are Canceled, all others Internal.
// A nil error has no kind; asking is a fault and answers Internal.
func KindOf(err error) Kind {
	var e *Error
	var k Kind
	switch {
	case errors.As(err, &e):
		return e.Kind
	case errors.As(err, &k):
		return k
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Canceled
	}
	return Internal
}

// HasReason reports whether the outermost Error in err's chain that states a reason states this one.
func HasReason(err error, r Reason) bool {
	for {
		var e *Error
		if !errors.As(err, &e) {
			return false
		}
		if e.Reason != ReasonNone {
			return e.Reason == r
		}
		err = e.Err
	}
}

// Problems are several failures of one request, each complete in itself, so that all can be mended at once.
type Problems []error

// Error gives each on a line of its own.
func (p Problems) Error() string { return errors.Join(p...).Error() }

// Unwrap lets errors.As look at each.
func (p Problems) Unwrap() []error { return p }

// Joined makes one error of a request's failures: nil of none, the only one as it is, else one of kind Invalid that holds
// Problems. Failures that hold Problems themselves are taken apart.
func Joined(op string, r Resource, failures ...error) error {
	var all Problems
	for _, err := range failures {
		var held Problems
		var outer *Error
		switch {
		case errors.As(err, &outer) && errors.As(outer.Err, &held):
			all = append(all, held...)
		case err != nil:
			all = append(all, err)
		}
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		var known *Error
		if errors.As(all[0], &known) {
			return all[0]
		}
		return &Error{Op: op, Kind: Invalid, Resource: r, Err: all[0]}
	}
	return &Error{Op: op, Kind: Invalid, Resource: r, Err: all}
}

// ConsentError says that an image asks for something of the host that only its user can grant, and the label that does.
type ConsentError struct {
	What  string // "the device rule path tap* unhide"
	Label string // "xc.devfs.image-1=path tap* unhide"
}

// Error names both.
func (e *ConsentError) Error() string {
	return "the image asks for " + e.What + ": allow it with --label '" + e.Label + "'"
}

// Consents lists the labels that the consents missing in an error need.
func Consents(err error) []string {
	var labels []string
	var look func(error)
	look = func(err error) {
		switch e := err.(type) { //nolint:errorlint // the whole tree is walked
		case nil:
		case *ConsentError:
			labels = append(labels, e.Label)
		case interface{ Unwrap() error }:
			look(e.Unwrap())
		case interface{ Unwrap() []error }:
			for _, inner := range e.Unwrap() {
				look(inner)
			}
		}
	}
	look(err)
	return labels
}
