package builder

import (
	"context"
	"strings"
	"sync"

	"github.com/distribution/reference"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
)

// pulled is one image that the build names: brought once.
type pulled struct {
	once sync.Once
	img  engine.Image
	err  error
}

// image finds an image, brings it from its registry when it is not here or when that was asked for, and holds it.
func (b *build) image(ctx context.Context, name string, platform *engine.Platform, report engine.BuildFunc) (engine.Image, error) {
	key := name
	if platform != nil {
		key += " " + platform.String()
	}
	b.mu.Lock()
	p := b.images[key]
	if p == nil {
		p = &pulled{}
		b.images[key] = p
	}
	b.mu.Unlock()
	p.once.Do(func() {
		if p.img, p.err = b.bring(ctx, name, platform, report); p.err == nil {
			p.err = b.hold(p.img.ID)
		}
	})
	return p.img, p.err
}

func (b *build) bring(ctx context.Context, name string, platform *engine.Platform, report engine.BuildFunc) (engine.Image, error) {
	if !b.req.Pull {
		img, err := b.s.Images.Lookup(ctx, name, platform)
		if err == nil || engine.KindOf(err) != engine.NotFound {
			return img, err
		}
	}
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return engine.Image{}, invalid(err)
	}
	req := engine.PullRequest{Ref: reference.FamiliarString(reference.TagNameOnly(named)), Platform: platform, Auth: b.credentials(reference.Domain(named))}
	err = b.s.Images.Pull(ctx, req, func(p engine.Progress) { report(engine.BuildEvent{Kind: engine.BuildProgress, Progress: p}) })
	if err != nil {
		return engine.Image{}, err
	}
	b.s.Failpoint("build.pulled")
	return b.s.Images.Lookup(ctx, name, platform)
}

// dockerHub are the names under which clients keep the credentials of Docker's own registry.
var dockerHub = []string{"https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io"}

// credentials finds those for a registry among those that came with the request.
func (b *build) credentials(domain string) engine.Credentials {
	names := []string{domain, "https://" + domain, "http://" + domain}
	if domain == "docker.io" {
		names = dockerHub
	}
	for _, name := range names {
		for key, c := range b.req.Auth {
			if strings.TrimSuffix(key, "/") == strings.TrimSuffix(name, "/") {
				return c
			}
		}
	}
	return engine.Credentials{}
}

func (b *build) parsePlatform(s string) (engine.Platform, error) {
	h := b.s.Host
	p, err := imageformat.ParsePlatform(s, imageformat.Platform{OS: h.OS, Architecture: h.Architecture, Variant: h.Variant})
	return engine.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant, OSVersion: p.OSVersion}, err
}
