package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/moby/go-archive"
	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine"
)

func copyCommand(a *app) *cobra.Command {
	var follow, archived bool
	cmd := &cobra.Command{
		Use: "cp [flags] CONTAINER:PATH PATH|- | PATH|- CONTAINER:PATH", Short: "Copy files from or to a container", Args: cobra.ExactArgs(2),
		Long: `Copy files and directories, as cp -R does, between here and a container, whether it runs or not. "-" is a tar on stdin or stdout. A
directory that ends in "/." gives its content. A path here that has a colon is told by "./" or "/" at its beginning.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			from, fromPath := containerPath(args[0])
			to, toPath := containerPath(args[1])
			var err error
			switch ctx := cmd.Context(); {
			case from != "" && to != "":
				return usageError{errors.New("files are not copied between containers: xc cp A:PATH - | xc cp - B:PATH")}
			case from != "":
				err = a.explain(ctx, from, a.copyOut(ctx, from, fromPath, args[1], follow))
			case to != "":
				err = a.explain(ctx, to, a.copyIn(ctx, args[0], to, toPath, follow, archived))
			default:
				return usageError{errors.New("neither path is in a container: CONTAINER:PATH")}
			}
			return err
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow-link", "L", false, "copy what a symbolic link at the source leads to")
	cmd.Flags().BoolVarP(&archived, "archive", "a", false, "keep owners")
	return cmd
}

// containerPath cuts CONTAINER:PATH; the container is empty for a path here.
func containerPath(arg string) (container, p string) {
	if isPath(arg) || arg == "-" {
		return "", arg
	}
	container, p, ok := strings.Cut(arg, ":")
	if !ok {
		return "", arg
	}
	return container, p
}

// copyOut copies from a container.
func (a *app) copyOut(ctx context.Context, ref, source, target string, follow bool) error {
	source = absolute(source)
	rebase := ""
	if follow {
		stat, err := a.daemon().StatPath(ctx, ref, source)
		if err != nil {
			return err
		}
		if stat.LinkTarget != "" && fs.FileMode(stat.Mode)&fs.ModeSymlink != 0 {
			at := stat.LinkTarget
			if !path.IsAbs(at) {
				at = path.Join(path.Dir(source), at)
			}
			at, rebase = archive.GetRebaseName(source, at)
			source = at
		}
	}
	files, err := a.daemon().ReadFiles(ctx, ref, source)
	if err != nil {
		return err
	}
	defer files.Close()
	if target == "-" {
		_, err := io.Copy(a.stdout, files)
		return err
	}
	info := archive.CopyInfo{Path: source, Exists: true, IsDir: fs.FileMode(files.Stat.Mode).IsDir(), RebaseName: rebase}
	content := io.Reader(files)
	if rebase != "" {
		_, base := archive.SplitPathDirEntry(info.Path)
		renamed := archive.RebaseArchiveEntries(content, base, rebase)
		defer renamed.Close()
		content = renamed
	}
	return archive.CopyTo(content, info, target)
}

// copyIn copies to a container.
func (a *app) copyIn(ctx context.Context, source, ref, target string, follow, keepOwner bool) error {
	info, err := a.destination(ctx, ref, absolute(target))
	if err != nil {
		return err
	}
	if source == "-" {
		if !info.IsDir {
			return fmt.Errorf("%s:%s is no directory, which a tar needs to be unpacked in", ref, target)
		}
		return a.daemon().WriteFiles(ctx, ref, info.Path, a.stdin, keepOwner)
	}
	from, err := archive.CopyInfoSourcePath(source, follow)
	if err != nil {
		return err
	}
	content, err := archive.TarResource(from)
	if err != nil {
		return err
	}
	defer content.Close()
	dir, prepared, err := archive.PrepareArchiveCopy(content, from, info)
	if err != nil {
		return err
	}
	defer prepared.Close()
	return a.daemon().WriteFiles(ctx, ref, filepath.ToSlash(dir), prepared, keepOwner)
}

// destination tells what is at a path of a container, and what a link there leads to.
func (a *app) destination(ctx context.Context, ref, p string) (archive.CopyInfo, error) {
	info := archive.CopyInfo{Path: p}
	stat, err := a.daemon().StatPath(ctx, ref, p)
	if err == nil && fs.FileMode(stat.Mode)&fs.ModeSymlink != 0 {
		if info.Path = stat.LinkTarget; !path.IsAbs(info.Path) {
			info.Path = path.Join(path.Dir(p), info.Path)
		}
		stat, err = a.daemon().StatPath(ctx, ref, info.Path)
	}
	switch {
	case err == nil:
		info.Exists, info.IsDir = true, fs.FileMode(stat.Mode).IsDir()
		return info, nil
	case notFound(err, engine.ResourcePath):
		return info, nil // it will be made
	}
	return info, err
}

// absolute makes a path of a container absolute, and keeps "/" and "/." at its end.
func absolute(p string) string {
	return archive.PreserveTrailingDotOrSeparator(path.Join("/", p), p)
}
