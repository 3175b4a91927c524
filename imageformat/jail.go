package imageformat

import (
	"encoding/json"
	"slices"
	"strings"
)

// JailConfig is config.xc_extension: what an image asks of the jail that it runs in. Strings said to be interpolated are
// read by Expand.
type JailConfig struct {
	Version     string // "major.minor.patch+tag"
	SecureLevel int8
	VNET        bool
	Ports       map[string]string // "80/tcp" or "8000-8010" → description
	DevfsRules  []string          // interpolated; need the user's consent
	Allow       []string          // jail parameters below "allow."
	SysVMsg     SysVIPC
	SysVShm     SysVIPC
	SysVSem     SysVIPC
	Envs        map[string]EnvSpec
	EntryPoints map[string]Exec
	// DefaultEntryPoint is a key of EntryPoints; empty is "main".
	DefaultEntryPoint string
	SpecialMounts     []SpecialMount
	Mounts            map[string]MountSpec
	Datasets          map[string]DatasetSpec
	Init, Deinit      []Exec // in order, before and after main
	Linux             bool
	LinuxOSName       string
	LinuxOSRelease    string
	LinuxOSSVersion   string
	Labels            map[string]string
	OSRelease         string
	OSReldate         int32 // 0: the host's
	Extra             Extra
}

// SysVIPC is one of "new", "inherit" and "disable".
type SysVIPC string

// The modes of System V IPC.
const (
	SysVNew     SysVIPC = "new"
	SysVInherit SysVIPC = "inherit"
	SysVDisable SysVIPC = "disable"
)

// EnvSpec describes a variable that an image reads.
type EnvSpec struct {
	Description  string
	Required     bool
	DefaultValue *string
	Extra        Extra
}

// MountSpec describes a volume that an image wants; it is named by its key in JailConfig.Mounts.
type MountSpec struct {
	Description string
	Destination string
	VolumeHints map[string]string // "zfs.recordsize" → "16k"
	ReadOnly    bool
	Required    bool
	Extra       Extra
}

// SpecialMount is a kernel file system: type "procfs", "fdescfs", ….
type SpecialMount struct {
	MountPoint string
	MountType  string
	Extra      Extra
}

// DatasetSpec describes a ZFS dataset that an image wants delegated.
type DatasetSpec struct {
	Name          string
	Required      bool
	RequiredProps map[string]string
	Extra         Extra
}

// Exec says how a program is run. Args, DefaultArgs and the values of Environ are interpolated.
type Exec struct {
	Exec         string
	Args         []string
	DefaultArgs  []string // replaced by what the user gives
	Environ      map[string]string
	RequiredEnvs []string
	ClearEnv     bool
	WorkDir      string // empty: not stated
	User, Group  string // names or numbers; empty: not stated
	Extra        Extra
}

// The wire types. Keys that the original xc demands are always written, so that it reads what we write.
type jailJSON struct {
	Version           string                 `json:"version"`
	SecureLevel       int8                   `json:"secure_level"`
	VNET              bool                   `json:"vnet"`
	Ports             map[string]string      `json:"ports"`
	DevfsRules        []string               `json:"devfs_rules"`
	Allow             []string               `json:"allow"`
	SysVMsg           SysVIPC                `json:"sysv_msg,omitempty"`
	SysVShm           SysVIPC                `json:"sysv_shm,omitempty"`
	SysVSem           SysVIPC                `json:"sysv_sem,omitempty"`
	Envs              map[string]EnvSpec     `json:"envs"`
	EntryPoints       map[string]Exec        `json:"entry_points"`
	DefaultEntryPoint *string                `json:"default_entry_point"`
	SpecialMounts     []SpecialMount         `json:"special_mounts"`
	Mounts            map[string]MountSpec   `json:"mounts"`
	Datasets          map[string]DatasetSpec `json:"datasets"`
	Init              []Exec                 `json:"init"`
	Deinit            []Exec                 `json:"deinit"`
	Linux             bool                   `json:"linux"`
	LinuxOSName       *string                `json:"linux_osname"`
	LinuxOSRelease    *string                `json:"linux_osrelease"`
	LinuxOSSVersion   *string                `json:"linux_oss_version"`
	Labels            map[string]string      `json:"labels"`
	OSRelease         *string                `json:"osrelease"`
	OSReldate         *int32                 `json:"osreldate"`
}

type envJSON struct {
	Description  *string `json:"description"`
	Required     bool    `json:"required"`
	DefaultValue *string `json:"default_value"`
}

type mountJSON struct {
	Description string            `json:"description"`
	Destination string            `json:"destination"`
	VolumeHints map[string]string `json:"volume_hints"`
	ReadOnly    bool              `json:"read_only"`
	Required    bool              `json:"required"`
}

type specialMountJSON struct {
	MountPoint string `json:"mount_point"`
	MountType  string `json:"mount_type"`
}

type datasetJSON struct {
	Name          string            `json:"name"`
	Required      bool              `json:"required"`
	RequiredProps map[string]string `json:"required_props"`
}

type execJSON struct {
	Exec         string            `json:"exec"`
	Args         []string          `json:"args"`
	DefaultArgs  []string          `json:"default_args"`
	Environ      map[string]string `json:"environ"`
	RequiredEnvs []string          `json:"required_envs"`
	ClearEnv     bool              `json:"clear_env"`
	WorkDir      *string           `json:"work_dir"`
	User         *string           `json:"user"`
	Group        *string           `json:"group"`
}

// UnmarshalJSON reads the extension; an absent key is its default.
func (j *JailConfig) UnmarshalJSON(raw []byte) error {
	doc := jailJSON{}
	extra, err := decodeObject(raw, &doc)
	if err != nil {
		return err
	}
	*j = JailConfig{
		Version: doc.Version, SecureLevel: doc.SecureLevel, VNET: doc.VNET, Ports: doc.Ports, DevfsRules: doc.DevfsRules,
		Allow: doc.Allow, SysVMsg: doc.SysVMsg, SysVShm: doc.SysVShm, SysVSem: doc.SysVSem, Envs: doc.Envs,
		EntryPoints: doc.EntryPoints, DefaultEntryPoint: value(doc.DefaultEntryPoint), SpecialMounts: doc.SpecialMounts,
		Mounts: doc.Mounts, Datasets: doc.Datasets, Init: doc.Init, Deinit: doc.Deinit, Linux: doc.Linux,
		LinuxOSName: value(doc.LinuxOSName), LinuxOSRelease: value(doc.LinuxOSRelease), LinuxOSSVersion: value(doc.LinuxOSSVersion),
		Labels: doc.Labels, OSRelease: value(doc.OSRelease), OSReldate: value(doc.OSReldate), Extra: extra,
	}
	return nil
}

// MarshalJSON writes the extension with every key that the original xc knows.
func (j JailConfig) MarshalJSON() ([]byte, error) {
	version := j.Version
	if version == "" {
		version = "0.0.0+0"
	}
	return encodeObject(jailJSON{
		Version: version, SecureLevel: j.SecureLevel, VNET: j.VNET, Ports: fullMap(j.Ports), DevfsRules: full(j.DevfsRules),
		Allow: full(j.Allow), SysVMsg: j.SysVMsg, SysVShm: j.SysVShm, SysVSem: j.SysVSem, Envs: fullMap(j.Envs),
		EntryPoints: fullMap(j.EntryPoints), DefaultEntryPoint: stated(j.DefaultEntryPoint), SpecialMounts: full(j.SpecialMounts),
		Mounts: fullMap(j.Mounts), Datasets: fullMap(j.Datasets), Init: full(j.Init), Deinit: full(j.Deinit), Linux: j.Linux,
		LinuxOSName: stated(j.LinuxOSName), LinuxOSRelease: stated(j.LinuxOSRelease), LinuxOSSVersion: stated(j.LinuxOSSVersion),
		Labels: fullMap(j.Labels), OSRelease: stated(j.OSRelease), OSReldate: stated(j.OSReldate),
	}, j.Extra)
}

// UnmarshalJSON reads one variable's description.
func (e *EnvSpec) UnmarshalJSON(raw []byte) error {
	var doc envJSON
	extra, err := decodeObject(raw, &doc)
	*e = EnvSpec{Description: value(doc.Description), Required: doc.Required, DefaultValue: doc.DefaultValue, Extra: extra}
	return err
}

// MarshalJSON writes one variable's description.
func (e EnvSpec) MarshalJSON() ([]byte, error) {
	return encodeObject(envJSON{Description: stated(e.Description), Required: e.Required, DefaultValue: e.DefaultValue}, e.Extra)
}

// UnmarshalJSON reads one mount's description.
func (m *MountSpec) UnmarshalJSON(raw []byte) error {
	var doc mountJSON
	extra, err := decodeObject(raw, &doc)
	*m = MountSpec{
		Description: doc.Description, Destination: doc.Destination, VolumeHints: doc.VolumeHints, ReadOnly: doc.ReadOnly,
		Required: doc.Required, Extra: extra,
	}
	return err
}

// MarshalJSON writes one mount's description.
func (m MountSpec) MarshalJSON() ([]byte, error) {
	return encodeObject(mountJSON{
		Description: m.Description, Destination: m.Destination, VolumeHints: fullMap(m.VolumeHints), ReadOnly: m.ReadOnly, Required: m.Required,
	}, m.Extra)
}

// UnmarshalJSON reads one special mount.
func (m *SpecialMount) UnmarshalJSON(raw []byte) error {
	var doc specialMountJSON
	extra, err := decodeObject(raw, &doc)
	*m = SpecialMount{MountPoint: doc.MountPoint, MountType: doc.MountType, Extra: extra}
	return err
}

// MarshalJSON writes one special mount.
func (m SpecialMount) MarshalJSON() ([]byte, error) {
	return encodeObject(specialMountJSON{MountPoint: m.MountPoint, MountType: m.MountType}, m.Extra)
}

// UnmarshalJSON reads one dataset's description.
func (d *DatasetSpec) UnmarshalJSON(raw []byte) error {
	var doc datasetJSON
	extra, err := decodeObject(raw, &doc)
	*d = DatasetSpec{Name: doc.Name, Required: doc.Required, RequiredProps: doc.RequiredProps, Extra: extra}
	return err
}

// MarshalJSON writes one dataset's description.
func (d DatasetSpec) MarshalJSON() ([]byte, error) {
	return encodeObject(datasetJSON{Name: d.Name, Required: d.Required, RequiredProps: fullMap(d.RequiredProps)}, d.Extra)
}

// UnmarshalJSON reads one program.
func (e *Exec) UnmarshalJSON(raw []byte) error {
	var doc execJSON
	extra, err := decodeObject(raw, &doc)
	*e = Exec{
		Exec: doc.Exec, Args: doc.Args, DefaultArgs: doc.DefaultArgs, Environ: doc.Environ, RequiredEnvs: doc.RequiredEnvs,
		ClearEnv: doc.ClearEnv, WorkDir: value(doc.WorkDir), User: value(doc.User), Group: value(doc.Group), Extra: extra,
	}
	return err
}

// MarshalJSON writes one program.
func (e Exec) MarshalJSON() ([]byte, error) {
	return encodeObject(execJSON{
		Exec: e.Exec, Args: full(e.Args), DefaultArgs: full(e.DefaultArgs), Environ: fullMap(e.Environ),
		RequiredEnvs: full(e.RequiredEnvs), ClearEnv: e.ClearEnv, WorkDir: stated(e.WorkDir), User: stated(e.User), Group: stated(e.Group),
	}, e.Extra)
}

var (
	_ json.Marshaler   = JailConfig{}
	_ json.Unmarshaler = (*JailConfig)(nil)
)

func value[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}

// stated is nil for the zero value: the key is then written as null.
func stated[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func full[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func fullMap[T any](m map[string]T) map[string]T {
	if m == nil {
		return map[string]T{}
	}
	return m
}

// SetAllow changes Allow by words as Jailfiles have them: a parameter, with "allow." before it or without, is added at the end; with
// "-" before it, it is taken away.
func (j *JailConfig) SetAllow(words []string) {
	allow := slices.Clone(j.Allow)
	for _, word := range words {
		param, off := strings.CutPrefix(word, "-")
		param = strings.TrimPrefix(param, "allow.")
		allow = slices.DeleteFunc(allow, func(a string) bool { return a == param })
		if !off {
			allow = append(allow, param)
		}
	}
	j.Allow = allow
}

// SetSysV gives the jail a kind of System V IPC of its own, "shm", "msg" or "sem", or with "-" before it none. It returns the kind, and
// whether there is one of that name.
func (j *JailConfig) SetSysV(word string) (kind string, known bool) {
	kind, off := strings.CutPrefix(word, "-")
	to := map[string]*SysVIPC{"shm": &j.SysVShm, "msg": &j.SysVMsg, "sem": &j.SysVSem}[kind]
	if to == nil {
		return kind, false
	}
	if *to = SysVNew; off {
		*to = SysVDisable
	}
	return kind, true
}
