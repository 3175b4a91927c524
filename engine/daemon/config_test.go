package daemon

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine"
)

// guide is the example of the guide that the original's users followed.
const guide = `{
  "ext_ifs": ["igb0"],
  "image_dataset": "zroot/xc/datasets",
  "container_dataset": "zroot/xc/run",
  "layers_dir": "/var/cache",
  "devfs_id_offset": 1000,
  "image_database_store": "/var/db/xc.image.sqlite",
  "database_store": "/var/db/xc.sqlite",
  "socket_path": "/var/run/xc.sock",
  "networks": {},
  "registries": "/var/db/xc.registries.json"
}`

func load(t *testing.T, text string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "xc.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Defaults()
	return c, LoadFile(&c, path, true)
}

func TestTheGuidesFileIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "xc.conf")
	if err := os.WriteFile(path, []byte(guide), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Defaults()
	if err := LoadFile(&c, path, true); err != nil {
		t.Fatal(err)
	}
	if c.LayersDir != "/var/cache" || c.ExtIfs[0] != "igb0" || c.DatabaseStore != "/var/db/xc.sqlite" || c.LogDriver != "json-file" {
		t.Errorf("read %+v", c)
	}
}

func TestBadFilesSayWhere(t *testing.T) {
	for text, want := range map[string]string{
		`{"layer_dir": "/x"}`:            "layer_dir",
		`{"ext_ifs": "igb0"}`:            "ext_ifs",
		`{} {}`:                          "more than one",
		`{"networks": {"a": {}}}`:        "networks",
		`state_dir = "/x"`:               "xc.conf",
		`{"max_concurrent_downloads": "`: "xc.conf",
	} {
		if _, err := load(t, text); engine.KindOf(err) != engine.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something of %s", text, err, want)
		}
	}
	c := Defaults()
	if err := LoadFile(&c, "/no/such/file", false); err != nil {
		t.Errorf("an unnamed file that is not there: %v", err)
	}
	if err := LoadFile(&c, "/no/such/file", true); err == nil {
		t.Error("a named file that is not there is no error")
	}
}

func TestEveryKeyIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/daemon.md")
	if err != nil {
		t.Fatal(err)
	}
	for i := range reflect.TypeFor[Config]().NumField() {
		key := reflect.TypeFor[Config]().Field(i).Tag.Get("json")
		if !strings.Contains(string(doc), "`"+key+"`") {
			t.Errorf("docs/daemon.md does not name %s", key)
		}
	}
}

func TestStateDirectoriesHaveOneDaemonAndOneMark(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	lock, err := lockState(dir)
	if err != nil {
		t.Fatal(err)
	}
	if other, err := lockState(dir); engine.KindOf(err) != engine.Conflict {
		t.Errorf("a second daemon got %v, %v", other, err)
	}
	mark, err := owner(dir)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := owner(dir); err != nil || again != mark || len(mark) != 8 {
		t.Errorf("the mark was %s and is %s, %v", mark, again, err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if lock, err = lockState(dir); err != nil {
		t.Errorf("after the first one's end: %v", err)
	} else {
		lock.Close()
	}
	if err := os.WriteFile(filepath.Join(dir, "owner"), []byte("nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if mark, err := owner(dir); err == nil {
		t.Errorf("nonsense was taken for the mark %s", mark)
	}
}
