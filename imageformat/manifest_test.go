package imageformat

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
)

const (
	sumA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	sumB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func descriptor(mediaType, sum string) string {
	return `{"mediaType":"` + mediaType + `","digest":"` + sum + `","size":7}`
}

func TestDetectMediaType(t *testing.T) {
	config, layers := `"config":`+descriptor(OCIConfig, sumA), `"layers":[`+descriptor(OCILayerGzip, sumB)+`]`
	for _, c := range []struct {
		name, raw, hint, want, err string
	}{
		{"says so", `{"schemaVersion":2,"mediaType":"` + DockerImage + `",` + config + `,` + layers + `}`, "", DockerImage, ""},
		{"carrier says so", `{"schemaVersion":2,` + config + `,` + layers + `}`, OCIManifest + "; charset=utf-8", OCIManifest, ""},
		{"looks so", `{"schemaVersion":2,` + config + `,` + layers + `}`, "", OCIManifest, ""},
		{"index", `{"schemaVersion":2,"manifests":[]}`, "", OCIIndex, ""},
		{"its own word before the carrier's", `{"schemaVersion":2,"mediaType":"` + DockerIndex + `","manifests":[]}`, "text/plain", DockerIndex, ""},
		{"both", `{"schemaVersion":2,"manifests":[],` + config + `,` + layers + `}`, "", "", "both"},
		{"lies", `{"schemaVersion":2,"mediaType":"` + OCIManifest + `","manifests":[]}`, "", "", "does not fit"},
		{"schema 1", `{"schemaVersion":1,"fsLayers":[]}`, "", "", "schema 1"},
		{"signed schema 1", `{}`, DockerSchema1Signed, "", "schema 1"},
		{"unknown", `{"schemaVersion":2,"mediaType":"application/x"}`, "", "", "unknown media type"},
		{"nothing", `{}`, "", "", "neither"},
		{"no JSON", `<html>`, "", "", "invalid manifest"},
		{"too large", strings.Repeat(" ", MaxDocument+1), "", "", "more than"},
	} {
		got, err := DetectMediaType([]byte(c.raw), c.hint)
		if got != c.want || c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: got %q, %v", c.name, got, err)
		}
	}
}

func TestManifest(t *testing.T) {
	m := Manifest{
		Config: Descriptor{MediaType: OCIConfig, Digest: sumA, Size: 3}, Annotations: map[string]string{"k": "v"},
		Layers: []Descriptor{{MediaType: OCILayerZstd, Digest: sumB, Size: 4}},
	}
	raw, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseManifest("", raw)
	if err != nil {
		t.Fatal(err)
	}
	m.MediaType = OCIManifest
	if diff := cmp.Diff(m, got); diff != "" {
		t.Error(diff)
	}
	if !got.IsImage() || got.Size() != 7 {
		t.Errorf("image %v, %d bytes", got.IsImage(), got.Size())
	}
	got.Layers[0].MediaType = "application/vnd.in-toto+json"
	if got.IsImage() {
		t.Error("an attestation is no image")
	}
	for name, bad := range map[string]string{
		"digest": strings.ReplaceAll(string(raw), sumB, "sha256:../../../../etc/passwd"),
		"size":   strings.ReplaceAll(string(raw), `"size":4`, `"size":-4`),
		"index":  `{"schemaVersion":2,"manifests":[]}`,
	} {
		if _, err := ParseManifest("", []byte(bad)); err == nil {
			t.Errorf("%s: it was taken", name)
		}
	}
	if _, err := ParseIndex("", raw); err == nil {
		t.Error("a manifest was taken for an index")
	}
	if empty, err := (Manifest{}).Marshal(); err != nil || !strings.Contains(string(empty), `"layers":[]`) {
		t.Errorf("%s %v", empty, err)
	}
}

func TestLayerMediaTypes(t *testing.T) {
	for _, mt := range []string{
		OCILayer, OCILayerGzip, OCILayerZstd, DockerLayer, DockerLayerGz, DockerLayerZs,
		DockerForeign, "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
	} {
		if !IsLayer(mt) {
			t.Errorf("%s is a layer", mt)
		}
	}
	for _, mt := range []string{OCIConfig, OCIManifest, "", "application/vnd.oci.empty.v1+json"} {
		if IsLayer(mt) {
			t.Errorf("%s is no layer", mt)
		}
	}
}

func TestChainID(t *testing.T) {
	// Of the specification's example: the chain of two is the digest of both with a space between.
	two := digest.FromString(sumA + " " + sumB)
	if diff := cmp.Diff([]digest.Digest{sumA, two}, ChainIDs([]digest.Digest{sumA, sumB})); diff != "" {
		t.Error(diff)
	}
	if got := ChainIDs(nil); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

func TestPlatforms(t *testing.T) {
	for in, want := range map[string]string{
		"FreeBSD/x86_64": "freebsd/amd64", "linux/aarch64/v8": "linux/arm64", "linux/arm": "linux/arm/v7", "linux/armhf": "linux/arm/v7",
		"linux/arm/6": "linux/arm/v6", "linux": "linux/amd64", "arm64": "freebsd/arm64", "linux/amd64/v1": "linux/amd64", "linux/i386": "linux/386",
	} {
		p, err := ParsePlatform(in, Platform{OS: "freebsd", Architecture: "amd64"})
		if err != nil || FormatPlatform(p) != want {
			t.Errorf("%s: got %s, %v", in, FormatPlatform(p), err)
		}
	}
	for _, bad := range []string{"", "/", "linux/", "a/b/c/d", "linux/amd 64", "linux/$x"} {
		if _, err := ParsePlatform(bad, Platform{}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	for host, want := range map[string]string{
		"freebsd/amd64": "freebsd/amd64 linux/amd64", "linux/amd64": "linux/amd64", "linux/arm/v7": "linux/arm/v7 linux/arm/v6 linux/arm/v5",
		"linux/amd64/v3": "linux/amd64/v3 linux/amd64/v2 linux/amd64", "freebsd/arm64": "freebsd/arm64 linux/arm64",
	} {
		p, err := ParsePlatform(host, Platform{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, q := range Preference(p) {
			got = append(got, FormatPlatform(q))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %q", host, got)
		}
	}
	if got := Wanted(Platform{OS: "freebsd", Architecture: "amd64"}); len(got) != 1 {
		t.Errorf("a named platform allows %v", got)
	}
}

func TestSelect(t *testing.T) {
	entry := func(os, arch, variant, sum string) Descriptor {
		return Descriptor{MediaType: OCIManifest, Digest: digest.FromString(sum), Platform: &Platform{OS: os, Architecture: arch, Variant: variant}}
	}
	bare := Descriptor{MediaType: OCIManifest, Digest: digest.FromString("bare")}
	attestation := entry("unknown", "unknown", "", "attestation")
	artifact := Descriptor{MediaType: OCIManifest, ArtifactType: "application/x", Digest: digest.FromString("artifact")}
	x := Index{Manifests: []Descriptor{
		bare, attestation, artifact, entry("linux", "amd64", "", "l"), entry("linux", "arm64", "v8", "la"), entry("FreeBSD", "amd64", "", "f"), entry("linux", "amd64", "v3", "l3"),
	}}
	for host, want := range map[string][]string{
		"freebsd/amd64": {"f", "l", "bare"}, "linux/amd64": {"l", "bare"}, "linux/arm64": {"la", "bare"}, "linux/amd64/v4": {"l3", "l", "bare"},
		"freebsd/riscv64": {"bare"},
	} {
		p, err := ParsePlatform(host, Platform{})
		if err != nil {
			t.Fatal(err)
		}
		got := x.Select(Preference(p))
		var names []digest.Digest
		for _, d := range got {
			names = append(names, d.Digest)
		}
		var wanted []digest.Digest
		for _, w := range want {
			wanted = append(wanted, digest.FromString(w))
		}
		if diff := cmp.Diff(wanted, names); diff != "" {
			t.Errorf("%s: %s", host, diff)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	raw, err := Manifest{Config: Descriptor{MediaType: OCIConfig, Digest: sumA}}.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"schemaVersion":2,"manifests":[` + descriptor(OCIManifest, sumA) + `]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := ParseManifest("", raw)
		if err == nil {
			if _, err := m.Marshal(); err != nil {
				t.Error(err)
			}
		}
		x, err := ParseIndex("", raw)
		if err == nil {
			x.Select(Preference(Platform{OS: "freebsd", Architecture: "amd64"}))
		}
	})
}
