// Package logs reads containers' logs and understands their options. It writes nothing: the writer is jsonfile, which runs
// inside the shim, so that the shim need not carry what stands here.
//
//	request ─▶ lifecycle ─▶ Open (files are held from here on) ─▶ Stream.Read ─▶ each record
//	                                 ▲ grew: the shim says that the log has grown; closed when it will not grow again
//
// The drivers json-file and local differ in nothing but the defaults of their options: both keep jsonfile's form. The
// driver none keeps nothing, and reading it is refused. The driver syslog sends lines away (package syslog, in the shim) and keeps
// them as local does, unless the option cache-disabled says no.
//
// Reader and writer are two processes without a lock between them. What makes that sound is in jsonfile's package comment;
// the reader's part of it is in files.go (which files there are) and follow.go (what comes after the one being read).
package logs
