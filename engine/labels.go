package engine

import "strings"

// NetGroups lists the networks that LabelNetGroup names.
func NetGroups(labels map[string]string) []string {
	var groups []string
	for name := range strings.SplitSeq(labels[LabelNetGroup], ",") {
		if name = strings.TrimSpace(name); name != "" {
			groups = append(groups, name)
		}
	}
	return groups
}
