package containers_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sync"
	"time"

	"github.com/xcengine/xc/engine"
)

// engineInMemory is a small engine: containers are created, started, ended and removed, and their process gives its input
// back on standard output, in capitals on standard error.
type engineInMemory struct {
	mu    sync.Mutex
	all   map[string]*fakeContainer
	order []string
	// asked is what the last call of a kind was asked for.
	asked map[string]any
}

type fakeContainer struct {
	engine.Container
	started chan struct{} // closed at the start
	ended   chan struct{} // closed at the end
	removed chan struct{} // closed at the removal
	log     []engine.LogRecord
	files   map[string]string
	gone    chan error // what the last attach ended with
}

func newEngine() *engineInMemory {
	return &engineInMemory{all: map[string]*fakeContainer{}, asked: map[string]any{}}
}

func fail(kind engine.Kind, reason engine.Reason, op, id string, args ...string) error {
	return &engine.Error{Op: op, Kind: kind, Resource: engine.ResourceContainer, ID: id, Reason: reason, Args: args}
}

func (e *engineInMemory) find(ref string) (*fakeContainer, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.all {
		if c.Name == ref || string(c.ID) == ref || c.ID.Short() == ref {
			return c, nil
		}
	}
	return nil, fail(engine.NotFound, "", "find", ref)
}

func (e *engineInMemory) ask(op string, what any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked[op] = what
}

func (e *engineInMemory) lastAsked(op string) any {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked[op]
}

func (e *engineInMemory) Create(_ context.Context, req engine.CreateRequest) (engine.CreateResult, error) {
	if req.Spec.ImageRef == "missing:1" {
		return engine.CreateResult{}, &engine.Error{Op: "create", Kind: engine.NotFound, Resource: engine.ResourceImage, ID: "missing:1"}
	}
	if other, err := e.find(req.Name); err == nil {
		return engine.CreateResult{}, fail(engine.Conflict, engine.ReasonNameTaken, "name", req.Name, string(other.ID))
	}
	c := &fakeContainer{
		Container: engine.Container{ID: engine.ContainerID(engine.NewID()), Name: req.Name, Spec: req.Spec, Created: time.Now(), Status: engine.Status{State: engine.StateCreated}},
		started:   make(chan struct{}), ended: make(chan struct{}), removed: make(chan struct{}), files: map[string]string{"/etc/passwd": "root"},
		gone: make(chan error, 1),
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all[string(c.ID)], e.order = c, append(e.order, string(c.ID))
	return engine.CreateResult{ID: c.ID, Warnings: []string{"the engine warns"}}, nil
}

// set changes a container's record.
func (e *engineInMemory) set(c *fakeContainer, change func(*engine.Container)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(&c.Container)
}

func (e *engineInMemory) snapshot(c *fakeContainer) engine.Container {
	e.mu.Lock()
	defer e.mu.Unlock()
	return c.Container
}

func (e *engineInMemory) Start(_ context.Context, ref string) error {
	c, err := e.find(ref)
	if err != nil {
		return err
	}
	switch {
	case e.snapshot(c).Status.State == engine.StateRunning:
		return fail(engine.NotModified, "", "start", ref)
	case c.Spec.ImageRef == "bad:1":
		return fail(engine.Invalid, engine.ReasonExecNotFound, "run", ref, "nosuch")
	case c.Spec.ImageRef == "port:1":
		return &engine.Error{Op: "publish", Kind: engine.Conflict, Resource: engine.ResourcePort, Reason: engine.ReasonPortTaken, Args: []string{"127.0.0.1:80"}}
	}
	e.set(c, func(c *engine.Container) {
		c.Status = engine.Status{State: engine.StateRunning, Pid: 42, Started: time.Now()}
	})
	close(c.started)
	return nil
}

// exit ends a container's process.
func (e *engineInMemory) exit(c *fakeContainer, code int) {
	e.set(c, func(c *engine.Container) {
		c.Status.State, c.Status.ExitCode, c.Status.Pid, c.Status.Finished = engine.StateExited, code, 0, time.Now()
	})
	close(c.ended)
	if c.Spec.AutoRemove {
		e.drop(c)
	}
}

func (e *engineInMemory) drop(c *fakeContainer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.all, string(c.ID))
	close(c.removed)
}

func (e *engineInMemory) Stop(_ context.Context, ref string, o engine.StopOptions) error {
	c, err := e.find(ref)
	if err != nil {
		return err
	}
	e.ask("stop", o)
	if e.snapshot(c).Status.State != engine.StateRunning {
		return fail(engine.NotModified, "", "stop", ref)
	}
	e.exit(c, 143)
	return nil
}

func (e *engineInMemory) Restart(_ context.Context, ref string, o engine.StopOptions) error {
	_, err := e.find(ref)
	e.ask("restart", o)
	return err
}

func (e *engineInMemory) Kill(_ context.Context, ref string, sig engine.Signal) error {
	c, err := e.find(ref)
	if err != nil {
		return err
	}
	e.ask("kill", sig)
	if e.snapshot(c).Status.State != engine.StateRunning {
		return fail(engine.Conflict, engine.ReasonNotRunning, "kill", ref, string(c.ID))
	}
	e.exit(c, 137)
	return nil
}

func (e *engineInMemory) Pause(_ context.Context, ref string) error {
	c, err := e.find(ref)
	if err == nil {
		e.set(c, func(c *engine.Container) { c.Status.State = engine.StatePaused })
	}
	return err
}

func (e *engineInMemory) Unpause(_ context.Context, ref string) error {
	c, err := e.find(ref)
	if err != nil {
		return err
	}
	if e.snapshot(c).Status.State != engine.StatePaused {
		return fail(engine.Conflict, engine.ReasonNotPaused, "unpause", ref, string(c.ID))
	}
	e.set(c, func(c *engine.Container) { c.Status.State = engine.StateRunning })
	return nil
}

func (e *engineInMemory) Rename(_ context.Context, ref, name string) error {
	c, err := e.find(ref)
	if err != nil {
		return err
	}
	if other, err := e.find(name); err == nil {
		return fail(engine.Conflict, engine.ReasonNameTaken, "name", name, string(other.ID))
	}
	e.set(c, func(c *engine.Container) { c.Name = name })
	return nil
}

func (e *engineInMemory) Update(_ context.Context, ref string, req engine.UpdateRequest) ([]string, error) {
	_, err := e.find(ref)
	e.ask("update", req)
	return nil, err
}

func (e *engineInMemory) Remove(_ context.Context, ref string, o engine.RemoveOptions) error {
	c, err := e.find(ref)
	if err != nil {
		return err
	}
	e.ask("remove", o)
	if s := e.snapshot(c).Status.State; s == engine.StateRunning && !o.Force {
		return fail(engine.Conflict, engine.ReasonRunning, "remove", ref, string(s))
	}
	e.drop(c)
	return nil
}

func (e *engineInMemory) Prune(_ context.Context, q engine.PruneQuery) (engine.PruneResult, error) {
	e.ask("prune", q)
	return engine.PruneResult{Deleted: []string{"a"}, Reclaimed: 5}, nil
}

func (e *engineInMemory) Wait(ctx context.Context, ref string, cond engine.WaitCondition) (<-chan engine.WaitResult, error) {
	c, err := e.find(ref)
	if err != nil {
		return nil, err
	}
	result := make(chan engine.WaitResult, 1)
	if s := e.snapshot(c).Status; cond == engine.WaitNotRunning && s.State != engine.StateRunning {
		result <- engine.WaitResult{ExitCode: s.ExitCode}
		return result, nil
	}
	end := c.ended
	if cond == engine.WaitRemoved {
		end = c.removed
	}
	go func() {
		select {
		case <-end:
			result <- engine.WaitResult{ExitCode: e.snapshot(c).Status.ExitCode}
		case <-ctx.Done():
		}
	}()
	return result, nil
}

func (e *engineInMemory) Inspect(_ context.Context, ref string) (engine.Container, error) {
	if ref == "panic" {
		panic("a fault of the engine")
	}
	c, err := e.find(ref)
	if err != nil {
		return engine.Container{}, err
	}
	return e.snapshot(c), nil
}

func (e *engineInMemory) Size(context.Context, string) (engine.RootSize, error) {
	return engine.RootSize{Writable: 2, Total: 7}, nil
}

func (e *engineInMemory) List(_ context.Context, q engine.ContainerQuery) ([]engine.ContainerSummary, error) {
	e.ask("list", q)
	e.mu.Lock()
	defer e.mu.Unlock()
	var rows []engine.ContainerSummary
	for _, id := range e.order {
		if c, ok := e.all[id]; ok && (q.All || c.Status.State.Alive()) {
			rows = append(rows, engine.ContainerSummary{Container: c.Container})
		}
	}
	return rows, nil
}

func (e *engineInMemory) Top(_ context.Context, ref string, psArgs []string) (engine.ProcessTable, error) {
	_, err := e.find(ref)
	return engine.ProcessTable{Titles: []string{"PID"}, Rows: [][]string{{"1"}, psArgs}}, err
}

func (e *engineInMemory) Changes(_ context.Context, ref string) ([]engine.Change, error) {
	_, err := e.find(ref)
	return []engine.Change{{Path: "/x", Kind: engine.ChangeAdded}}, err
}

func (e *engineInMemory) Stats(ctx context.Context, ref string, once bool, each func(engine.Container, engine.Stats) error) error {
	c, err := e.find(ref)
	if err != nil {
		return err
	}
	for n := uint64(1); ; n++ {
		sample := engine.Stats{}
		if s := e.snapshot(c); s.Status.State.Alive() {
			sample = engine.Stats{Read: s.Status.Started.Add(time.Duration(n) * time.Second), CPU: engine.CPUStats{Total: n}}
		}
		if err := each(e.snapshot(c), sample); err != nil || once {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Millisecond):
		}
	}
}

func (e *engineInMemory) Resize(_ context.Context, ref string, rows, cols uint16) error {
	_, err := e.find(ref)
	e.ask("resize", [2]uint16{rows, cols})
	return err
}

func (e *engineInMemory) Attach(_ context.Context, ref string, o engine.AttachOptions) (engine.AttachedStream, error) {
	c, err := e.find(ref)
	if err != nil {
		return nil, err
	}
	if e.snapshot(c).Status.State == engine.StatePaused {
		return nil, fail(engine.Conflict, engine.ReasonPaused, "attach", ref, string(c.ID))
	}
	e.ask("attach", o)
	return &fakeAttach{e, c}, nil
}

type fakeAttach struct {
	e *engineInMemory
	c *fakeContainer
}

func (a *fakeAttach) TTY() bool    { return a.c.Spec.Process.TTY }
func (a *fakeAttach) Close() error { return nil }

// Run waits for the start, gives the input back, and ends the container with the input's length as its exit code.
func (a *fakeAttach) Run(ctx context.Context, stdio engine.Stdio) (err error) {
	defer func() { a.c.gone <- err }()
	select {
	case <-a.c.started:
	case <-ctx.Done():
		return ctx.Err()
	}
	n := 0
	if stdio.Stdin != nil {
		buf := make([]byte, 1024)
		for {
			k, err := stdio.Stdin.Read(buf)
			n += k
			if stdio.Stdout != nil {
				_, _ = stdio.Stdout.Write(buf[:k])
			}
			if stdio.Stderr != nil && !a.TTY() {
				_, _ = stdio.Stderr.Write(bytes.ToUpper(buf[:k]))
			}
			if err != nil {
				break
			}
		}
	} else if stdio.Stdout != nil {
		_, _ = stdio.Stdout.Write([]byte("output"))
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	a.e.exit(a.c, n)
	return nil
}

func (e *engineInMemory) Logs(_ context.Context, ref string, q engine.LogQuery) (engine.LogStream, error) {
	c, err := e.find(ref)
	if err != nil {
		return nil, err
	}
	if c.Spec.Log.Driver == "none" {
		return nil, fail(engine.NotImplemented, engine.ReasonLogUnreadable, "logs", ref)
	}
	e.ask("logs", q)
	return &fakeLog{c, q}, nil
}

type fakeLog struct {
	c *fakeContainer
	q engine.LogQuery
}

func (l *fakeLog) TTY() bool    { return l.c.Spec.Process.TTY }
func (l *fakeLog) Close() error { return nil }

func (l *fakeLog) Read(ctx context.Context, each func(engine.LogRecord) error, flush func() error) error {
	for _, r := range l.c.log {
		if err := each(r); err != nil {
			return err
		}
	}
	if !l.q.Follow {
		return nil
	}
	if err := flush(); err != nil {
		return err
	}
	select {
	case <-l.c.ended:
		return each(engine.LogRecord{Source: engine.SourceStdout, Data: []byte("last words")})
	case <-ctx.Done():
		l.c.gone <- ctx.Err()
		return ctx.Err()
	}
}

func (e *engineInMemory) path(ref, p string) (string, engine.PathStat, error) {
	c, err := e.find(ref)
	if err != nil {
		return "", engine.PathStat{}, err
	}
	text, ok := c.files[p]
	if !ok {
		return "", engine.PathStat{}, &engine.Error{Kind: engine.NotFound, Resource: engine.ResourcePath, ID: p, Args: []string{ref}}
	}
	return text, engine.PathStat{Name: path.Base(p), Size: int64(len(text)), Mode: uint32(fs.FileMode(0o644)), ModTime: time.Unix(1795437213, 0)}, nil
}

func (e *engineInMemory) StatPath(_ context.Context, ref, p string) (engine.PathStat, error) {
	_, stat, err := e.path(ref, p)
	return stat, err
}

func (e *engineInMemory) ReadArchive(_ context.Context, ref, p string) (engine.Archive, error) {
	text, stat, err := e.path(ref, p)
	if err != nil {
		return engine.Archive{}, err
	}
	return engine.Archive{ReadCloser: io.NopCloser(tarOf(stat.Name, text)), Stat: stat}, nil
}

func tarOf(name, text string) io.Reader {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	_ = w.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Mode: 0o644})
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return &b
}

func (e *engineInMemory) WriteArchive(_ context.Context, ref, p string, r io.Reader, o engine.ExtractOptions) error {
	c, err := e.find(ref)
	if err != nil {
		return err
	}
	e.ask("write", o)
	files := tar.NewReader(r)
	for {
		h, err := files.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read archive: %w", err)
		}
		text, err := io.ReadAll(files)
		if err != nil {
			return err
		}
		c.files[path.Join(p, h.Name)] = string(text)
	}
}

// Export gives a stream that breaks in its middle for the container "broken".
func (e *engineInMemory) Export(_ context.Context, ref string) (io.ReadCloser, error) {
	c, err := e.find(ref)
	if err != nil {
		return nil, err
	}
	root := tarOf("etc/passwd", c.files["/etc/passwd"])
	if c.Name == "broken" {
		root = io.MultiReader(io.LimitReader(root, 600), brokenReader{})
	}
	return io.NopCloser(root), nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }
