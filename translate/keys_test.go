package translate

import (
	"errors"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"

	"github.com/xcengine/xc/engine"
)

// Every key reaches the engine as a label and as an annotation, as it was given, at whatever version a client speaks.
func TestKeysReachTheEngine(t *testing.T) {
	values := map[string]string{
		engine.LabelEntryPoint: "shell", engine.LabelVolume: "v", engine.LabelCopy: "/a:/b", engine.LabelExtraLayer: "img", engine.LabelInitTimeout: "5s",
		engine.LabelDeinitTimeout: "5s", engine.LabelDNS: "host", engine.LabelIP: "em0", engine.LabelMainAddress: "network/n", engine.LabelNetGroup: "n",
		engine.LabelVNET: "true", engine.LabelJail: "1", engine.AnnotationJail: "1", engine.LabelMaxChildren: "1", engine.LabelDataset: "a/b", engine.LabelDevfs: "path x", engine.LabelTap: "A", engine.LabelTun: "A", engine.LabelOwner: "1000",
	}
	for _, k := range engine.Keys() {
		name := k.Name
		if k.Family() {
			name += "x"
		}
		pair := map[string]string{name: values[k.Name]}
		for _, body := range []container.CreateRequest{
			{Config: &container.Config{Image: "x", Labels: pair}},
			{Config: &container.Config{Image: "x"}, HostConfig: &container.HostConfig{Annotations: pair}},
		} {
			req, warnings, err := Create(body, CreateQuery{Version: MaxVersion}, oracle)
			if err != nil || len(warnings) > 0 {
				t.Fatalf("%s: %v %v", name, err, warnings)
			}
			w, errs := engine.ReadKeys(req.Spec.Labels, req.Spec.Annotations)
			if len(errs) > 0 || len(w.Used) != 1 || w.Used[0].Name != k.Name {
				t.Errorf("%s: %v, used %v", name, errs, w.Used)
			}
		}
	}
}

// All that is wrong with a request comes in one answer, each in its own words.
func TestProblemsAreToldTogether(t *testing.T) {
	_, mistakes := engine.ReadKeys(map[string]string{"xc.vnte": "", "xc.dns": "x"}, nil)
	source := &engine.Error{Op: "create", Kind: engine.Invalid, Resource: engine.ResourcePath, ID: "/nosuch", Reason: engine.ReasonNoSource, Args: []string{"/nosuch"}}
	missing := &engine.Error{Op: "find", Kind: engine.NotFound, Resource: engine.ResourceNetwork, ID: "net"}
	platform := &engine.Error{Op: "create", Kind: engine.Invalid, Err: engine.Problems{errors.New("too little memory"), errors.New("no such ulimit")}}
	err := engine.Joined("create", engine.ResourceContainer, append(mistakes, source, nil, missing, platform)...)
	want := strings.Join([]string{
		"label xc.vnte: xc has no key of this name, is xc.vnet meant?", "xc.dns=x: must be image, empty or host",
		"invalid mount config for type \"bind\": bind source path does not exist: /nosuch", "network net not found", "too little memory", "no such ulimit",
	}, "\n")
	if got := Message(err); got != want || Kind(err) != engine.Invalid {
		t.Errorf("%v:\n%s\nwant\n%s", Kind(err), got, want)
	}
	for _, alone := range []error{source, missing, platform} {
		if joined := engine.Joined("create", engine.ResourceContainer, nil, alone); Message(joined) != Message(alone) || Kind(joined) != Kind(alone) {
			t.Errorf("alone: %v %q, want %v %q", Kind(joined), Message(joined), Kind(alone), Message(alone))
		}
	}
	if engine.Joined("create", engine.ResourceContainer, nil, nil) != nil {
		t.Error("nothing is wrong, and that is an error")
	}
	consent := engine.Joined("create", engine.ResourceContainer, &engine.ConsentError{What: "the device rule bpf", Label: "xc.devfs.image-1=bpf"})
	if got := Message(consent); got != "the image asks for the device rule bpf: allow it with --label 'xc.devfs.image-1=bpf'" || Kind(consent) != engine.Invalid {
		t.Errorf("%v %s", Kind(consent), got)
	}
}
