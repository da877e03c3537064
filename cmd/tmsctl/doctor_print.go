package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/internal/doctor"
)

func (d *doctorOptions) print(w io.Writer, report *doctor.Report) error {
	switch d.output {
	case "json":
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false) // some texts have a placeholder, such as <name>
		if err := encoder.Encode(struct {
			Healthy bool `json:"healthy"`
			*doctor.Report
		}{report.Healthy(), report}); err != nil {
			return err
		}
		return d.printJSON(w, text.Bytes())
	case "short":
		return writeShort(w, report)
	}
	return d.writeTable(w, report)
}

// writeTable writes all results, and what to do about each problem.
func (d *doctorOptions) writeTable(w io.Writer, report *doctor.Report) error {
	var text strings.Builder
	fmt.Fprintf(&text, "context %s\n\n", escape(d.cluster.Context))
	for _, section := range report.Sections {
		text.WriteString(escape(section.Subject) + "\n")
		for _, result := range section.Results {
			indent := strings.Repeat(" ", len(doctor.Skipped)-len(result.Status))
			text.WriteString("  " + paint(w, result.Status) + indent + " " + describeResult(result) + "\n")
			for _, line := range []struct{ label, value string }{{"show", result.Command}, {"fix", result.Fix}, {"read", result.Link}} {
				if line.value != "" {
					fmt.Fprintf(&text, "          %-4s  %s\n", line.label, escape(line.value))
				}
			}
		}
		text.WriteString("\n")
	}
	fmt.Fprintf(&text, "errors: %d, warnings: %d, skipped: %d\n", report.Count(doctor.Error), report.Count(doctor.Warning), report.Count(doctor.Skipped))
	_, err := io.WriteString(w, text.String())
	return err
}

// writeShort writes one line for each problem, and for each check that was skipped.
func writeShort(w io.Writer, report *doctor.Report) error {
	var text strings.Builder
	for _, section := range report.Sections {
		for _, result := range section.Results {
			if result.Status != doctor.OK {
				text.WriteString(paint(w, result.Status) + " " + escape(section.Subject) + " " + describeResult(result) + "\n")
			}
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func describeResult(result doctor.Result) string {
	return strings.TrimSpace(result.Code + " " + escape(result.Message))
}

// paint returns a status in its colour.
func paint(w io.Writer, status doctor.Status) string {
	switch status {
	case doctor.OK:
		return cli.Green(w, string(status))
	case doctor.Error:
		return cli.Red(w, string(status))
	}
	return cli.Yellow(w, string(status))
}
