package wire

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/xcengine/xc/engine"
)

func TestMessagesComeBack(t *testing.T) {
	sup := engine.Supervision{
		ID: "abc", TreeExit: true,
		Log: engine.LogFile{
			Driver: "json-file", Path: "/x/y", MaxSize: 1 << 40, MaxFiles: 3, Compress: true, Attrs: map[string]string{"a": "1", "": "", "b": ""},
			Syslog: &engine.Syslog{Network: "tcp", Address: "h:1", Facility: 23, Format: "rfc3164", Tag: "t", Hostname: "h", Buffer: 1 << 40},
		},
		Proxies: []engine.Proxy{
			{Proto: engine.TCP, Listen: netip.MustParseAddrPort("0.0.0.0:80"), Target: netip.MustParseAddrPort("172.17.0.2:8080")},
			{Proto: engine.UDP, Listen: netip.MustParseAddrPort("[::1]:53"), Target: netip.MustParseAddrPort("[fd00::2]:53")},
		},
	}
	launch := engine.Launch{Platform: "linux", Payload: []byte(`{"a":1}`), TTY: true, Size: [2]uint16{24, 80}, Stdin: true, StdinOnce: true}
	at := time.Unix(0, 1732367421879228895).UTC()
	exit := engine.ExitStatus{Code: 137, Signal: 9, At: at}
	for name, check := range map[string]func() (want, got any, err error){
		"hello": func() (any, any, error) {
			want := Hello{Version: 7, Supervision: &sup}
			got, err := DecodeHello(want.Encode())
			return want, got, err
		},
		"bare hello": func() (any, any, error) {
			got, err := DecodeHello(Hello{Version: 1}.Encode())
			return Hello{Version: 1}, got, err
		},
		"welcome": func() (any, any, error) {
			want := Welcome{Version: 1, Pid: 4242, Session: 77}
			got, err := DecodeWelcome(want.Encode())
			return want, got, err
		},
		"launch": func() (any, any, error) {
			got, err := DecodeLaunch(EncodeLaunch(launch))
			return launch, got, err
		},
		"exec": func() (any, any, error) {
			want := ExecStart{ID: "e1", Launch: launch, Streams: Streams{Stdin: true, Stderr: true, Session: 77}}
			got, err := DecodeExecStart(want.Encode())
			return want, got, err
		},
		"target": func() (any, any, error) {
			want := Target{Exec: "e1", Rows: 65535, Cols: 80, Signal: "TERM"}
			got, err := DecodeTarget(want.Encode())
			return want, got, err
		},
		"pid": func() (any, any, error) {
			got, err := DecodePid(EncodePid(99))
			return 99, got, err
		},
		"event": func() (any, any, error) {
			want := engine.ShimEvent{Exec: "e1", Exit: exit}
			got, err := DecodeEvent(EncodeEvent(want))
			return want, got, err
		},
		"end with 0": func() (any, any, error) {
			want := engine.ShimEvent{Exit: engine.ExitStatus{At: at}}
			got, err := DecodeEvent(EncodeEvent(want))
			return want, got, err
		},
		"status": func() (any, any, error) {
			want := engine.ShimStatus{Pid: 12, Exit: &exit, Execs: map[engine.ExecID]engine.ExecStatus{"a": {Pid: 13}, "b": {Pid: 14, Exit: &exit}}}
			got, err := DecodeStatus(EncodeStatus(want))
			return want, got, err
		},
		"empty status": func() (any, any, error) {
			want := engine.ShimStatus{Execs: map[engine.ExecID]engine.ExecStatus{}}
			got, err := DecodeStatus(EncodeStatus(want))
			return want, got, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			want, got, err := check()
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{})); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestErrorsComeBack(t *testing.T) {
	for _, k := range engine.Kinds() {
		in := &engine.Error{Op: "run", Kind: k, Resource: engine.ResourceExec, ID: "x", Reason: engine.ReasonExecNotFound, Args: []string{"", "sh"}, Err: errors.New("why")}
		var out *engine.Error
		if !errors.As(DecodeError(EncodeError(in)), &out) {
			t.Fatal("another type")
		}
		if out.Err == nil || out.Err.Error() != "why" {
			t.Error(out.Err)
		}
		in.Err, out.Err = nil, nil
		if d := cmp.Diff(*in, *out); d != "" {
			t.Error(d)
		}
	}
	plain := DecodeError(EncodeError(io.ErrShortWrite))
	if engine.KindOf(plain) != engine.Internal || plain.Error() != "short write" {
		t.Errorf("%v", plain)
	}
}

// A newer peer says more than this one knows.
func TestUnknownFieldsArePassedOver(t *testing.T) {
	var e encoder
	e.string(99, "from the future")
	e.int(1, 5)
	e.message(77, encoder{})
	if w, err := DecodeWelcome(e.b); err != nil || w.Version != 5 {
		t.Error(w, err)
	}
}

func TestReader(t *testing.T) {
	var stream []byte
	var want []Frame
	for i, n := range []int{0, 1, 100, 600, 5000, 3, 100_000, 0, 7} {
		f := Frame{Kind: Stdout, Number: uint16(i), Payload: bytes.Repeat([]byte{byte('a' + i)}, n)}
		want = append(want, f)
		stream = AppendFrame(stream, f)
	}
	for name, r := range map[string]io.Reader{
		"at once": bytes.NewReader(stream), "byte by byte": iotest.OneByteReader(bytes.NewReader(stream)),
		"halves": iotest.HalfReader(bytes.NewReader(stream)), "error with data": iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		fr := NewReader(r)
		for i, w := range want {
			f, err := fr.Next()
			if err != nil {
				t.Fatalf("%s, frame %d: %v", name, i, err)
			}
			if f.Kind != w.Kind || f.Number != w.Number || !bytes.Equal(f.Payload, w.Payload) {
				t.Fatalf("%s, frame %d differs", name, i)
			}
		}
		if _, err := fr.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: at the end: %v", name, err)
		}
	}
	for cut := 1; cut < 20; cut++ {
		if _, err := NewReader(bytes.NewReader(AppendFrame(nil, want[2])[:cut])).Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}

func TestSplitter(t *testing.T) {
	var stream []byte
	for i, n := range []int{0, 1, 7, 8, 9, 5000, 0} {
		stream = AppendFrame(stream, Frame{Kind: Kind(i + 1), Payload: bytes.Repeat([]byte{byte('a' + i)}, n)})
	}
	for piece := 1; piece < 40; piece++ {
		var s Splitter
		sizes := make(map[Kind]int)
		for rest := stream; len(rest) > 0; {
			n := min(piece, len(rest))
			err := s.Take(rest[:n], func(k Kind, p []byte) error {
				sizes[k] += len(p)
				for _, c := range p {
					if c != byte('a'+k-1) {
						t.Fatalf("kind %d has %q", k, p)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if d := cmp.Diff(map[Kind]int{1: 0, 2: 1, 3: 7, 4: 8, 5: 9, 6: 5000, 7: 0}, sizes); d != "" {
			t.Fatalf("pieces of %d: %s", piece, d)
		}
	}
	var s Splitter
	if err := s.Take(AppendFrame(nil, Frame{Kind: End}), func(Kind, []byte) error { return io.EOF }); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if err := s.Take([]byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, nil); err == nil {
		t.Error("an endless frame was accepted")
	}
}

func TestReaderRefusesEndlessFrames(t *testing.T) {
	if _, err := NewReader(bytes.NewReader([]byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0})).Next(); err == nil {
		t.Error("accepted")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Hello{Version: 1, Supervision: &engine.Supervision{ID: "x", Proxies: []engine.Proxy{{Proto: "tcp"}}}}.Encode())
	f.Add(EncodeStatus(engine.ShimStatus{Pid: 1, Exit: &engine.ExitStatus{Code: 1}}))
	f.Add(EncodeError(errors.New("x")))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = DecodeHello(b)
		_, _ = DecodeWelcome(b)
		_, _ = DecodeLaunch(b)
		_, _ = DecodeExecStart(b)
		_, _ = DecodeTarget(b)
		_, _ = DecodePid(b)
		_, _ = DecodeEvent(b)
		_, _ = DecodeStatus(b)
		_ = DecodeError(b)
		r := NewReader(bytes.NewReader(b))
		for {
			if _, err := r.Next(); err != nil {
				return
			}
		}
	})
}
