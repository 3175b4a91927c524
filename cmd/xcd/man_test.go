package main

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/xcengine/xc/engine/daemon"
)

// page reads a manual page.
func page(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile("../../docs/man/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestManualOfTheConfiguration(t *testing.T) {
	documented := map[string]bool{}
	for _, line := range regexp.MustCompile(`(?m)^(?:\.It Cm|\.Cm) (.*)$`).FindAllStringSubmatch(page(t, "xc.conf.5"), -1) {
		for _, key := range strings.Split(line[1], ",") {
			if key = strings.Trim(key, " ."); key != "" {
				documented[key] = true
			}
		}
	}
	known := map[string]bool{}
	var note func(reflect.Type)
	note = func(typ reflect.Type) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			known[f.Tag.Get("json")] = true
			inner := f.Type
			if inner.Kind() == reflect.Slice {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct {
				note(inner)
			}
		}
	}
	note(reflect.TypeOf(daemon.Config{}))
	for key := range known {
		if !documented[key] {
			t.Errorf("xc.conf(5) does not tell of %s", key)
		}
	}
	for key := range documented {
		if !known[key] {
			t.Errorf("xc.conf(5) tells of %s, which there is not", key)
		}
	}
}

func TestManualOfTheDaemon(t *testing.T) {
	text := page(t, "xcd.8")
	cmd := command()
	cmd.PersistentFlags().VisitAll(func(f *pflag.Flag) {
		if !strings.Contains(text, "Fl -"+f.Name+" ") && !strings.Contains(text, "Fl -"+f.Name+"\n") {
			t.Errorf("xcd(8) does not tell of --%s", f.Name)
		}
	})
	for _, sub := range cmd.Commands() {
		if !sub.Hidden && !strings.Contains(text, ".It Cm "+sub.Name()+"\n") {
			t.Errorf("xcd(8) does not tell of xcd %s", sub.Name())
		}
	}
}
