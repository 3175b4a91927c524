package nativeapi

import (
	"errors"
	"fmt"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// encodeError gives an error's wire form.
func encodeError(err error) wire.Error {
	w := wire.Error{Kind: engine.KindOf(err).Error(), Message: sentence(err), Consents: engine.Consents(err)}
	if e := stated(err); e != nil {
		w.Reason, w.Resource, w.ID, w.Args = string(e.Reason), string(e.Resource), e.ID, e.Args
	}
	return w
}

// stated is the outermost error of the engine's in a chain that states a reason, else the outermost one.
func stated(err error) *engine.Error {
	var outer *engine.Error
	for {
		var e *engine.Error
		if !errors.As(err, &e) {
			return outer
		}
		if e.Reason != engine.ReasonNone {
			return e
		}
		if outer == nil {
			outer = e
		}
		err = e.Err
	}
}

// sentence tells a person what happened: the words for the reason, where there are some, else those of the cause.
func sentence(err error) string {
	var e *engine.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	if words := wordsOf(e); words != "" {
		return words
	}
	var inner *engine.Error
	var several engine.Problems
	switch {
	case e.Err == nil:
		return e.Error()
	case errors.As(e.Err, &several):
		var lines []string
		for _, one := range several {
			lines = append(lines, sentence(one))
		}
		return strings.Join(lines, "\n")
	case errors.As(e.Err, &inner) && e.Err == error(inner):
		return sentence(e.Err)
	}
	return e.Err.Error()
}

// wordsOf says an error of a reason, or one that has nothing but a kind; "" leaves it to its cause.
func wordsOf(e *engine.Error) string {
	if say, ok := words[e.Reason]; ok {
		return say(e)
	}
	if e.Reason != engine.ReasonNone || e.Err != nil {
		return ""
	}
	switch e.Kind {
	case engine.NotFound:
		if e.Resource == engine.ResourcePath {
			return fmt.Sprintf("there is no %s in the container", e.ID)
		}
		return fmt.Sprintf("there is no %s %s", e.Resource, e.ID)
	case engine.NotModified:
		if word := map[string]string{"start": "is running already", "stop": "is not running"}[e.Op]; word != "" {
			return fmt.Sprintf("%s %s %s", e.Resource, e.ID, word)
		}
		return fmt.Sprintf("%s is so already", e.ID)
	}
	return ""
}

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

func about(format string) func(*engine.Error) string {
	return func(e *engine.Error) string { return fmt.Sprintf(format, e.ID) }
}

func with(format string) func(*engine.Error) string {
	return func(e *engine.Error) string { return fmt.Sprintf(format, arg(e, 0)) }
}

// words are the sentences of the reasons that do not come with one in their cause. They name the commands of xc.
var words = map[engine.Reason]func(*engine.Error) string{
	engine.ReasonNameTaken: func(e *engine.Error) string {
		if e.Resource == engine.ResourceContainer {
			return fmt.Sprintf("the name %s is taken by container %s", e.ID, engine.ContainerID(arg(e, 0)).Short())
		}
		return fmt.Sprintf("there is a %s %s already", e.Resource, e.ID)
	},
	engine.ReasonRunning: func(e *engine.Error) string {
		return fmt.Sprintf("container %s is %s: stop it first, or use force", e.ID, arg(e, 0))
	},
	engine.ReasonState:      func(e *engine.Error) string { return fmt.Sprintf("container %s is %s", e.ID, arg(e, 0)) },
	engine.ReasonNotRunning: about("container %s does not run"),
	engine.ReasonPaused:     about("container %s is paused: xc unpause it first"),
	engine.ReasonNotPaused:  about("container %s is not paused"),
	engine.ReasonRestarting: about("container %s is waiting to be started again"),
	engine.ReasonRemoving:   about("container %s is being removed"),
	engine.ReasonAmbiguous: func(e *engine.Error) string {
		return fmt.Sprintf("%s is the beginning of more than one %s's id", e.ID, e.Resource)
	},
	engine.ReasonNoCommand: func(*engine.Error) string { return "neither the image nor the command line says what to run" },
	engine.ReasonNoSource:  with("%s, which is to be mounted, is not there"),
	engine.ReasonInUse: func(e *engine.Error) string {
		var users []string
		for _, u := range e.Args {
			users = append(users, engine.ContainerID(u).Short())
		}
		return fmt.Sprintf("%s %s is in use by %s", e.Resource, e.ID, strings.Join(users, ", "))
	},
	engine.ReasonPredefined: about("network %s is the engine's own"),
	engine.ReasonHasEndpoints: func(e *engine.Error) string {
		var users []string
		for i := 0; i < len(e.Args); i += 2 {
			users = append(users, e.Args[i])
		}
		return fmt.Sprintf("network %s is in use by %s", e.ID, strings.Join(users, ", "))
	},
	engine.ReasonPortTaken:  with("port %s is published by another container"),
	engine.ReasonPortsTaken: func(*engine.Error) string { return "all ports to choose from are published by other containers" },
	engine.ReasonPortBusy: func(e *engine.Error) string {
		return fmt.Sprintf("port %s/%s is used by another program", arg(e, 0), arg(e, 1))
	},
	engine.ReasonAddressTaken:  with("address %s already consumed"), // the original's words
	engine.ReasonNoAddress:     about("network %s has no address left"),
	engine.ReasonLogUnreadable: about("the log driver of container %s keeps nothing to read"),
	engine.ReasonExecNotFound:  with("%s: no such program in the container"),
	engine.ReasonExecDenied:    with("%s: it may not be executed"),
	engine.ReasonExecIsDir:     with("%s: it is a directory"),
	engine.ReasonNoUser: func(e *engine.Error) string {
		what := "user"
		if arg(e, 1) == "group" {
			what = "group"
		}
		return fmt.Sprintf("the container has no %s %s", what, arg(e, 0))
	},
	engine.ReasonPullDenied:  with("the registry has no %s, or only for users that it knows: xc login"),
	engine.ReasonNameUnknown: with("the registry has no repository %s"),
	engine.ReasonManifestUnknown: func(e *engine.Error) string {
		return fmt.Sprintf("the registry has no %s in the repository %s", arg(e, 1), arg(e, 0))
	},
	engine.ReasonNoPlatform: func(e *engine.Error) string {
		if len(e.Args) > 1 {
			return fmt.Sprintf("image %s is of %s, not of %s", e.ID, e.Args[1], e.Args[0])
		}
		return fmt.Sprintf("there is nothing for %s", arg(e, 0))
	},
	engine.ReasonLoginRefused: func(e *engine.Error) string {
		return fmt.Sprintf("%s does not accept the name and password: %s", arg(e, 0), arg(e, 1))
	},
	engine.ReasonDriverUnknown: with("there is no driver %s"),
	engine.ReasonAlreadyConnected: func(e *engine.Error) string {
		return fmt.Sprintf("container %s is in network %s already", e.ID, arg(e, 0))
	},
	engine.ReasonNotConnected: func(e *engine.Error) string {
		return fmt.Sprintf("container %s is not in network %s", engine.ContainerID(e.ID).Short(), arg(e, 0))
	},
	engine.ReasonStepFailed: func(e *engine.Error) string {
		return fmt.Sprintf("the command %q of the recipe ended with exit code %s", arg(e, 0), arg(e, 1))
	},
	engine.ReasonTagged:      about("image %s has several names: remove them one by one, or use force"),
	engine.ReasonHasChildren: about("other images are made of image %s"),
	engine.ReasonUnsupported: func(e *engine.Error) string {
		switch len(e.Args) {
		case 0:
			return ""
		case 1:
			return e.Args[0] + " is not supported here"
		}
		return fmt.Sprintf("%s is not supported here: %s", e.Args[0], e.Args[1])
	},
}
