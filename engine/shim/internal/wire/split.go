package wire

// Splitter takes frames apart as their bytes come, in pieces of any size: nothing has to be gathered first.
type Splitter struct {
	kind Kind
	left int // of the payload
	head [HeaderLen]byte
	have int // of the head
}

// Take hands each piece of a payload to each, with its frame's kind. A frame without a payload is handed on once. It stops
// at an error of each.
func (s *Splitter) Take(b []byte, each func(k Kind, piece []byte) error) error {
	for len(b) > 0 {
		if s.left > 0 {
			n := min(s.left, len(b))
			s.left -= n
			piece := b[:n]
			b = b[n:]
			if err := each(s.kind, piece); err != nil {
				return err
			}
			continue
		}
		n := copy(s.head[s.have:], b)
		s.have += n
		b = b[n:]
		if s.have < HeaderLen {
			return nil
		}
		s.have = 0
		k, _, length, err := Header(s.head[:])
		if err != nil {
			return err
		}
		s.kind, s.left = k, length
		if length == 0 {
			if err := each(k, nil); err != nil {
				return err
			}
		}
	}
	return nil
}
