package images

import (
	"context"
	"net/http"

	"github.com/docker/docker/api/types/registry"

	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/translate"
)

// credentials reads those that a client sends with a request.
func credentials(r *httpx.Request) engine.Credentials {
	return translate.Credentials(r.Header.Get(registry.AuthHeader))
}

// create is a pull, or an import.
func (g *group) create(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	if r.Param("fromImage") == "" {
		return g.importImage(ctx, w, r)
	}
	req, err := translate.Pull(translate.PullQuery{
		Image: r.Param("fromImage"), Tag: r.Param("tag"), Platform: r.Param("platform"), Auth: credentials(r),
	}, r.Version, g.env.Host)
	if err != nil {
		return err
	}
	out := &lines{w: w}
	return out.end(g.backend.Pull(ctx, req, out.report))
}

func (g *group) push(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	req, err := translate.Push(r.Var("name"), r.Param("tag"), r.Params("platform"), credentials(r), r.Version)
	if err != nil {
		return err
	}
	out := &lines{w: w}
	return out.end(g.backend.Push(ctx, req, out.report))
}

// load answers in the stream whatever happens: its clients read no other answer.
func (g *group) load(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	p, err := platform(r)
	if err != nil {
		return err
	}
	out := &lines{w: w}
	report := out.report
	if r.BoolOr("quiet", true) {
		report = func(p engine.Progress) {
			if p.ID == "" {
				out.report(p)
			}
		}
	}
	if err := g.backend.Load(ctx, r.Body, p, report); err != nil {
		out.write(translate.ErrorLine(err))
		return nil
	}
	return out.end(nil)
}

// save gives the tar of one image, or of those named in the query.
func (g *group) save(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	names := r.Params("names")
	if name := r.Var("name"); name != "" {
		names = []string{name}
	}
	p, err := platform(r)
	if err != nil {
		return err
	}
	if err := g.backend.CanSave(ctx, names, p); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/x-tar")
	out := &begun{ResponseWriter: w}
	err = g.backend.Save(ctx, names, p, out)
	if err != nil && out.yes {
		// The client must not take half a tar for a whole one.
		g.env.Log.WarnContext(ctx, "saving images broke off", "error", err)
		panic(http.ErrAbortHandler)
	}
	return err
}

// begun knows whether anything was written.
type begun struct {
	http.ResponseWriter
	yes bool
}

// Write implements io.Writer.
func (b *begun) Write(p []byte) (int, error) {
	b.yes = true
	return b.ResponseWriter.Write(p)
}

func (g *group) search(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	limit, err := translate.SearchLimit(r.Param("limit"))
	if err != nil {
		return err
	}
	filters, err := r.Filters()
	if err != nil {
		return err
	}
	f, err := translate.SearchFilters(filters)
	if err != nil {
		return err
	}
	list, err := g.backend.Search(ctx, r.Param("term"), limit, credentials(r))
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, translate.SearchResults(list, f))
}

func (g *group) distribution(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	ref, err := translate.DistributionRef(r.Var("name"))
	if err != nil {
		return err
	}
	d, err := g.backend.Distribution(ctx, ref, credentials(r))
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, translate.Distribution(d))
}

func (g *group) login(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	var body registry.AuthConfig
	if err := r.NeedJSON(&body); err != nil {
		return err
	}
	token, err := g.backend.Login(ctx, translate.AuthConfig(body))
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, translate.LoggedIn(token))
}
