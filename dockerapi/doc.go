// Package dockerapi serves the Docker Engine HTTP API.
//
// A request passes a Server (version, headers, safety of TCP, panics, log), finds its line in the operations table and
// reaches a handler of one of the groups below this package. A handler decodes, translates, makes one call of the engine,
// translates and encodes:
//
//	Server ─▶ table ─▶ containers exec images networks volumes system build
//	                        │ httpx (request, answer)  hijack (streams)  stdcopy (frames)
//	                        ▼
//	                   translate ─▶ Backend (the engine's services, as each group wants them)
//
// Statuses are known here alone (httpx.Status), sentences in package translate alone.
package dockerapi
