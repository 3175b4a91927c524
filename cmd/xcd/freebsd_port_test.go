package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine/daemon"
)

const portFiles = "freebsd/port/files/"

// guideKeys are the keys of the guide's configuration, in its order.
var guideKeys = []string{
	"ext_ifs", "image_dataset", "container_dataset", "layers_dir", "devfs_id_offset", "image_database_store", "database_store", "socket_path",
	"networks", "registries",
}

func TestSampleConfiguration(t *testing.T) {
	var c daemon.Config
	if err := daemon.LoadFile(&c, portFiles+"xc.conf.sample", true); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(portFiles + "xc.conf.sample")
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]any
	if err := json.Unmarshal(text, &keys); err != nil {
		t.Fatal(err)
	}
	for _, k := range guideKeys {
		if _, ok := keys[k]; !ok {
			t.Errorf("it lacks %s", k)
		}
		delete(keys, k)
	}
	if len(keys) > 0 {
		t.Errorf("the guide does not have %v", keys)
	}
}

// The script's shell is sound, and what it gives xcd are flags that xcd has.
func TestServiceScript(t *testing.T) {
	b, err := os.ReadFile(portFiles + "xcd.in")
	if err != nil {
		t.Fatal(err)
	}
	script := strings.ReplaceAll(string(b), "%%PREFIX%%", "/usr/local")
	if strings.Contains(script, "%%") {
		t.Error("it has a mark that the ports do not fill")
	}
	sh := exec.Command("sh", "-n")
	sh.Stdin = strings.NewReader(script)
	if out, err := sh.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	cmd := command()
	if cmd.PersistentFlags().ShorthandLookup("c") == nil {
		t.Error("xcd has no -c")
	}
	sub, _, err := cmd.Find([]string{"shutdown"})
	if err != nil || sub.Name() != "shutdown" || sub.Flags().Lookup("timeout") == nil {
		t.Errorf("xcd has no shutdown --timeout: %v", err)
	}
	if !strings.Contains(script, "shutdown ${xcd_config_flag} ${xcd_flags} --timeout") {
		t.Error("it does not stop containers at a shutdown")
	}
	if sub, _, err := cmd.Find([]string{"ready"}); err != nil || sub.Name() != "ready" || sub.Flags().Lookup("timeout") == nil {
		t.Errorf("xcd has no ready --timeout: %v", err)
	}
	if !strings.Contains(script, "ready ${xcd_config_flag} ${xcd_flags} --timeout") {
		t.Error("its start does not wait for xcd")
	}
	// Every variable has a default and is explained.
	var variables []string
	for _, m := range regexp.MustCompile(`(?m)^: \$\{(xcd_\w+):=`).FindAllStringSubmatch(script, -1) {
		variables = append(variables, m[1])
		if !strings.Contains(script, "\n# "+m[1]+" (") {
			t.Errorf("%s is not explained", m[1])
		}
	}
	for _, want := range []string{"xcd_enable", "xcd_flags", "xcd_config"} {
		if !slices.Contains(variables, want) {
			t.Errorf("it has no %s", want)
		}
	}
	// rc.subr(8) has a meaning of its own for these: name_program replaces command.
	for _, taken := range []string{"program", "chdir", "chroot", "cmd", "fib", "group", "groups", "limits", "login_class", "nice", "oomprotect", "prepend", "setup", "user"} {
		if regexp.MustCompile(`(?m)^\s*(: \$\{)?xcd_` + taken + `:?=`).MatchString(script) {
			t.Errorf("it sets xcd_%s, which is rc.subr's", taken)
		}
	}
	for _, line := range []string{"# PROVIDE: xcd", "# KEYWORD: shutdown nojail"} {
		if !strings.Contains(script, line+"\n") {
			t.Errorf("it lacks %q", line)
		}
	}
	if !strings.Contains(script, `xcd_config:="`+daemon.DefaultFile+`"`) {
		t.Error("its configuration is not where xcd looks by itself")
	}
}
