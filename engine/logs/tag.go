package logs

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"
	"unicode"
)

// Info is what a log may say about its container: the labels and variables that options name, and what a tag template can
// use. Its fields and methods are dockerd's (moby daemon/logger/loginfo.go), because templates name them.
type Info struct {
	Config              map[string]string
	ContainerID         string
	ContainerName       string
	ContainerEntrypoint string
	ContainerArgs       []string
	ContainerImageID    string
	ContainerImageName  string
	ContainerCreated    time.Time
	ContainerEnv        []string
	ContainerLabels     map[string]string
	LogPath             string
	DaemonName          string
	HostName            string
}

// ID returns the container's id, cut to 12 characters.
func (i *Info) ID() string { return short(i.ContainerID) }

// FullID returns the container's id.
func (i *Info) FullID() string { return i.ContainerID }

// Name returns the container's name without a slash before it.
func (i *Info) Name() string { return strings.TrimPrefix(i.ContainerName, "/") }

// ImageID returns the image's id, cut to 12 characters.
func (i *Info) ImageID() string { return short(i.ContainerImageID) }

// ImageFullID returns the image's id.
func (i *Info) ImageFullID() string { return i.ContainerImageID }

// ImageName returns the image's name as the container's creator wrote it.
func (i *Info) ImageName() string { return i.ContainerImageName }

// Command returns the command line, entry point first.
func (i *Info) Command() string {
	return strings.Join(append([]string{i.ContainerEntrypoint}, i.ContainerArgs...), " ")
}

// Hostname returns the host's name.
func (i *Info) Hostname() string { return i.HostName }

func short(s string) string { return s[:min(len(s), 12)] }

// attrs gathers what goes into every record.
func (i Info) attrs(opts map[string]string) (map[string]string, error) {
	attrs := make(map[string]string)
	env := make(map[string]string, len(i.ContainerEnv))
	for _, e := range i.ContainerEnv {
		if k, v, ok := strings.Cut(e, "="); ok {
			env[k] = v
		}
	}
	for _, part := range []struct {
		from        map[string]string
		list, regex string
	}{
		{i.ContainerLabels, opts["labels"], opts["labels-regex"]},
		{env, opts["env"], opts["env-regex"]},
	} {
		if err := pick(attrs, part.from, part.list, part.regex); err != nil {
			return nil, err
		}
	}
	if tag := opts["tag"]; tag != "" {
		i.Config = opts
		text, err := i.render(tag)
		if err != nil {
			return nil, err
		}
		if text != "" {
			attrs["tag"] = text
		}
	}
	if len(attrs) == 0 {
		return nil, nil
	}
	return attrs, nil
}

func pick(into, from map[string]string, list, regex string) error {
	for k := range strings.SplitSeq(list, ",") {
		if v, ok := from[k]; ok {
			into[k] = v
		}
	}
	if regex == "" {
		return nil
	}
	re, err := regexp.Compile(regex)
	if err != nil {
		return err
	}
	for k, v := range from {
		if re.MatchString(k) {
			into[k] = v
		}
	}
	return nil
}

func (i *Info) render(tag string) (string, error) {
	t, err := template.New("log-tag").Funcs(functions()).Parse(tag)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.Execute(&b, i); err != nil {
		return "", err
	}
	return b.String(), nil
}

// maxPad keeps a template from making a tag of any size.
const maxPad = 1 << 10

// functions are what dockerd offers in templates (moby daemon/logger/templates).
func functions() template.FuncMap {
	return template.FuncMap{
		"json": func(v any) (string, error) {
			var b strings.Builder
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(false)
			err := e.Encode(v)
			return strings.TrimSpace(b.String()), err
		},
		"split": strings.Split,
		"join":  strings.Join,
		"title": title,
		"lower": strings.ToLower,
		"upper": strings.ToUpper,
		"pad": func(s string, before, after int) string {
			if s == "" {
				return s
			}
			return strings.Repeat(" ", min(max(before, 0), maxPad)) + s + strings.Repeat(" ", min(max(after, 0), maxPad))
		},
		"truncate": func(s string, n int) string { return s[:min(len(s), max(n, 0))] },
	}
}

// title makes the first letter of every word a capital.
func title(s string) string {
	before := ' '
	return strings.Map(func(r rune) rune {
		starts := !unicode.IsLetter(before) && !unicode.IsDigit(before) && before != '_' && before != '\''
		before = r
		if starts {
			return unicode.ToTitle(r)
		}
		return r
	}, s)
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
