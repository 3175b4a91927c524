// Package dockerfile reads Dockerfiles with BuildKit's own parser (moby/buildkit/frontend/dockerfile), so that what is a
// Dockerfile here is one there. It adds what that parser leaves to its caller: stages are found, and COPY --parents, which
// BuildKit compiles in by a build tag, is understood.
//
// BuildKit's packages parser, instructions and shell bring a few small modules with them and nothing of its solver, client or
// protocol buffers' services.
package dockerfile
