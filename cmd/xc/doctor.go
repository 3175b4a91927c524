package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine/platform/doctor"
)

// doctorCommand looks at the host itself, so that it works where no daemon does.
func doctorCommand(host func() doctor.Source) *cobra.Command {
	var format string
	var all bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this host lacks for containers, what that breaks, and the commands that mend it",
		Long: `Doctor looks at this host: modules, sysctls, ZFS, the packet filter, groups, programs, the service. It changes nothing and needs no
daemon. The exit code is 0 when nothing is broken, 1 when something is, 2 for a wrong command line.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains([]string{"text", "json"}, format) {
				return usageError{fmt.Errorf("-o %s: text or json", format)}
			}
			r := doctor.Examine(doctor.Gather(cmd.Context(), host()), doctor.Options{})
			if err := writeReport(cmd.OutOrStdout(), r, format, all); err != nil {
				return err
			}
			if r.Count(doctor.Broken) > 0 {
				return errReported
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&format, "output", "o", "text", "text or json")
	cmd.Flags().BoolVarP(&all, "all", "a", false, "also show what is as it should be")
	return cmd
}

func writeReport(w io.Writer, r doctor.Report, format string, all bool) error {
	if format == "text" {
		_, err := io.WriteString(w, r.Text(all))
		return err
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(wireReport(r, all))
}

// wire forms of a report.
type (
	reportJSON struct {
		Broken   int           `json:"broken"`
		Limited  int           `json:"limited"`
		Hints    int           `json:"hints"`
		Fine     int           `json:"fine"`
		Findings []findingJSON `json:"findings"`
	}
	findingJSON struct {
		ID       string   `json:"id"`
		Severity string   `json:"severity"`
		What     string   `json:"what"`
		Breaks   string   `json:"breaks,omitempty"`
		Mend     []string `json:"mend,omitempty"`
		Diff     string   `json:"diff,omitempty"`
		Setup    bool     `json:"setup"` // "xc setup" mends it
		Reboot   bool     `json:"reboot,omitempty"`
	}
)

func wireReport(r doctor.Report, all bool) reportJSON {
	out := reportJSON{
		Broken: r.Count(doctor.Broken), Limited: r.Count(doctor.Limited), Hints: r.Count(doctor.Hint), Fine: r.Count(doctor.OK),
		Findings: []findingJSON{},
	}
	for _, f := range r.Findings {
		if f.Severity == doctor.OK && !all {
			continue
		}
		j := findingJSON{ID: f.ID, Severity: string(f.Severity), What: f.What, Breaks: f.Breaks, Mend: f.Mend, Setup: len(f.Steps) > 0, Reboot: f.Reboot}
		for _, s := range f.Steps {
			if e, ok := s.(doctor.Edit); ok {
				j.Diff += e.Diff()
			}
		}
		out.Findings = append(out.Findings, j)
	}
	return out
}
