package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

func TestParsePublish(t *testing.T) {
	both := func(p wire.Publish) []wire.Publish {
		t, u := p, p
		t.Proto, u.Proto = "tcp", "udp"
		return []wire.Publish{t, u}
	}
	for text, want := range map[string][]wire.Publish{
		"8080:80":                 both(wire.Publish{HostPort: 8080, Port: 80}),
		"8080:80/tcp":             {{HostPort: 8080, Port: 80, Proto: "tcp"}},
		"53:53/tcp,udp":           both(wire.Publish{HostPort: 53, Port: 53}),
		"80":                      {{Port: 80, Proto: "tcp"}},
		"80/udp":                  {{Port: 80, Proto: "udp"}},
		"127.0.0.1::80":           {{HostIP: "127.0.0.1", Port: 80, Proto: "tcp"}},
		"127.0.0.1:8080:80/tcp":   {{HostIP: "127.0.0.1", HostPort: 8080, Port: 80, Proto: "tcp"}},
		"[::1]:8080:80/tcp":       {{HostIP: "::1", HostPort: 8080, Port: 80, Proto: "tcp"}},
		"10.0.0.1,[::1]:8:80/udp": {{HostIP: "10.0.0.1", HostPort: 8, Port: 80, Proto: "udp"}, {HostIP: "::1", HostPort: 8, Port: 80, Proto: "udp"}},
		"em0,em1.10|8:80/tcp":     {{Interface: "em0", HostPort: 8, Port: 80, Proto: "tcp"}, {Interface: "em1.10", HostPort: 8, Port: 80, Proto: "tcp"}},
		"8000-8001:80/tcp":        {{HostPort: 8000, Port: 80, Proto: "tcp"}, {HostPort: 8001, Port: 80, Proto: "tcp"}},
		"8000-8001:90-91/tcp":     {{HostPort: 8000, Port: 90, Proto: "tcp"}, {HostPort: 8001, Port: 91, Proto: "tcp"}},
	} {
		got, err := parsePublish(text, false)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
	if got, err := parsePublish("8080:80", true); err != nil || len(got) != 1 || got[0].Proto != "" {
		t.Errorf("a pattern: %v, %v", got, err)
	}
}

// TestPlaces asserts of each wrong value where the mark stands.
func TestPlaces(t *testing.T) {
	publish := func(s string) error { _, err := parsePublish(s, false); return err }
	network := func(s string) error { _, err := parseNetwork(s); return err }
	mount := func(s string) error { _, err := parseVolume(s); return err }
	keyed := func(s string) error { _, _, err := pair(s); return err }
	for _, c := range []struct {
		parse func(string) error
		text  string
		at    int
	}{
		{publish, "", 0},
		{publish, "80:80/icmp", 6},
		{publish, "80:80/tcp,", 10},
		{publish, "80:80 ", 3},
		{publish, "80:x", 3},
		{publish, "0:80", 0},
		{publish, "70000:80", 0},
		{publish, "80:80:80", 5},
		{publish, "90-80:80", 3},
		{publish, "8000-8010:80-90/tcp,", 20},
		{publish, "8000-8010:80-81", 0},
		{publish, "1.2.3.4:80", 10},
		{publish, "1.2.3.400:80:80", 0},
		{publish, "1.2.3.4", 7},
		{publish, "[::1:80:80", 0},
		{publish, "[1.2.3.4]:80:80", 0},
		{publish, "em 0|80:80", 0},
		{publish, "em0,|80:80", 4},
		{publish, "em0|1.2.3.4:80:80", 0},
		{network, "", 0},
		{network, "|1.2.3.4", 0},
		{network, "n|", 2},
		{network, "n|1.2.3", 2},
		{network, "n|1.2.3.4,1.2.3.5", 10},
		{network, "n|1.2.3.4/33", 2},
		{checkInterface, "", 0},
		{checkInterface, "em0|", 4},
		{checkInterface, "em0|1.2.3.4/24,", 15},
		{checkInterface, "em0|1.2.3.4/24,[::1/64", 15},
		{checkInterface, "em0|[1.2.3.4]", 4},
		{mount, "data", 4},
		{mount, ":/data", 0},
		{mount, "data:", 5},
		{mount, "data:/data:rx", 11},
		{mount, "data:/data:ro:x", 13},
		{parseDataset, "/tank/x", 0},
		{parseDataset, "A:", 2},
		{parseDataset, ":tank/x", 0},
		{keyed, "=x", 0},
		{keyed, "x", 1},
	} {
		var wrong *syntaxError
		if err := c.parse(c.text); !errors.As(err, &wrong) || wrong.at != c.at {
			t.Errorf("%q: %v, want the mark at %d", c.text, err, c.at)
		} else if !strings.HasSuffix(err.Error(), strings.Repeat(" ", c.at)+"^") {
			t.Errorf("%q: %v", c.text, err)
		}
	}
	for _, text := range []string{"em0", "em0.10|1.2.3.4", "igb0|192.168.8.7/24,192.168.8.8/24", "igb0|192.168.1.111/24,[dead:beef::1]/24", "wg0|fd00::1"} {
		if err := checkInterface(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestParseNetwork(t *testing.T) {
	for text, want := range map[string]wire.NetworkJoin{
		"example":                    {Network: "example"},
		"example|172.17.0.200":       {Network: "example", IPv4: "172.17.0.200"},
		"n|10.0.0.5/24,[fd00::5]/64": {Network: "n", IPv4: "10.0.0.5/24", IPv6: "fd00::5/64"},
	} {
		if got, err := parseNetwork(text); err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

func TestParseVolume(t *testing.T) {
	for text, want := range map[string]volume{
		"/cache":        {target: "/cache"},
		"data:/srv":     {"data", "/srv", false},
		"./x:/srv:ro":   {"./x", "/srv", true},
		`/a\:b:data:rw`: {"/a:b", "data", false},
	} {
		if got, err := parseVolume(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

func FuzzPublish(f *testing.F) {
	f.Add("em0|1.2.3.4,[::1]:8000-8010:80-90/tcp,udp")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parsePublish(text, false)
		var wrong *syntaxError
		if errors.As(err, &wrong) && (wrong.at < 0 || wrong.at > len(text)) || err == nil && len(all) == 0 {
			t.Errorf("%q: %v, %v", text, all, err)
		}
	})
}
