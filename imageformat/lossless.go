package imageformat

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
)

// Extra holds the members of a JSON object that this package does not know, by key, so that they are written back.
type Extra map[string]json.RawMessage

// decodeObject fills known, a pointer to a struct, and returns the members that have no field there. Keys are compared
// without case, as encoding/json does.
func decodeObject(raw []byte, known any) (Extra, error) {
	if err := json.Unmarshal(raw, known); err != nil {
		return nil, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, err
	}
	names := fieldNames(reflect.TypeOf(known).Elem())
	maps.DeleteFunc(all, func(key string, _ json.RawMessage) bool {
		for _, n := range names {
			if strings.EqualFold(n, key) {
				return true
			}
		}
		return false
	})
	if len(all) == 0 {
		return nil, nil
	}
	return all, nil
}

// encodeObject writes known and extra as one object with sorted keys; known wins.
func encodeObject(known any, extra Extra) ([]byte, error) {
	raw, err := json.Marshal(known)
	if err != nil {
		return nil, err
	}
	all := map[string]json.RawMessage{}
	maps.Copy(all, extra)
	var own map[string]json.RawMessage
	if err := json.Unmarshal(raw, &own); err != nil {
		return nil, err
	}
	maps.Copy(all, own)
	return json.Marshal(all)
}

func fieldNames(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			names = append(names, fieldNames(f.Type)...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}
