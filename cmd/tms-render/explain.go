package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/pkg/render"
)

// row is one granted number.
type row struct {
	Lease string `json:"lease"`
	// Field is the path of the number. path is the path of its lease.
	Field string `json:"field"`
	path  string
	// Asked is nil if the lease does not set the number.
	Asked   *int64 `json:"asked"`
	Granted int64  `json:"granted"`
	// Unit is the unit of both numbers, "s" for seconds, or empty if the field implies it.
	Unit string `json:"unit,omitempty"`
	// Decided is the path of the value that decided: the lease's number, a default, or a
	// bound.
	Decided string `json:"decided"`
	// Adjusted reports whether Granted differs from Asked, or from the default.
	Adjusted bool `json:"adjusted"`
}

// explanation is what explain -o json prints.
type explanation struct {
	Numbers []row `json:"numbers"`
	// NotAutoscaled lists the leases without autoscaling.
	NotAutoscaled []string `json:"notAutoscaled"`
	Warnings      []string `json:"warnings"`
}

func newExplain(s streams) *cobra.Command {
	var o renderOptions
	command := &cobra.Command{
		Use:   "explain",
		Short: "Show what each lease asked for, what it was granted, and the bound that decided",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			if err := cli.OneOf("output", o.output, "table", "json"); err != nil {
				return err
			}
			result, err := o.render(s)
			if err != nil {
				return err
			}
			e := explain(&result.Grants)
			if o.output == "json" {
				encoder := json.NewEncoder(s.out)
				encoder.SetIndent("", "  ")
				return encoder.Encode(e)
			}
			cli.Warn(s.err, e.Warnings)
			return e.table(s.out)
		},
	}
	command.Flags().SortFlags = false
	o.valueOptions.addFlags(command.Flags())
	command.Flags().StringVarP(&o.output, "output", "o", "table", "output `format`: table or json")
	_ = command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return command
}

func explain(grants *render.Grants) explanation {
	e := explanation{Numbers: []row{}, NotAutoscaled: []string{}, Warnings: []string{}}
	for _, lease := range grants.Leases {
		if !lease.Grant.Autoscaled {
			e.NotAutoscaled = append(e.NotAutoscaled, lease.String())
		}
		e.Numbers = append(e.Numbers, rows(lease)...)
	}
	e.Warnings = append(e.Warnings, grants.Warnings...)
	return e
}

// rows returns the numbers of one lease: those of its autoscaling, and the duration of
// a TritonLease.
func rows(lease *render.GrantedLease) []row {
	var all []row
	if lease.Grant.Autoscaled {
		all = scaling(lease)
	}
	if lease.Namespace != "" {
		all = append(all, duration(lease))
	}
	adjustments := map[string]v1alpha1.Adjustment{}
	for _, adjustment := range lease.Grant.Adjustments {
		adjustments[adjustment.Field] = adjustment
	}
	for i := range all {
		all[i].Lease, all[i].path = lease.String(), lease.Path
		if adjustment, ok := adjustments[all[i].Field]; ok {
			all[i].Decided, all[i].Adjusted = adjustment.Limit, true
		} else if all[i].Asked != nil {
			all[i].Decided = all[i].Field
		}
	}
	return all
}

func scaling(lease *render.GrantedLease) []row {
	path := lease.Path + ".autoscaling."
	request := lease.RequestedAutoscaling
	all := []row{
		{
			Field: path + "replicas.minimum", Asked: request.Replicas.Minimum, Granted: lease.Grant.MinReplicas,
			Decided: "server.autoscaling.replicas.default.minimum",
		},
		{
			Field: path + "replicas.maximum", Asked: request.Replicas.Maximum, Granted: lease.Grant.MaxReplicas,
			Decided: "server.autoscaling.replicas.default.maximum",
		},
	}
	for _, m := range lease.Grant.Metrics {
		r := row{
			Field:   path + "metrics." + string(m.Metric) + ".threshold",
			Granted: m.Threshold,
			Decided: "server.autoscaling.metrics." + string(m.Metric) + ".threshold.default",
		}
		r.Asked = request.Metrics[m.Metric].Threshold
		all = append(all, r)
	}
	return all
}

// duration returns the duration of a TritonLease. 0 means that it does not expire.
func duration(lease *render.GrantedLease) row {
	seconds := func(d v1alpha1.Duration) int64 { return int64(d.Value() / time.Second) }
	r := row{
		Field: lease.Path + ".duration", Granted: seconds(lease.Term.Duration), Unit: "s",
		Decided: "server.leases.duration.default",
	}
	if wanted := lease.RequestedTerm.Duration; wanted != nil {
		asked := seconds(*wanted)
		r.Asked = &asked
	}
	return r
}

// table prints one line for each number, and marks the adjusted ones.
func (e explanation) table(w io.Writer) error {
	writer := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(writer, "LEASE\tNUMBER\tASKED\tGRANTED\t\tDECIDED BY")
	for _, r := range e.Numbers {
		asked, mark := "-", ""
		if r.Asked != nil {
			asked = strconv.FormatInt(*r.Asked, 10) + r.Unit
		}
		if r.Adjusted {
			mark = "adjusted"
		}
		number := strings.TrimPrefix(strings.TrimPrefix(r.Field, r.path+"."), "autoscaling.")
		_, _ = fmt.Fprintf(writer, "%s\t%s\t%s\t%d%s\t%s\t%s\n", r.Lease, number, asked, r.Granted, r.Unit, mark, r.Decided)
	}
	for _, name := range e.NotAutoscaled {
		_, _ = fmt.Fprintf(writer, "%s\tnot autoscaled\t-\t-\t\t-\n", name)
	}
	return writer.Flush()
}
