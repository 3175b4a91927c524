package integration

import (
	"net"
	"strings"
	"testing"
)

// Each refusal has dockerd's words, and none makes the CLI take the image for absent and pull it.
func TestRefusalsAsDockerd(t *testing.T) {
	e := start(t)
	e.must("run", "-d", "--name", "up", "--network", "none", "testbox", "sleep", "1000")
	e.must("create", "--name", "down", "testbox", "true")
	busy, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, tc := range []struct {
		args []string
		err  string
	}{
		{[]string{"run", "--rm", "--network", "nope", "testbox"}, "failed to set up container networking: network nope not found"},
		{[]string{"run", "--rm", "--network", "container:nope", "testbox"}, "joining network namespace of container: No such container: nope"},
		{[]string{"run", "--rm", "--network", "container:down", "testbox"}, "cannot join network namespace of a non running container: container down is created"},
		{[]string{"run", "--rm", "--pid", "container:nope", "testbox"}, "No such container: nope"},
		{[]string{"run", "--rm", "--ipc", "container:nope", "testbox"}, "No such container: nope"},
		{[]string{"run", "--rm", "--volumes-from", "nope", "testbox"}, "No such container: nope"},
		{[]string{"run", "--rm", "--link", "nope:alias", "testbox"}, "could not get container for nope: No such container: nope"},
		{[]string{"run", "--rm", "--name", "taken", "-p", busy.Addr().String() + ":80", "testbox"}, "driver failed programming external connectivity on endpoint taken ("},
		{[]string{"run", "--rm", "-p", busy.Addr().String() + ":80", "testbox"}, ":80/tcp: address already in use"},
		{[]string{"run", "--rm", "--device", "/dev/nope", "testbox"}, refusesDevice},
		{[]string{"run", "--rm", "--group-add", "nope", "testbox"}, "Unable to find group nope: no matching entries in group file"},
		{[]string{"ps", "--filter", "publish=zz"}, `error while looking up for publish zz: strconv.ParseUint: parsing "zz": invalid syntax`},
		{[]string{"top", "up", "-o", "nosuch"}, refusesColumn},
		{[]string{"rename", "down", "x y"}, "Error when allocating new name: Invalid container name (/x y), only"},
		{[]string{"network", "connect", "host", "down"}, "cannot connect container to host network - container must be created in host network mode"},
	} {
		r := e.docker(tc.args...)
		if r.code == 0 || !strings.Contains(r.err, tc.err) {
			t.Errorf("docker %s: exit code %d and %q, want %q", strings.Join(tc.args, " "), r.code, r.err, tc.err)
		}
		for _, wrong := range []string{"Unable to find image", "Error attaching"} {
			if strings.Contains(r.err, wrong) {
				t.Errorf("docker %s says %q", strings.Join(tc.args, " "), wrong)
			}
		}
	}
}
