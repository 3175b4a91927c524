package oci

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// defaultDeviceRules are what Docker lets every container use: null, zero, full, random, urandom, tty, console; the
// runtime itself adds ptmx and pts. /dev/fuse (10:229) is named only to be refused.
func defaultDeviceRules() []specs.LinuxDeviceCgroup {
	rules := []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}
	for _, d := range [][2]int64{{1, 5}, {1, 3}, {1, 9}, {1, 8}, {5, 0}, {5, 1}} {
		rules = append(rules, deviceRule(true, "c", d[0], d[1], "rwm"))
	}
	return append(rules, deviceRule(false, "c", 10, 229, "rwm"))
}

func deviceRule(allow bool, kind string, major, minor int64, access string) specs.LinuxDeviceCgroup {
	return specs.LinuxDeviceCgroup{Allow: allow, Type: kind, Major: &major, Minor: &minor, Access: access}
}

var deviceRuleForm = regexp.MustCompile(`^([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})$`)

// parseDeviceRules decodes --device-cgroup-rule values, "c 1:3 rwm".
func parseDeviceRules(given []string) ([]specs.LinuxDeviceCgroup, error) {
	var rules []specs.LinuxDeviceCgroup
	for _, text := range given {
		m := deviceRuleForm.FindStringSubmatch(text)
		if m == nil {
			return nil, fmt.Errorf("invalid device cgroup rule format: '%s'", text)
		}
		major, err := deviceNumber(m[2])
		minor, err2 := deviceNumber(m[3])
		if err != nil || err2 != nil {
			return nil, fmt.Errorf("invalid device cgroup rule format: '%s'", text)
		}
		rules = append(rules, deviceRule(true, m[1], major, minor, m[4]))
	}
	return rules, nil
}

// deviceNumber decodes a device number; "*", every one, is -1.
func deviceNumber(word string) (int64, error) {
	if word == "*" {
		return -1, nil
	}
	return strconv.ParseInt(word, 10, 64)
}
