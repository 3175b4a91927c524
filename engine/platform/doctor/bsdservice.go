package doctor

// service looks at rc(8). That xcd runs is the business of sockets.
func service(f Facts, _ Options) []Finding {
	b := f.FreeBSD
	if !b.Service {
		return []Finding{{
			ID: "xcd.service", Severity: Limited, What: "there is no " + rcScript, Breaks: "xcd does not start at boot, and nothing stops containers in order at shutdown",
			Mend: []string{"pkg install xc"},
		}}
	}
	return one(!yes(b.RC["xcd_enable"]), Finding{
		ID: "xcd.service", Severity: Limited, What: "xcd_enable is not set in rc.conf", Breaks: "xcd does not start at boot, nor containers by their restart policies",
		Steps: []Step{command("sysrc", "xcd_enable=YES")},
	}, "xcd starts at boot")
}
