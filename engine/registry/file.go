package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/xcengine/xc/engine"
)

// File is the registries file: which registry serves names without one, and what is known of each registry.
//
//	{
//	    "default": "index.docker.io",
//	    "registries": {
//	        "index.docker.io": {"base_url": "https://index.docker.io"},
//	        "my.azurecr.io": {"base_url": "https://my.azurecr.io", "basic_auth": {"username": "u", "password": "p"}}
//	    }
//	}
//
// Beside these keys of the original xc an entry may have "identity_token", "mirrors" (URLs) and "insecure". Keys that are not known
// are kept. The file is written with mode 0600, whole or not at all, and read again whenever another program changed it.
// A comma before a closing bracket is tolerated: people write them.
type File struct {
	path string

	mu     sync.Mutex
	cached registries
	stamp  fileStamp
}

type fileStamp struct {
	modified time.Time
	size     int64
}

// Entry is one registry of the file.
type Entry struct {
	BaseURL       string     `json:"base_url,omitempty"`
	BasicAuth     *BasicAuth `json:"basic_auth,omitempty"`
	IdentityToken string     `json:"identity_token,omitempty"`
	Mirrors       []string   `json:"mirrors,omitempty"`
	Insecure      bool       `json:"insecure,omitempty"`
}

// BasicAuth is a user's name and password, or a token in the password's place.
type BasicAuth struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// String keeps the password out of logs.
func (b BasicAuth) String() string { return "credentials of " + b.Username }

type registries struct {
	Default    string
	Registries map[string]Entry
	raw        map[string]json.RawMessage // the whole document
	rawEntries map[string]map[string]json.RawMessage
}

// NewFile names a registries file. It need not exist; without a path nothing is kept.
func NewFile(path string) *File { return &File{path: path} }

// Lookup returns what is stored for a registry, by any of its names.
func (f *File) Lookup(server string) (engine.Credentials, bool, error) {
	r, err := f.load()
	if err != nil {
		return engine.Credentials{}, false, err
	}
	e := r.find(normalizeServer(server))
	c := engine.Credentials{IdentityToken: e.IdentityToken, ServerAddress: server}
	if e.BasicAuth != nil {
		c.Username, c.Password = e.BasicAuth.Username, e.BasicAuth.Password
	}
	return c, c.IdentityToken != "" || c.Username != "", nil
}

// Save keeps credentials for the registry that they name. An identity token stands in for the password.
func (f *File) Save(c engine.Credentials) error { return f.save(c, false) }

func (f *File) save(c engine.Credentials, insecure bool) error {
	return f.change(c.ServerAddress, func(e *Entry) {
		e.Insecure = e.Insecure || insecure
		e.BasicAuth, e.IdentityToken = &BasicAuth{Username: c.Username, Password: c.Password}, c.IdentityToken
		if c.IdentityToken != "" {
			e.BasicAuth.Password = ""
		}
	})
}

// Forget removes the credentials of a registry; what else is known of it stays.
func (f *File) Forget(server string) error {
	return f.change(server, func(e *Entry) { e.BasicAuth, e.IdentityToken = nil, "" })
}

func (f *File) change(server string, change func(*Entry)) error {
	if f.path == "" {
		return &engine.Error{Kind: engine.Unavailable, Resource: engine.ResourceRegistry, Err: errors.New("no registries file is configured")}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r, err := f.read()
	if err != nil {
		return err
	}
	key := r.keyOf(normalizeServer(server))
	e := r.Registries[key]
	if e.BaseURL == "" {
		e.BaseURL = "https://" + key
	}
	change(&e)
	raw, err := r.encode(key, e)
	if err != nil {
		return err
	}
	if err := writeSecret(f.path, raw); err != nil {
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	f.stamp = fileStamp{}
	return nil
}

// load returns the file's content, from memory while the file is the same.
func (f *File) load() (registries, error) {
	if f.path == "" {
		return registries{}, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.read()
}

func (f *File) read() (registries, error) {
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		f.cached, f.stamp = registries{}, fileStamp{}
		return f.cached, nil
	}
	if err != nil {
		return registries{}, err
	}
	stamp := fileStamp{info.ModTime(), info.Size()}
	if stamp == f.stamp {
		return f.cached, nil
	}
	raw, err := os.ReadFile(f.path)
	if err != nil {
		return registries{}, err
	}
	r, err := parseRegistries(raw)
	if err != nil {
		return registries{}, invalidf("registries file %s: %w", f.path, err)
	}
	f.cached, f.stamp = r, stamp
	return r, nil
}

func parseRegistries(raw []byte) (registries, error) {
	raw = dropTrailingCommas(raw)
	var doc struct {
		Default    string                     `json:"default"`
		Registries map[string]json.RawMessage `json:"registries"`
	}
	r := registries{Registries: map[string]Entry{}, rawEntries: map[string]map[string]json.RawMessage{}}
	if len(bytes.TrimSpace(raw)) == 0 {
		return r, nil
	}
	if err := errors.Join(json.Unmarshal(raw, &doc), json.Unmarshal(raw, &r.raw)); err != nil {
		return r, err
	}
	r.Default = doc.Default
	for name, body := range doc.Registries {
		var e Entry
		var all map[string]json.RawMessage
		if err := errors.Join(json.Unmarshal(body, &e), json.Unmarshal(body, &all)); err != nil {
			return r, fmt.Errorf("registry %s: %w", name, err)
		}
		r.Registries[name], r.rawEntries[name] = e, all
	}
	return r, nil
}

// find returns what is known of a registry by its normal name.
func (r registries) find(server string) Entry { return r.Registries[r.keyOf(server)] }

// keyOf returns the key under which the file has a registry, or that under which it will.
func (r registries) keyOf(server string) string {
	if _, ok := r.Registries[server]; ok {
		return server
	}
	for name := range r.Registries {
		if normalizeServer(name) == server {
			return name
		}
	}
	if server == hubDomain {
		return hubIndex
	}
	return server
}

// encode writes the document with one entry changed; everything that is not known stays as it was.
func (r registries) encode(key string, e Entry) ([]byte, error) {
	known, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	entry := map[string]json.RawMessage{}
	for k, v := range r.rawEntries[key] {
		entry[k] = v
	}
	for _, k := range []string{"base_url", "basic_auth", "identity_token", "mirrors", "insecure"} {
		delete(entry, k)
	}
	if err := json.Unmarshal(known, &entry); err != nil {
		return nil, err
	}
	entries := map[string]any{}
	for name, all := range r.rawEntries {
		entries[name] = all
	}
	entries[key] = entry
	doc := map[string]any{"default": hubIndex}
	for k, v := range r.raw {
		doc[k] = v
	}
	doc["registries"] = entries
	out, err := json.MarshalIndent(doc, "", "    ")
	return append(out, '\n'), err
}

// dropTrailingCommas removes commas before a closing bracket, outside strings.
func dropTrailingCommas(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	inString, comma := false, -1
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case inString && c == '\\' && i+1 < len(raw):
			out = append(out, c)
			i++
			c = raw[i]
		case c == '"':
			inString, comma = !inString, -1
		case inString, c == ' ', c == '\t', c == '\n', c == '\r':
		case c == ',':
			comma = len(out)
		case (c == '}' || c == ']') && comma >= 0:
			out, comma = append(out[:comma], out[comma+1:]...), -1
		default:
			comma = -1
		}
		out = append(out, c)
	}
	return out
}

// writeSecret replaces a file by one that only its owner reads, so that a crash leaves the old or the new one.
func writeSecret(path string, raw []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".registries-*") // CreateTemp makes it 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // after the rename there is nothing to remove
	_, err = tmp.Write(raw)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
