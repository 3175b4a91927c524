package client

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// CreateContainer makes a container. A user other than root shows by opened files and directories of the host, each named by its
// absolute path, that it may give them to the container.
func (c *Client) CreateContainer(ctx context.Context, wish wire.ContainerCreate, opened ...*os.File) (made wire.Created, err error) {
	ctx, wish.Opened = passing(ctx, opened)
	return made, c.call(ctx, http.MethodPost, path("containers"), nil, wish, &made)
}

// Containers lists containers. Keys of the query: all, size, limit, and what selects: id, name, image, state, label, volume,
// network, health, exited, before, since.
func (c *Client) Containers(ctx context.Context, query url.Values) (all []wire.Container, err error) {
	return all, c.call(ctx, http.MethodGet, path("containers"), query, nil, &all)
}

// Container tells everything of a container; ref is its name, id or a prefix of the id.
func (c *Client) Container(ctx context.Context, ref string, size bool) (one wire.Container, err error) {
	return one, c.call(ctx, http.MethodGet, path("containers", ref), flags("size", size), nil, &one)
}

// flags makes a query of truth values: name, value, name, value …
func flags(pairs ...any) url.Values {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1].(bool) {
			q.Set(pairs[i].(string), "1")
		}
	}
	return q
}

// post does one of the operations that answer nothing.
func (c *Client) post(ctx context.Context, ref, operation string, body any) error {
	return c.call(ctx, http.MethodPost, path("containers", ref, operation), nil, body, nil)
}

// StartContainer starts a container.
func (c *Client) StartContainer(ctx context.Context, ref string) error {
	return c.post(ctx, ref, "start", nil)
}

// StopContainer ends a container, gently first.
func (c *Client) StopContainer(ctx context.Context, ref string, how wire.Stop) error {
	return c.post(ctx, ref, "stop", how)
}

// RestartContainer ends a container and starts it again.
func (c *Client) RestartContainer(ctx context.Context, ref string, how wire.Stop) error {
	return c.post(ctx, ref, "restart", how)
}

// KillContainer sends a signal, by name or number; an empty one is KILL.
func (c *Client) KillContainer(ctx context.Context, ref, signal string) error {
	return c.post(ctx, ref, "kill", wire.Kill{Signal: signal})
}

// PauseContainer stops a container's processes where they are.
func (c *Client) PauseContainer(ctx context.Context, ref string) error {
	return c.post(ctx, ref, "pause", nil)
}

// UnpauseContainer lets them go on.
func (c *Client) UnpauseContainer(ctx context.Context, ref string) error {
	return c.post(ctx, ref, "unpause", nil)
}

// RenameContainer gives a container another name.
func (c *Client) RenameContainer(ctx context.Context, ref, name string) error {
	return c.post(ctx, ref, "rename", wire.Rename{Name: name})
}

// RemoveContainer removes a container; force kills it first when it runs, volumes also removes its anonymous volumes.
func (c *Client) RemoveContainer(ctx context.Context, ref string, force, volumes bool) error {
	return c.call(ctx, http.MethodDelete, path("containers", ref), flags("force", force, "volumes", volumes), nil, nil)
}

// CommitContainer makes an image of a container's root and returns its id.
func (c *Client) CommitContainer(ctx context.Context, ref string, how wire.Commit) (made wire.Committed, err error) {
	return made, c.call(ctx, http.MethodPost, path("containers", ref, "commit"), nil, how, &made)
}

// WaitContainer waits until a container is not-running (""), has its next-exit, or is removed. armed, unless it is nil, is called
// when no end can be missed any more.
func (c *Client) WaitContainer(ctx context.Context, ref, condition string, armed func()) (wire.Waited, error) {
	q := url.Values{}
	if condition != "" {
		q.Set("condition", condition)
	}
	return c.end(ctx, path("containers", ref, "wait"), q, armed)
}

// Link waits for a container's end; when ctx ends, or this program, the container is killed.
func (c *Client) Link(ctx context.Context, ref string, armed func()) (wire.Waited, error) {
	return c.end(ctx, path("containers", ref, "link"), nil, armed)
}

// end reads the one line that tells an end.
func (c *Client) end(ctx context.Context, path string, q url.Values, armed func()) (w wire.Waited, err error) {
	req, err := c.request(ctx, http.MethodGet, path, q, nil)
	if err != nil {
		return w, err
	}
	resp, err := c.do(req)
	if err != nil {
		return w, err
	}
	defer resp.Body.Close()
	if armed != nil {
		armed()
	}
	var l wire.Line[wire.Waited]
	if err := json.NewDecoder(resp.Body).Decode(&l); err != nil {
		return w, err
	}
	if l.Error != nil {
		return w, decodeError(*l.Error)
	}
	return *l.Value, nil
}

// Publish adds ports to those that a container has published.
func (c *Client) Publish(ctx context.Context, ref string, ports []wire.Publish) error {
	return c.call(ctx, http.MethodPost, path("containers", ref, "ports"), nil, wire.Ports{Ports: ports}, nil)
}

// Unpublish takes published ports away. Members of a port that are left out fit any.
func (c *Client) Unpublish(ctx context.Context, ref string, ports []wire.Publish) error {
	return c.call(ctx, http.MethodDelete, path("containers", ref, "ports"), nil, wire.Ports{Ports: ports}, nil)
}

// Processes lists a container's processes; args are arguments for ps(1).
func (c *Client) Processes(ctx context.Context, ref string, args []string) (t wire.ProcessTable, err error) {
	return t, c.call(ctx, http.MethodGet, path("containers", ref, "top"), url.Values{"arg": args}, nil, &t)
}

// Changes lists how a container's files differ from its image.
func (c *Client) Changes(ctx context.Context, ref string) (all []wire.Change, err error) {
	return all, c.call(ctx, http.MethodGet, path("containers", ref, "changes"), nil, nil, &all)
}

// Stats gives a sample of what a container uses about every second, or one alone.
func (c *Client) Stats(ctx context.Context, ref string, once bool) iter.Seq2[wire.Stats, error] {
	return lines[wire.Stats](ctx, c, http.MethodGet, path("containers", ref, "stats"), flags("once", once), nil)
}

// ResizeContainer sets the size of a container's terminal.
func (c *Client) ResizeContainer(ctx context.Context, ref string, size wire.Size) error {
	return c.post(ctx, ref, "resize", size)
}

// Archive is a tar of a path of a container.
type Archive struct {
	io.ReadCloser
	Stat wire.PathStat
}

// ReadFiles gives a path of a container as tar, which the caller closes.
func (c *Client) ReadFiles(ctx context.Context, ref, p string) (Archive, error) {
	req, err := c.request(ctx, http.MethodGet, path("containers", ref, "files"), url.Values{"path": {p}}, nil)
	if err != nil {
		return Archive{}, err
	}
	resp, err := c.do(req)
	if err != nil {
		return Archive{}, err
	}
	a := Archive{ReadCloser: resp.Body}
	return a, json.Unmarshal([]byte(resp.Header.Get(wire.PathStatHeader)), &a.Stat)
}

// WriteFiles puts a tar into a directory of a container. keepOwner has the files belong to the container's user.
func (c *Client) WriteFiles(ctx context.Context, ref, dir string, tar io.Reader, keepOwner bool) error {
	q := flags("no_overwrite", true, "keep_owner", keepOwner)
	q.Set("path", dir)
	return c.upload(ctx, http.MethodPut, path("containers", ref, "files"), q, tar)
}

// upload sends a body that is not JSON.
func (c *Client) upload(ctx context.Context, method, path string, query url.Values, body io.Reader) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://xc"+path+"?"+query.Encode(), body)
	if err != nil {
		return err
	}
	resp, err := c.do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// LogQuery selects what a container wrote.
type LogQuery struct {
	Follow, Timestamps, Details bool
	Since, Until                string // RFC 3339
	Tail                        int    // the last n records; negative is all
}

func (q LogQuery) values() url.Values {
	v := flags("follow", q.Follow, "timestamps", q.Timestamps, "details", q.Details)
	for key, value := range map[string]string{"since": q.Since, "until": q.Until} {
		if value != "" {
			v.Set(key, value)
		}
	}
	if q.Tail >= 0 {
		v.Set("tail", strconv.Itoa(q.Tail))
	}
	return v
}

// StatPath tells what a path inside a container is.
func (c *Client) StatPath(ctx context.Context, ref, p string) (stat wire.PathStat, err error) {
	return stat, c.call(ctx, http.MethodGet, path("containers", ref, "files", "stat"), url.Values{"path": {p}}, nil, &stat)
}
