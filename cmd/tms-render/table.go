package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/triton-leases/tms/pkg/policy"
)

// print prints a table of the leases, a table of their numbers, and the GPUs of the fleet.
// If there are no leases, it says so.
func (e explanation) print(w io.Writer) error {
	if len(e.Leases) == 0 {
		_, err := fmt.Fprintln(w, "The input has no leases.")
		return err
	}
	writer := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	e.leaseTable(writer)
	_, _ = fmt.Fprintln(writer)
	e.numberTable(writer)
	_, _ = fmt.Fprintf(writer, "\n%s\n", e.total())
	return writer.Flush()
}

func (e explanation) leaseTable(w io.Writer) {
	_, _ = fmt.Fprintln(w, "LEASE\tADDRESS\tMAX GPUS\tMODELS\tIMAGE")
	for _, r := range e.Leases {
		address, gpus := r.Address, "-"
		if address == "" {
			address = "none (" + r.Object + ")"
		}
		if r.GPUs != nil {
			gpus = strconv.FormatInt(*r.MaxGPUs, 10)
			if *r.GPUs > 0 {
				gpus += fmt.Sprintf(" (%dx%d)", *r.MaxReplicas, *r.GPUs)
			}
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.Lease, address, gpus, cmp.Or(r.modelsText(), "-"), cmp.Or(r.Image, "-"))
	}
}

// numberTable prints one line for each number, and marks the adjusted ones.
func (e explanation) numberTable(w io.Writer) {
	_, _ = fmt.Fprintln(w, "LEASE\tNUMBER\tASKED\tGRANTED\t\tDECIDED BY")
	for _, r := range e.Numbers {
		asked, mark, decided := "-", "", r.Decided
		if r.Asked != nil {
			asked = r.human(*r.Asked)
		}
		if r.Adjusted {
			mark = "adjusted"
		}
		if decided == r.Field {
			decided = "the lease"
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Lease, r.label(), asked, r.human(r.Granted), mark, decided)
	}
	for _, name := range e.NotAutoscaled {
		_, _ = fmt.Fprintf(w, "%s\tnot autoscaled\t-\t-\t\t-\n", name)
	}
}

// total returns the sentence about the GPUs of the fleet.
func (e explanation) total() string {
	text := "The fleet has no GPUs"
	if e.MaxGPUs > 0 {
		text = fmt.Sprintf("The fleet has at most %d GPU%s", e.MaxGPUs, plural(e.MaxGPUs))
	}
	targets := 0
	for _, r := range e.Leases {
		if r.GPUs == nil {
			targets++
		}
	}
	if targets > 0 {
		text += fmt.Sprintf(", without those of %d target%s", targets, plural(targets))
	}
	return text + "."
}

func plural[N int | int64](n N) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// label returns the name of the number in its lease: replicas.maximum, queueTime, duration,
// or minimum at 0 8 * * 1-5 Etc/UTC.
func (r row) label() string {
	label := strings.TrimPrefix(strings.TrimPrefix(r.Field, r.path+"."), "autoscaling.")
	if metric, isMetric := strings.CutPrefix(label, metricsKey); isMetric {
		return strings.TrimSuffix(metric, thresholdKey)
	}
	if r.At != "" {
		return fmt.Sprintf("%s at %s", label[strings.LastIndex(label, ".")+1:], r.At)
	}
	return label
}

// human returns a number with its unit, and a time as a duration.
func (r row) human(number int64) string {
	unit := time.Duration(0)
	switch r.Unit {
	case "":
		return strconv.FormatInt(number, 10)
	case string(policy.Percent):
		return fmt.Sprintf("%d %%", number)
	case string(policy.Microseconds):
		unit = time.Microsecond
	case unitOfTerms:
		if number == 0 {
			return "no expiry"
		}
		unit = time.Second
	}
	if unit == 0 || number > math.MaxInt64/int64(unit) {
		return fmt.Sprintf("%d %s", number, r.Unit)
	}
	text := strings.Replace((time.Duration(number) * unit).String(), "µ", "u", 1)
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
