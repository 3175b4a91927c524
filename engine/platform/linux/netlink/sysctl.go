package netlink

import "strings"

// sysctlPath turns "net.ipv4.conf.IFNAME.log_martians" into "ipv4/conf/eth0/log_martians" below /proc/sys/net.
func sysctlPath(key, ifname string) (string, bool) {
	parts := strings.Split(key, ".")
	if len(parts) != 5 || parts[0] != "net" || !strings.EqualFold(parts[3], "IFNAME") {
		return "", false
	}
	for _, p := range parts {
		if p == "" || p == ".." || strings.Contains(p, "/") {
			return "", false
		}
	}
	parts[3] = ifname
	return strings.Join(parts[1:], "/"), true
}
