package containers

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"

	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/translate"
)

// setStat tells what a path is in a header, as JSON in base 64.
func setStat(h http.Header, p engine.PathStat) error {
	data, err := json.Marshal(translate.PathStat(p))
	if err != nil {
		return err
	}
	h.Set("X-Docker-Container-Path-Stat", base64.StdEncoding.EncodeToString(data))
	return nil
}

func (g *group) statPath(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	if err := translate.NeedsPath(r.Param("path")); err != nil {
		return err
	}
	stat, err := g.backend.StatPath(ctx, r.Var("name"), r.Param("path"))
	if err != nil {
		return err
	}
	if err := setStat(w.Header(), stat); err != nil {
		return err
	}
	return httpx.WriteStatus(w, http.StatusOK)
}

func (g *group) readArchive(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	if err := translate.NeedsPath(r.Param("path")); err != nil {
		return err
	}
	archive, err := g.backend.ReadArchive(ctx, r.Var("name"), r.Param("path"))
	if err != nil {
		return err
	}
	defer archive.Close()
	if err := setStat(w.Header(), archive.Stat); err != nil {
		return err
	}
	return copyTar(w, archive, "application/x-tar")
}

func (g *group) writeArchive(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	if err := translate.NeedsPath(r.Param("path")); err != nil {
		return err
	}
	o := engine.ExtractOptions{NoOverwriteDirNonDir: r.Bool("noOverwriteDirNonDir"), KeepOwner: r.Bool("copyUIDGID")}
	if err := g.backend.WriteArchive(ctx, r.Var("name"), r.Param("path"), r.Body, o); err != nil {
		return err
	}
	return httpx.WriteStatus(w, http.StatusOK)
}

func (g *group) export(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	root, err := g.backend.Export(ctx, r.Var("name"))
	if err != nil {
		return err
	}
	defer root.Close()
	return copyTar(w, root, "application/octet-stream")
}

// copyTar sends a stream. An error on the way cuts the connection, so that nobody takes half a stream for a whole one.
func copyTar(w http.ResponseWriter, from io.Reader, contentType string) error {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(http.StatusOK)
	_, err := io.Copy(w, from)
	return err
}
