package jailer

import "github.com/xcengine/xc/engine"

// ForwardSockets implements lifecycle.SocketForwarder.
func (r *Runtime) ForwardSockets(spec engine.SandboxSpec) ([]engine.Proxy, error) {
	_, sockets := apart(spec.Mounts)
	if len(sockets) == 0 {
		return nil, nil
	}
	rec, err := r.places.readRecord(spec.ID)
	if err != nil {
		return nil, failed("start", spec.ID, err)
	}
	var all []engine.Proxy
	for _, m := range sockets {
		p, err := listen(spec.Root, rec.Root, m)
		if err != nil {
			for _, p := range all {
				p.Listener.Close()
			}
			return nil, failed("start", spec.ID, &engine.Error{Op: "mount", Kind: engine.KindOf(err), Resource: engine.ResourcePath, ID: m.Target, Err: err})
		}
		all = append(all, p)
	}
	return all, nil
}
