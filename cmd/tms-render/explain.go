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

// row is one number that a lease has.
type row struct {
	Lease string `json:"lease"`
	// Field is the path of the number, and path that of its lease.
	Field string `json:"field"`
	path  string
	// Asked is nil where the lease did not ask.
	Asked   *int64 `json:"asked"`
	Granted int64  `json:"granted"`
	// Unit is that of both, where their field does not tell: s, for seconds.
	Unit string `json:"unit,omitempty"`
	// Decided is the path of what decided: the lease's own, a default, or a bound.
	Decided string `json:"decided"`
	// Adjusted says that the lease does not have what it asked for, or the default.
	Adjusted bool `json:"adjusted"`
}

// explanation is what explain -o json prints.
type explanation struct {
	Numbers []row `json:"numbers"`
	// NotAutoscaled are the names of leases without numbers.
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
			judgement, err := o.judge(s)
			if err != nil {
				return err
			}
			e := explain(judgement)
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

func explain(judgement *render.Judgement) explanation {
	e := explanation{Numbers: []row{}, NotAutoscaled: []string{}, Warnings: []string{}}
	for _, lease := range judgement.Leases {
		if !lease.Grant.Autoscaled {
			e.NotAutoscaled = append(e.NotAutoscaled, lease.String())
		}
		e.Numbers = append(e.Numbers, rows(lease)...)
	}
	e.Warnings = append(e.Warnings, judgement.Warnings...)
	return e
}

// rows returns the numbers of one lease: those of its autoscaling, in the order of
// the policy, and how long a TritonLease lasts.
func rows(lease *render.Lease) []row {
	var all []row
	if lease.Grant.Autoscaled {
		all = scaling(lease)
	}
	if lease.Namespace() != "" {
		all = append(all, duration(lease))
	}
	adjustments := map[string]v1alpha1.Adjustment{}
	for _, adjustment := range lease.Grant.Adjustments {
		adjustments[adjustment.Field] = adjustment
	}
	for i := range all {
		all[i].Lease, all[i].path = lease.String(), lease.Path()
		if adjustment, ok := adjustments[all[i].Field]; ok {
			all[i].Decided, all[i].Adjusted = adjustment.Limit, true
		} else if all[i].Asked != nil {
			all[i].Decided = all[i].Field
		}
	}
	return all
}

func scaling(lease *render.Lease) []row {
	path := lease.Path() + ".autoscaling."
	request := lease.Request
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
	for _, target := range lease.Grant.Metrics {
		r := row{
			Field:   path + "metrics." + string(target.Metric) + ".threshold",
			Granted: target.Threshold,
			Decided: "server.autoscaling.metrics." + string(target.Metric) + ".threshold.default",
		}
		r.Asked = request.Metrics[target.Metric].Threshold
		all = append(all, r)
	}
	return all
}

// duration returns how long a TritonLease lasts. 0 has no end.
func duration(lease *render.Lease) row {
	seconds := func(d v1alpha1.Duration) int64 { return int64(d.Value() / time.Second) }
	r := row{
		Field: lease.Path() + ".duration", Granted: seconds(lease.Term.Duration), Unit: "s",
		Decided: "server.leases.duration.default",
	}
	if wanted := lease.AskedTerm().Duration; wanted != nil {
		asked := seconds(*wanted)
		r.Asked = &asked
	}
	return r
}

// table prints one line for each number. What was adjusted is marked.
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
