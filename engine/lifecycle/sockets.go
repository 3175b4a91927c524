package lifecycle

import "github.com/xcengine/xc/engine"

// SocketForwarder is a Runtime's optional ability, of one that cannot mount sockets of the host: the shim listens in the root
// instead. Without it they are mounted as files are.
type SocketForwarder interface {
	// ForwardSockets makes the sockets that the mounts of a sandbox ask for; the sandbox exists. It may be repeated while no shim
	// has them. The caller closes the listeners. The sockets stay in the root, as mount points do.
	ForwardSockets(spec engine.SandboxSpec) ([]engine.Proxy, error)
}

// forwards are all listeners that a container's shim is to serve, its ports' among them. Those are returned in any case.
func (s *Service) forwards(spec engine.SandboxSpec, ports []engine.Proxy) ([]engine.Proxy, error) {
	f, ok := s.Runtime.(SocketForwarder)
	if !ok {
		return ports, nil
	}
	sockets, err := f.ForwardSockets(spec)
	return append(ports, sockets...), err
}
