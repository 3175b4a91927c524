package images

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
)

// sendBlobs sends layers at once, as many as the gate lets through, and the config after them.
func (p *push) sendBlobs(ctx context.Context, out *outgoing) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	sent := map[digest.Digest]bool{}
	for i, l := range slices.Backward(out.layers) {
		if sent[l.Digest] {
			continue
		}
		sent[l.Digest] = true
		turn := p.s.uploads.enter()
		all.Go(func() {
			if err := p.sendLayer(ctx, turn, l, out.e.diffIDs[i]); err != nil {
				cancel(err) // the first reason is the one to tell
			}
		})
	}
	all.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	ok, err := p.s.cfg.Registry.HasBlob(ctx, p.remote, out.config.Digest.String())
	if ok || err != nil {
		return err
	}
	return p.again(ctx, "", func() error { return p.upload(ctx, out.config, nil) })
}

func (p *push) sendLayer(ctx context.Context, turn *ticket, l imageformat.Descriptor, diff digest.Digest) error {
	id := shortID(diff)
	if !turn.open() {
		p.rep.say(id, "Waiting")
	}
	if err := turn.wait(ctx); err != nil {
		return err
	}
	defer turn.leave()
	return p.again(ctx, id, func() error {
		ok, err := p.s.cfg.Registry.HasBlob(ctx, p.remote, l.Digest.String())
		if err != nil {
			return err
		}
		if ok {
			p.rep.say(id, "Layer already exists")
			return nil
		}
		if from, err := p.mount(ctx, l.Digest); err != nil {
			return err
		} else if from != "" {
			p.rep.say(id, "Mounted from "+reference.Path(mustParse(from)))
			return nil
		}
		var show pace
		err = p.upload(ctx, l, func(n int64) {
			if show.due() || n == l.Size {
				p.rep.put(engine.Progress{ID: id, Status: "Pushing", Current: n, Total: l.Size})
			}
		})
		if err == nil {
			p.rep.say(id, "Pushed")
		}
		return err
	})
}

func (p *push) upload(ctx context.Context, d imageformat.Descriptor, sent func(int64)) error {
	f, err := p.s.blobs.open(d.Digest)
	if err != nil {
		return err
	}
	defer f.Close()
	return p.s.cfg.Registry.PutBlob(ctx, p.remote, engine.BlobUpload{Digest: d.Digest.String(), Size: d.Size, Content: f, Sent: sent})
}

// again repeats what may succeed later, counting down where the user sees it.
func (p *push) again(ctx context.Context, id string, f func() error) error {
	for try := 1; ; try++ {
		err := f()
		if err == nil || ctx.Err() != nil || try == maxTries || !retryable(err) {
			return err
		}
		p.s.log.Info("an upload broke off", "repository", p.remote.Repository, "try", try, "error", err)
		for left := try * 5; left > 0; left-- {
			if id != "" {
				p.rep.say(id, retryText(left))
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(p.s.cfg.RetryTick):
			}
		}
	}
}
