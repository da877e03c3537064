package main

import (
	"fmt"
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
	// At is the cron expression and the time zone of an entry of a schedule.
	At string `json:"at,omitempty"`
	// Asked is nil if the lease does not set the number.
	Asked   *int64 `json:"asked"`
	Granted int64  `json:"granted"`
	// Unit is the unit of both numbers: that of the metric, such as microseconds, or s for
	// seconds. It is empty if the field implies it.
	Unit string `json:"unit,omitempty"`
	// Decided is the path of the value that decided: the lease's number, a default, or a
	// bound.
	Decided string `json:"decided"`
	// Adjusted reports whether Granted differs from Asked, or from the default.
	Adjusted bool `json:"adjusted"`
}

// explanation is what explain -o json prints.
type explanation struct {
	Leases  []leaseRow `json:"leases"`
	Numbers []row      `json:"numbers"`
	// NotAutoscaled lists the leases without autoscaling.
	NotAutoscaled []string `json:"notAutoscaled"`
	// MaxGPUs is the sum of the MaxGPUs of the leases.
	MaxGPUs  int64    `json:"maxGPUs"`
	Warnings []string `json:"warnings"`
}

const longExplain = `explain prints two tables: where each lease is served, with what, and how many GPUs
it has at its highest number of replicas; and the numbers that each lease asks for,
what it is granted, and the key of the values that decided. Durations are printed
as durations, and -o json prints all numbers in the units of the values.`

func newExplain(s streams) *cobra.Command {
	var o renderOptions
	command := &cobra.Command{
		Use:   "explain",
		Short: "Show what each lease asked for, what it was granted, and the bound that decided",
		Long:  longExplain,
		Args:  noArguments,
		RunE:  func(*cobra.Command, []string) error { return o.explain(s) },
	}
	flags := command.Flags()
	flags.SortFlags = false
	o.AddFlags(command)
	flags.StringVarP(&o.output, "output", "o", "table", "output `format`: table or json")
	flags.BoolVar(&o.strict, "strict", false, "exit with status 3 if there are adjustments or warnings")
	_ = command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return command
}

func (o *renderOptions) explain(s streams) error {
	if err := cli.OneOf("output", o.output, "table", "json"); err != nil {
		return err
	}
	if err := o.Required(); err != nil {
		return err
	}
	in, result, err := o.render(s)
	if err != nil {
		return err
	}
	e, err := explain(result)
	if err != nil {
		return err
	}
	if o.output == "table" {
		strict := o.warn(in, result, s)
		if err := e.print(s.out); err != nil {
			return err
		}
		return strict
	}
	warnings, _ := o.warnings(in, result)
	e.Warnings = append(e.Warnings, warnings...)
	if err := encode(s.out, e); err != nil {
		return err
	}
	return o.ifStrict(warnings)
}

func explain(result *render.Result) (explanation, error) {
	e := explanation{Leases: []leaseRow{}, Numbers: []row{}, NotAutoscaled: []string{}, Warnings: []string{}}
	for _, lease := range result.Leases {
		described, err := describe(result, lease)
		if err != nil {
			return e, err
		}
		e.Leases = append(e.Leases, described)
		if described.MaxGPUs != nil {
			e.MaxGPUs += *described.MaxGPUs
		}
		if !lease.Grant.Autoscaled {
			e.NotAutoscaled = append(e.NotAutoscaled, lease.String())
		}
		e.Numbers = append(e.Numbers, rows(result, lease)...)
	}
	return e, nil
}

// rows returns the numbers of one lease: those of its autoscaling, and the duration of
// a TritonLease.
func rows(result *render.Result, lease *render.GrantedLease) []row {
	var all []row
	if lease.Grant.Autoscaled {
		all = scaling(result, lease)
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

func scaling(result *render.Result, lease *render.GrantedLease) []row {
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
	for i, entry := range lease.Grant.Schedule {
		asked, field := request.Replicas.Schedule[i], fmt.Sprintf("%sreplicas.schedule[%d].", path, i)
		at := entry.Cron + " " + entry.TimeZone
		all = append(all,
			row{Field: field + "minimum", At: at, Asked: asked.Minimum, Granted: entry.MinReplicas, Decided: path + "replicas.minimum"},
			row{Field: field + "maximum", At: at, Asked: asked.Maximum, Granted: entry.MaxReplicas, Decided: path + "replicas.maximum"},
		)
	}
	for _, m := range lease.Grant.Metrics {
		all = append(all, row{
			Field: path + metricsKey + string(m.Metric) + thresholdKey, Asked: request.Metrics[m.Metric].Threshold,
			Granted: m.Threshold, Unit: string(result.Unit(m.Metric)),
			Decided: "server.autoscaling.metrics." + string(m.Metric) + ".threshold.default",
		})
	}
	return all
}

const metricsKey, thresholdKey = "metrics.", ".threshold"

// duration returns the duration of a TritonLease. 0 means that it does not expire.
func duration(lease *render.GrantedLease) row {
	seconds := func(d v1alpha1.Duration) int64 { return int64(d.Value() / time.Second) }
	r := row{
		Field: lease.Path + ".duration", Granted: seconds(lease.Term.Duration), Unit: unitOfTerms,
		Decided: "server.leases.duration.default",
	}
	if wanted := lease.RequestedTerm.Duration; wanted != nil {
		asked := seconds(*wanted)
		r.Asked = &asked
	}
	return r
}

// unitOfTerms is the unit of durations of leases.
const unitOfTerms = "s"
