package integration

import (
	"net"
	"strconv"
	"strings"
	"testing"
)

// portsInARow are three TCP ports of the host, one after the other, that nobody holds now.
func portsInARow(t *testing.T) (a, b, c string) {
	t.Helper()
	for range 100 {
		first, err := strconv.Atoi(freePort(t))
		if err != nil {
			t.Fatal(err)
		}
		free := true
		for port := first; port < first+3; port++ {
			l, err := net.Listen("tcp", ":"+strconv.Itoa(port))
			if err != nil {
				free = false
				break
			}
			l.Close()
		}
		if free {
			return strconv.Itoa(first), strconv.Itoa(first + 1), strconv.Itoa(first + 2)
		}
	}
	t.Fatal("no three ports in a row are free")
	return "", "", ""
}

// A port that cannot be had is told at the start, in dockerd's words, which the container keeps; the container stays as it was, and
// holds nothing.
func TestPortsThatAreTaken(t *testing.T) {
	e := start(t)
	taken, next, last := portsInARow(t)
	e.must("run", "-d", "--name", "holder", "-p", taken+":80", "testbox", "sleep", "100000")
	l, err := net.Listen("tcp4", "0.0.0.0:"+last)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e.must("network", "create", "other")
	for _, tc := range []struct {
		name string
		args []string
		want string // NAME and ID stand for the container's and its endpoint's
	}{
		{"another container's", []string{"-p", taken + ":80"}, "Bind for 0.0.0.0:" + taken + " failed: port is already allocated"},
		{"at one address", []string{"-p", "127.0.0.1:" + taken + ":80"}, "Bind for 0.0.0.0:" + taken + " failed: port is already allocated"},
		{"at one address of IPv6", []string{"-p", "[::1]:" + taken + ":80"}, "Bind for :::" + taken + " failed: port is already allocated"},
		{"among several", []string{"-p", next + ":81", "-p", taken + ":80"}, "Bind for 0.0.0.0:" + taken + " failed: port is already allocated"},
		{"in another network", []string{"--network", "other", "-p", taken + ":80"}, "Bind for 0.0.0.0:" + taken + " failed: port is already allocated"},
		{"another program's", []string{"-p", last + ":80"}, ":80/tcp: address already in use"},
		{"another program's, at one address", []string{"-p", "127.0.0.1:" + last + ":80"}, ":80/tcp: address already in use"},
		{"at an address that is not the host's", []string{"-p", "192.0.2.7:" + next + ":80"}, ":80/tcp: cannot assign requested address"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e.t = t
			id := e.must(append(append([]string{"create", "--name", "box"}, tc.args...), "testbox", "sleep", "100000")...)
			r := e.docker("start", "box")
			said, _, _ := strings.Cut(r.err, "\n")
			said, framed := strings.CutPrefix(said, "Error response from daemon: ")
			if r.code != 1 || !framed || !strings.HasPrefix(said, "failed to set up container networking: driver failed programming external connectivity on endpoint box (") || !strings.HasSuffix(said, tc.want) {
				t.Errorf("start: %d %q, want the end %q", r.code, said, tc.want)
			}
			if strings.HasSuffix(tc.want, "requested address") || strings.HasSuffix(tc.want, "in use") {
				if !strings.Contains(said, "failed to bind host port for ") {
					t.Errorf("start: %q", said)
				}
			}
			if got := e.must("inspect", "-f", "{{.State.Error}}", "box"); got != said {
				t.Errorf("its error is %q, and start said %q", got, said)
			}
			if got := e.must("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}} {{json .NetworkSettings.Ports}}", "box"); got != "created 128 {}" {
				t.Errorf("it is %s", got)
			}
			if got := e.must("ps", "-a", "--filter", "id="+id, "--format", "{{.Status}}|{{.Ports}}"); got != "Created|" {
				t.Errorf("ps shows %q", got)
			}
			e.must("rm", "box")
			e.fails(125, tc.want, append(append([]string{"run", "--name", "box"}, tc.args...), "testbox", "true")...)
			if got := e.state("box"); got != "created 128" {
				t.Errorf("after run it is %s", got)
			}
			e.must("rm", "box")
			e.must("run", "--rm", "-p", next+":80", "testbox", "true") // nothing was kept of the attempts
		})
	}
	e.t = t
	e.must("run", "-d", "--name", "beside", "-p", next+":80", "testbox", "sleep", "100000")
	e.fails(125, ": all ports are allocated", "run", "--rm", "-p", taken+"-"+next+":80", "testbox", "true")
	// An end that came before stays told.
	e.must("create", "--name", "late", "-p", "127.0.0.1:"+taken+":80", "testbox", "exit", "7")
	e.must("stop", "-t", "0", "holder")
	e.docker("start", "-a", "late")
	e.must("start", "holder")
	if r := e.docker("start", "late"); r.code != 1 || e.state("late") != "exited 7" {
		t.Errorf("a second start, refused: %d, and it is %s", r.code, e.state("late"))
	}
}
