// Package registry speaks the OCI distribution protocol 1.1 (and the Docker registry protocol v2, its elder form) with
// registries that are not to be trusted: it names nothing, stores nothing but credentials, and hands every byte on with the
// digest that it must have.
//
//	images ──▶ Client ──▶ endpoints of the repository (mirrors first, then the registry itself)
//	                      └──▶ session: ping, challenge, token (go-containerregistry's transport)
//	                           └──▶ guarded transport: no plain text where TLS is due, idle limits, bounded answers
//
// Decisions:
//   - A session (endpoint, repository, rights, credentials) is kept for a few minutes, so that a pull pays for the ping and
//     the token once. Expired tokens are renewed by the transport.
//   - Plain HTTP and unverified certificates are for registries that the administrator named insecure, and for loopback
//     addresses, as dockerd has it. A redirect from a secure registry to plain HTTP is refused.
//   - Credentials of the request win over stored ones. A mirror gets only what is stored for the mirror itself.
//   - What is small (manifests, tags, tokens) is read whole, bounded, and retried here. A blob is a stream: whoever reads
//     it resumes it from an offset.
//   - HTTP status and protocol codes become engine.Error kinds and reasons here and nowhere else. The text of a registry's
//     own error is kept, because it is what tells a user about rate limits and terms of service.
package registry
