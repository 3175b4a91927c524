// Package builder makes images by recipes: Dockerfiles and Jailfiles.
//
//	recipe     a Dockerfile or Jailfile, read into stages of commands (dockerfile, jailfile)
//	stage      a chain of images, one for each command; the last is what the stage made
//	step       one command: it makes the next image of its stage, or finds that image in the cache
//	context    the files that came with the build, in a directory of its own
//	source     a tree that files are copied from: the context, a stage, an image, what ADD fetched
//
// A step goes this way:
//
//	command ─▶ expand its words ─▶ key (parent image, command, configuration, digests of sources) ─▶ cache ─▶ the image
//	                                          not there ─▶ clone of the parent's layers: files written, or a container run in it
//	                                                    ─▶ what changed, as one layer ─▶ image, cache entry ─▶ the image
//
// # What is decided
//
// Every step's result is an image, as with dockerd's classic builder, so history, ids and "docker run" of any step work.
// Such images are marked Intermediate: lists do not show them and only the build cache's prune removes them. The cache is a
// table from keys to images; an entry whose image is gone is no entry. Of long rows of declarations several make one image.
//
// Only RUN needs a container: a Transient one, which is removed when its step ends, or by the next daemon; of a step that failed
// it is kept, to be looked at. All else is written into a root by in-root file operations, which no link leads out of. Roots
// that no container has are swept at start.
//
// A stage that the target does not need is not built. Stages that do not need each other are built at once; what they
// tell comes out stage by stage, in the order of the recipe.
//
// Where dockerd's classic builder and BuildKit differ, the words and the shape of the output are the classic builder's, and
// what an instruction can do is BuildKit's.
package builder
