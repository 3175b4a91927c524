package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/go-archive"
	"github.com/moby/patternmatcher/ignorefile"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// building is one run of xc build.
type building struct {
	wire.Build
	tags, args, labels, secrets, networks, dns, dnsSearch []string
	memory                                                string
	file, idFile                                          string
	noDNS, inPlace, debug, quiet, noRemove                bool
}

func buildCommand(a *app) *cobra.Command {
	var b building
	cmd := &cobra.Command{
		Use: "build [flags] [IMAGE] [DIRECTORY|URL]", Short: "Make an image by a Jailfile or a Dockerfile", Args: cobra.MaximumNArgs(2),
		Long: `Make an image by the Jailfile or, if there is none, the Dockerfile in DIRECTORY, the present one if none is named, and call it IMAGE. With
-t the image is named there, and what follows is the directory, as docker build has it. URL is a git repository, a tar or a recipe.

--debug tells how to enter the state before a step that failed. --output-inplace makes no image: the layers that the build made go
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
	f.BoolVar(&b.noDNS, "empty-dns", false, "RUN has no name servers")
	f.BoolVar(&b.inPlace, "output-inplace", false, "write layers and configuration here, and make no image")
	f.BoolVar(&b.debug, "debug", false, "when a step fails, tell how to enter the state before it")
	f.StringArrayVar(&b.args, "build-arg", nil, "KEY=VALUE of an ARG; KEY alone takes it from the environment; may be repeated")
	f.StringArrayVar(&b.labels, "label", nil, "KEY=VALUE; may be repeated")
	f.StringArrayVar(&b.secrets, "secret", nil, "id=NAME,src=FILE or id=NAME,env=VARIABLE, for RUN --mount=type=secret; may be repeated")
	f.StringVar(&b.Target, "target", "", "stage to build; otherwise the last")
	f.StringVar(&b.Platform, "platform", "", "OS[/ARCHITECTURE[/VARIANT]] of base images; otherwise what suits this host best")
	f.BoolVar(&b.NoCache, "no-cache", false, "do every step")
	f.BoolVar(&b.Pull, "pull", false, "ask the registry for base images that are here")
	f.BoolVar(&b.noRemove, "no-rm", false, "keep the containers of steps")
	f.BoolVarP(&b.quiet, "quiet", "q", false, "show nothing but the image's id")
	f.StringVar(&b.idFile, "iidfile", "", "write the image's id to a file")
	f.StringVarP(&b.memory, "memory", "m", "", "bound of RUN's memory, as in 512m")
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
	b.Limits.Memory = r.size("--memory", b.memory)
	b.Network = wire.NetworkWish{DNS: b.dns, DNSSearch: b.dnsSearch}
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
	return errors.Join(r.errs...)
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

// recipes are looked for in this order.
var recipes = []string{"Jailfile", "Dockerfile"}

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

// pack makes a tar of a directory, without what its .dockerignore leaves out, and with the recipe where that is elsewhere.
func (a *app) pack(b *building, dir string) (io.ReadCloser, error) {
	if fi, err := os.Stat(dir); err != nil {
		return nil, err
	} else if !fi.IsDir() {
		return nil, fmt.Errorf("%s is no directory; a recipe is named by -f", dir)
	}
	outside, err := a.findRecipe(b, dir)
	if err != nil {
		return nil, err
	}
	var ignored []string
	f, err := os.Open(filepath.Join(dir, ".dockerignore"))
	if err == nil {
		ignored, err = ignorefile.ReadAll(f)
		err = errors.Join(err, f.Close())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf(".dockerignore: %w", err)
	}
	if len(ignored) > 0 {
		// The builder needs these, whatever is left out of copies.
		ignored = append(ignored, "!.dockerignore")
		if outside == nil {
			ignored = append(ignored, "!"+b.File)
		}
	}
	packed, err := archive.TarWithOptions(dir, &archive.TarOptions{ExcludePatterns: ignored})
	if err != nil || outside == nil {
		return packed, err
	}
	return withFile(packed, b.File, outside), nil
}

// findRecipe sets where the recipe is in the context; one from elsewhere is returned, to be put there.
func (a *app) findRecipe(b *building, dir string) (outside []byte, err error) {
	if b.file == "" {
		for _, name := range recipes {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				b.File = name
				return nil, nil
			}
		}
		return nil, fmt.Errorf("there is neither a Jailfile nor a Dockerfile in %s: -f names another", dir)
	}
	if filepath.Base(b.file) == recipes[0] {
		b.Format = "jailfile"
	}
	if b.file != "-" {
		root, err := filepath.EvalSymlinks(dir)
		if err == nil {
			root, err = filepath.Abs(root)
		}
		if err != nil {
			return nil, err
		}
		at, err := filepath.EvalSymlinks(b.file)
		if errors.Is(err, fs.ErrNotExist) && !filepath.IsAbs(b.file) { // docker looks in the directory too
			at, err = filepath.EvalSymlinks(filepath.Join(dir, b.file))
		}
		if err == nil {
			at, err = filepath.Abs(at)
		}
		if err != nil {
			return nil, err
		}
		if rel, err := filepath.Rel(root, at); err == nil && filepath.IsLocal(rel) {
			b.File = filepath.ToSlash(rel)
			return nil, nil
		}
		b.file = at
	}
	from, err := a.input(b.file)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	b.File = fmt.Sprintf(".recipe-%s", engine.NewID()[:12])
	return io.ReadAll(from)
}

// withFile adds a file to a tar.
func withFile(packed io.ReadCloser, name string, content []byte) io.ReadCloser {
	out, to := io.Pipe()
	go func() {
		defer packed.Close()
		w, r := tar.NewWriter(to), tar.NewReader(packed)
		err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(content)), Typeflag: tar.TypeReg})
		if err == nil {
			_, err = w.Write(content)
		}
		for err == nil {
			var h *tar.Header
			if h, err = r.Next(); err == nil {
				if err = w.WriteHeader(h); err == nil {
					_, err = io.Copy(w, r)
				}
			}
		}
		if err == io.EOF {
			err = w.Close()
		}
		to.CloseWithError(err)
	}()
	return out
}

// buildTeller shows a build and remembers what it made.
type buildTeller struct {
	a        *app
	b        *building
	progress *progress

	step, last string            // the present step, and the state before it
	image      string            // the result
	base       string            // what the present stage stands on from outside
	bases      map[string]string // likewise, by what stages made
}

func (t *buildTeller) tell(e wire.BuildEvent) {
	say := func(format string, args ...any) {
		if !t.b.quiet {
			t.progress.report(wire.Progress{Stream: fmt.Sprintf(format, args...)})
		}
	}
	switch e.Kind {
	case "step":
		t.step = e.Text
		say("%s\n", t.a.paint(t.a.stdout, green, fmt.Sprintf("Step %d/%d : %s", e.N, e.Total, e.Text)))
	case "image":
		t.made(e.Image)
		say(" ---> %s\n", engine.ImageID(e.Image).Short())
	case "cached":
		say(" ---> Using cache\n")
	case "output":
		say("%s", e.Data)
	case "warning":
		t.a.warn(e.Text)
	case "progress":
		if e.Progress != nil && !t.b.quiet {
			t.progress.report(*e.Progress)
		}
	case "done":
		t.image = e.Image
	case "tagged":
		say("Tagged %s\n", e.Text)
	}
}

// made notes what a step came to.
func (t *buildTeller) made(image string) {
	if word, _, _ := strings.Cut(strings.TrimSpace(t.step), " "); strings.EqualFold(word, "FROM") {
		t.base = image
		if below, ok := t.bases[image]; ok {
			t.base = below // the stage stands on another one
		}
	} else {
		t.bases[image] = t.base
	}
	t.last = image
}

// failed tells how to look at what there was before the step that failed.
func (t *buildTeller) failed() {
	switch {
	case !t.b.debug:
	case t.last == "":
		t.a.warn("no step was done, so there is nothing to look at")
	default:
		network := ""
		for _, n := range t.b.networks {
			network = " --network " + n
		}
		fmt.Fprintf(t.a.stderr, "The state before %q is kept as an image. Enter it:\n  xc run --rm -it%s %s /bin/sh\n", t.step, network, engine.ImageID(t.last).Short())
	}
}

func (t *buildTeller) finish(cmd *cobra.Command) error {
	if t.b.inPlace {
		return t.a.writeInPlace(cmd, t.image, t.bases[t.image], t.b.quiet)
	}
	if t.b.idFile != "" {
		if err := writeFile(t.b.idFile, strings.NewReader(t.image)); err != nil {
			return err
		}
	}
	if t.b.quiet {
		return t.a.println(t.image)
	}
	return t.a.println("Built " + engine.ImageID(t.image).Short())
}

// writeInPlace writes the layers of an image that its base does not have, and its configuration, and removes the image.
func (a *app) writeInPlace(cmd *cobra.Command, image, base string, quiet bool) (err error) {
	made, err := a.daemon().Image(cmd.Context(), image, "")
	if err != nil {
		return err
	}
	below := 0
	if base != "" {
		from, err := a.daemon().Image(cmd.Context(), base, "")
		if err != nil {
			return err
		}
		below = len(from.Layers)
	}
	content, err := a.daemon().SaveImages(cmd.Context(), wire.Save{Refs: []string{image}})
	if err != nil {
		return err
	}
	defer content.Close()
	dir, err := os.MkdirTemp(".", ".xc-build-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	files, err := unpackSaved(content, dir, made.Layers, below)
	if err != nil {
		return err
	}
	for _, name := range files {
		if err := os.Rename(filepath.Join(dir, name), name); err != nil {
			return err
		}
		if !quiet {
			if err := a.println(name); err != nil {
				return err
			}
		}
	}
	if len(made.Tags) > 0 {
		return nil // the recipe makes nothing new of an image with a name
	}
	_, err = a.daemon().RemoveImage(cmd.Context(), image, false, true)
	return err
}

// configFile is the name of an image's configuration beside its layers.
const configFile = "jail.json"

// savedImage is an entry of an archive's manifest.json.
type savedImage struct {
	Config string
	Layers []string
}

// unpackSaved takes the configuration and the layers from a number on out of an archive of one image, and returns the names of the
// files that it made in dir.
func unpackSaved(saved io.Reader, dir string, diffIDs []string, from int) (files []string, err error) {
	blobs := map[string]string{} // file by path in the archive
	var images []savedImage
	for r := tar.NewReader(saved); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		switch {
		case err != nil:
			return nil, err
		case h.Name == "manifest.json":
			if err := json.NewDecoder(r).Decode(&images); err != nil {
				return nil, err
			}
		case h.Typeflag == tar.TypeReg && strings.HasPrefix(h.Name, "blobs/"):
			at := filepath.Join(dir, fmt.Sprintf("blob%d", len(blobs)))
			if blobs[h.Name], err = at, unpackFile(at, r); err != nil {
				return nil, err
			}
		}
	}
	if len(images) != 1 || len(images[0].Layers) != len(diffIDs) {
		return nil, errors.New("the daemon's archive of the image is not whole")
	}
	move := func(path, name string) error {
		files = append(files, name)
		return os.Rename(blobs[path], filepath.Join(dir, name))
	}
	if err := move(images[0].Config, configFile); err != nil {
		return nil, err
	}
	for i := from; i < len(diffIDs); i++ {
		end, err := suffix(blobs[images[0].Layers[i]])
		if err == nil {
			err = move(images[0].Layers[i], strings.TrimPrefix(diffIDs[i], "sha256:")+end)
		}
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

func unpackFile(name string, content io.Reader) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}

// suffix names a layer's file by its compression.
func suffix(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	begin := make([]byte, 4)
	if _, err := io.ReadFull(f, begin); err != nil {
		return "", err
	}
	switch {
	case bytes.HasPrefix(begin, []byte{0x1f, 0x8b}): // RFC 1952
		return ".tar.gz", nil
	case bytes.Equal(begin, []byte{0x28, 0xb5, 0x2f, 0xfd}): // RFC 8878
		return ".tar.zst", nil
	}
	return ".tar", nil
}
