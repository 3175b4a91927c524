package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// building is one run of xc build.
type building struct {
	wire.Build
	tags, args, labels, secrets, networks, dns, dnsSearch []string
	hosts, ssh                                            []string
	memory, shm                                           string
	file, idFile                                          string
	noDNS, inPlace, quiet, noRemove                       bool
}

func buildCommand(a *app) *cobra.Command {
	var b building
	cmd := &cobra.Command{
		Use: "build [flags] [IMAGE] [DIRECTORY|URL]", Short: "Make an image by a Jailfile or a Dockerfile", Args: cobra.MaximumNArgs(2),
		Long: `Make an image by the Jailfile or, if there is none, the Dockerfile in DIRECTORY, the present one if none is named, and call it IMAGE. With
-t the image is named there, and what follows is the directory, as docker build has it. URL is a git repository, a tar or a recipe.

--debug keeps the state before a step that failed as an image without a name, and tells how to enter it. --output-inplace makes no image: the layers that the build made go
to files that are named by their diff ids, and the image's configuration to jail.json, all in the present directory.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			where, err := b.complete(args)
			if err != nil {
				return usageError{err}
			}
			return a.build(cmd, &b, where)
		},
	}
	f := cmd.Flags()
	f.StringArrayVarP(&b.tags, "tag", "t", nil, "name of the image; may be repeated")
	f.StringVarP(&b.file, "file", "f", "", `recipe, "-" is stdin; otherwise Jailfile or Dockerfile in the directory`)
	f.StringArrayVar(&b.networks, "network", nil, "network of RUN: a network's name, host or none")
	f.StringArrayVar(&b.dns, "dns", nil, "name server of RUN; may be repeated")
	f.StringArrayVar(&b.dnsSearch, "dns-search", nil, "domain in which RUN looks names up; may be repeated")
	f.StringArrayVar(&b.hosts, "add-host", nil, "NAME:ADDRESS for the hosts file of RUN; may be repeated")
	f.BoolVar(&b.noDNS, "empty-dns", false, "RUN has no name servers")
	f.BoolVar(&b.inPlace, "output-inplace", false, "write layers and configuration here, and make no image")
	f.BoolVar(&b.Debug, "debug", false, "when a step fails, keep the state before it as an image")
	f.StringArrayVar(&b.args, "build-arg", nil, "KEY=VALUE of an ARG; KEY alone takes it from the environment; may be repeated")
	f.StringArrayVar(&b.labels, "label", nil, "KEY=VALUE; may be repeated")
	f.StringArrayVar(&b.secrets, "secret", nil, "id=NAME,src=FILE or id=NAME,env=VARIABLE, for RUN --mount=type=secret; may be repeated")
	f.StringArrayVar(&b.ssh, "ssh", nil, "ID[=SOCKET] of an ssh agent, for RUN --mount=type=ssh; ID is default there unless it says another, SOCKET that of SSH_AUTH_SOCK; may be repeated")
	f.StringVar(&b.Target, "target", "", "stage to build; otherwise the last")
	f.StringVar(&b.Platform, "platform", "", "OS[/ARCHITECTURE[/VARIANT]] of base images; otherwise what suits this host best")
	f.BoolVar(&b.NoCache, "no-cache", false, "do every step")
	f.StringArrayVar(&b.CacheFrom, "cache-from", nil, "image whose history serves as cache too; may be repeated")
	f.BoolVar(&b.Pull, "pull", false, "ask the registry for base images that are here")
	f.BoolVar(&b.noRemove, "no-rm", false, "keep the containers of steps")
	f.BoolVarP(&b.quiet, "quiet", "q", false, "show nothing but the image's id")
	f.StringVar(&b.idFile, "iidfile", "", "write the image's id to a file")
	f.StringVarP(&b.memory, "memory", "m", "", "bound of RUN's memory, as in 512m")
	f.StringVar(&b.shm, "shm-size", "", "bound of RUN's /dev/shm, as in 64m")
	// The original has this one with an underscore.
	f.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(strings.ReplaceAll(name, "_", "-"))
	})
	return cmd
}

// complete reads what the command line says, and returns the context.
func (b *building) complete(args []string) (where string, err error) {
	where = "."
	isContext := func(s string) bool {
		return isPath(s) || s == "-" || strings.Contains(s, "://") || strings.HasPrefix(s, "git@")
	}
	switch {
	case len(b.tags) > 0 && len(args) > 1:
		return "", errors.New("with -t there is nothing but the directory")
	case len(args) == 2:
		b.tags, where = []string{args[0]}, args[1]
	case len(args) == 1 && (len(b.tags) > 0 || isContext(args[0])):
		where = args[0]
	case len(args) == 1:
		b.tags = []string{args[0]}
	case len(b.tags) == 0 && !b.inPlace:
		return "", errors.New("the name of the image is missing: xc build IMAGE, or xc build . for one without")
	}
	if b.inPlace && len(b.tags) > 0 && len(args) > 0 {
		b.tags = nil // the original wants a name here too, and makes no use of it
	}
	if len(b.networks) > 1 {
		return "", errors.New("RUN has one network")
	}
	if b.noDNS && len(b.dns)+len(b.dnsSearch) > 0 {
		return "", errors.New("--empty-dns excludes --dns and --dns-search")
	}
	return where, b.values()
}

func (b *building) values() error {
	r := &reader{}
	b.Tags, b.Keep, b.Labels = b.tags, b.noRemove, r.pairs("--label", b.labels, true)
	b.Limits.Memory, b.Limits.ShmSize = r.size("--memory", b.memory), r.size("--shm-size", b.shm)
	b.Network = wire.NetworkWish{DNS: b.dns, DNSSearch: b.dnsSearch, ExtraHosts: b.hosts}
	b.EmptyDNS = b.noDNS
	for _, n := range b.networks {
		if n == "host" || n == "none" {
			b.Network.Mode = n
			continue
		}
		j, err := parseNetwork(n)
		r.failed("--network", err)
		b.Network.Networks = append(b.Network.Networks, j)
	}
	b.Args = map[string]*string{}
	for _, text := range b.args {
		key, value, has := strings.Cut(text, "=")
		if !has {
			value, has = os.LookupEnv(key)
		}
		if b.Args[key] = nil; has {
			b.Args[key] = &value
		}
	}
	b.Secrets = map[string][]byte{}
	for _, text := range b.secrets {
		id, content, err := readSecret(text)
		r.failed("--secret", err)
		b.Secrets[id] = content
	}
	b.SSH = map[string]string{}
	for _, text := range b.ssh {
		id, socket, err := readAgent(text)
		r.failed("--ssh", err)
		b.SSH[id] = socket
	}
	return errors.Join(r.errs...)
}

// readAgent reads ID or ID=SOCKET.
func readAgent(text string) (id, socket string, err error) {
	id, socket, named := strings.Cut(text, "=")
	if !named {
		socket = os.Getenv("SSH_AUTH_SOCK")
	}
	switch {
	case id == "":
		return "", "", fmt.Errorf("%q: there must be ID or ID=SOCKET", text)
	case socket == "":
		return "", "", fmt.Errorf("%q: there is no SSH_AUTH_SOCK in the environment, and no socket is named", text)
	}
	socket, err = filepath.Abs(socket)
	return id, socket, err
}

// readSecret reads id=NAME,src=FILE or id=NAME,env=VARIABLE; without either it is the variable or else the file NAME.
func readSecret(text string) (id string, content []byte, err error) {
	s := &scanner{text: text}
	from := map[string]string{}
	for {
		at := s.pos
		key, value, ok := strings.Cut(s.until(","), "=")
		switch key {
		case "source":
			key = "src"
		case "id", "src", "env", "type":
		default:
			ok = false
		}
		if !ok {
			return "", nil, s.failf(at, "there must be id=NAME, src=FILE or env=VARIABLE")
		}
		if from[key] = value; !s.take(",") {
			break
		}
	}
	switch id = from["id"]; {
	case id == "":
		return "", nil, s.failf(0, "id=NAME is missing")
	case from["src"] != "":
		content, err = os.ReadFile(from["src"])
	case from["env"] != "":
		value, ok := os.LookupEnv(from["env"])
		if content = []byte(value); !ok {
			err = s.failf(0, "there is no variable %s", from["env"])
		}
	default:
		return "", nil, s.failf(len(text), "src=FILE or env=VARIABLE is missing")
	}
	return id, content, err
}

// build does the build.
func (a *app) build(cmd *cobra.Command, b *building, where string) error {
	var content io.Reader
	switch {
	case where == "-":
		from, err := a.input("-")
		if err != nil {
			return err
		}
		content, b.File = from, b.file
	case strings.Contains(where, "://") || strings.HasPrefix(where, "git@"):
		b.Remote, b.File = where, b.file
	default:
		packed, err := a.pack(b, where)
		if err != nil {
			return err
		}
		defer packed.Close()
		content = packed
	}
	told := &buildTeller{a: a, b: b, progress: newProgress(a.stdout), bases: map[string]string{}}
	for e, err := range a.daemon().Build(cmd.Context(), b.Build, content) {
		if err != nil {
			told.progress.done()
			told.failed()
			return err
		}
		told.tell(e)
	}
	told.progress.done()
	return told.finish(cmd)
}
