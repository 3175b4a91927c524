// Package translate turns Docker's types into the engine's words and back. It is pure: it asks no clock, no environment and
// no host; what it must know of them is given to it (a time, a Host, a Version). Nothing else in the program knows how
// Docker spells a thing, which defaults it fills in, or in which words it refuses.
//
//	containers*.go   create, update, inspect, list, stats, top, changes
//	exec.go          exec create, inspect
//	images*.go       lists, inspect, history; pull, push, import, commit, search
//	networks.go volumes.go
//	events.go system.go build.go absent.go
//	                 events; info, version, disk usage; the build cache; what there is none of
//	progress.go      the lines of JSON streams
//	credentials.go   X-Registry-Auth
//	filters.go       the two forms of a filters parameter
//	errors.go        engine.Error → the sentence that a Docker client reads
//	compat*.go       API versions and everything that differs between them
package translate
