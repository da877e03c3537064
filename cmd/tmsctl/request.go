package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/types/known/durationpb"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/internal/cli"
)

// createOptions are the flags of lease create. A flag that is not set gets the
// administrator's default.
type createOptions struct {
	models           []string
	image            string
	gpus             int64
	cpus, memory     string
	autoscale        bool
	minimum, maximum int64
	metrics          []string
	schedule         []string
	duration         time.Duration
	autoRenew        bool
	name, requestID  string
	wait, noWait     bool
}

func (c *createOptions) addFlags(command *cobra.Command) {
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringArrayVarP(&c.models, "model", "m", nil, "`name=<name>,uri=<uri>` of a model and its repository; everything after uri= is the URI (repeatable: one Triton loads all models, in this order)")
	flags.StringVar(&c.image, "triton-image", "", "Triton `image`: one that 'tmsctl allowlist list' shows")
	flags.Int64Var(&c.gpus, "gpus", 0, "GPUs of each replica")
	flags.StringVar(&c.cpus, "cpus", "", "CPUs of each replica, such as 4 or 500m")
	flags.StringVar(&c.memory, "memory", "", "memory of each replica, such as 32Gi")
	flags.BoolVar(&c.autoscale, "enable-autoscaling", false, "scale the lease")
	flags.Int64Var(&c.minimum, "autoscaling-min-replicas", 0, "smallest number of replicas")
	flags.Int64Var(&c.maximum, "autoscaling-max-replicas", 0, "largest number of replicas")
	flags.StringArrayVar(&c.metrics, "autoscaling-metric", nil, "`metric[=threshold]` to scale by: "+metricUsage()+" (repeatable)")
	flags.StringArrayVar(&c.schedule, "autoscaling-schedule", nil, "other numbers of replicas at certain times: `[min=<n>,][max=<n>,][zone=<zone>,]cron=<expression>`, such as min=2,max=8,zone=Europe/Berlin,cron=0 8 * * 1-5 (repeatable)")
	flags.DurationVar(&c.duration, "duration", 0, "how long the lease lasts, such as 1h30m; 0s means that it does not expire, if the administrator allows that")
	flags.BoolVar(&c.autoRenew, "auto-renew", false, "renew the lease automatically while it serves requests")
	flags.StringVar(&c.name, "name", "", "`name` of the lease, which becomes its id (default a generated name)")
	flags.StringVar(&c.requestID, "request-id", "", "unique `text` for this lease: a second run with the same text continues with the same lease")
	flags.BoolVar(&c.wait, "wait", true, "wait until the lease serves")
	flags.BoolVar(&c.noWait, "no-wait", false, "return when the lease is granted; do not wait until it serves")
	addLegacyFlags(flags)
	_ = command.RegisterFlagCompletionFunc("autoscaling-metric", cobra.FixedCompletions(metricNames(), cobra.ShellCompDirectiveNoFileComp))
}

// request returns the request of the flags, without a namespace.
func (c *createOptions) request(flags *pflag.FlagSet) (*tmsv1.AcquireRequest, error) {
	spec := &tmsv1.LeaseSpec{TritonImage: c.image}
	if len(c.models) == 0 {
		return nil, cli.Usagef("at least one --model name=<name>,uri=<uri> is required")
	}
	for _, text := range c.models {
		model, err := parseModel(text)
		if err != nil {
			return nil, err
		}
		spec.Models = append(spec.Models, model)
	}
	var err error
	if spec.Autoscaling, err = c.autoscaling(flags); err != nil {
		return nil, err
	}
	if flags.Changed("gpus") || c.cpus != "" || c.memory != "" {
		spec.Resources = &tmsv1.Resources{Gpus: ifSet(flags, "gpus", c.gpus), Cpus: c.cpus, Memory: c.memory}
	}
	if flags.Changed("duration") {
		if c.duration < 0 || c.duration%time.Second != 0 {
			return nil, cli.Usagef("--duration %s: must be whole seconds; 0s means that the lease does not expire", c.duration)
		}
		spec.Duration = durationpb.New(c.duration)
	}
	spec.AutoRenew = ifSet(flags, "auto-renew", c.autoRenew)
	if flags.Changed("wait") && flags.Changed("no-wait") && c.wait == c.noWait {
		return nil, cli.Usagef("--wait and --no-wait cannot be used together")
	}
	return &tmsv1.AcquireRequest{RequestId: c.requestID, Name: c.name, Spec: spec, NoWait: c.noWait || !c.wait}, nil
}

// ifSet returns the value of a flag, and nil if the flag is not set.
func ifSet[T any](flags *pflag.FlagSet, name string, value T) *T {
	if !flags.Changed(name) {
		return nil
	}
	return &value
}

func (c *createOptions) autoscaling(flags *pflag.FlagSet) (*tmsv1.Autoscaling, error) {
	if !c.autoscale {
		for _, name := range []string{"autoscaling-min-replicas", "autoscaling-max-replicas", "autoscaling-metric", "autoscaling-schedule"} {
			if flags.Changed(name) {
				return nil, cli.Usagef("--%s needs --enable-autoscaling", name)
			}
		}
		return nil, nil
	}
	autoscaling := &tmsv1.Autoscaling{
		MinReplicas: ifSet(flags, "autoscaling-min-replicas", c.minimum),
		MaxReplicas: ifSet(flags, "autoscaling-max-replicas", c.maximum),
	}
	for _, text := range c.schedule {
		entry, err := parseSchedule(text)
		if err != nil {
			return nil, err
		}
		autoscaling.Schedule = append(autoscaling.Schedule, entry)
	}
	seen := map[string]bool{}
	for _, text := range c.metrics {
		metric, err := parseMetric(text)
		if err != nil {
			return nil, err
		}
		if seen[metric.GetMetric()] {
			return nil, cli.Usagef("--autoscaling-metric %s: must not be repeated for one metric", metric.GetMetric())
		}
		seen[metric.GetMetric()] = true
		autoscaling.Metrics = append(autoscaling.Metrics, metric)
	}
	return autoscaling, nil
}

// parseSchedule parses [min=<n>,][max=<n>,][zone=<zone>,]cron=<expression>. The expression can
// contain commas.
func parseSchedule(text string) (*tmsv1.ScheduledReplicas, error) {
	wrong := cli.Usagef("--autoscaling-schedule %s: must be [min=<n>,][max=<n>,][zone=<zone>,]cron=<expression>", text)
	entry, rest := new(tmsv1.ScheduledReplicas), text
	for {
		key, value, _ := strings.Cut(rest, "=")
		if key == "cron" {
			if entry.Cron = value; value == "" {
				return nil, wrong
			}
			return entry, nil
		}
		var more bool
		if value, rest, more = strings.Cut(value, ","); !more {
			return nil, wrong
		}
		number, err := strconv.ParseInt(value, 10, 64)
		switch {
		case key == "zone":
			entry.TimeZone = value
		case key == "min" && err == nil:
			entry.Minimum = &number
		case key == "max" && err == nil:
			entry.Maximum = &number
		default:
			return nil, wrong
		}
	}
}

// parseModel parses name=<name>,uri=<uri>. The URI can contain commas and equals signs.
func parseModel(text string) (*tmsv1.Model, error) {
	name, uri, ok := strings.Cut(text, ",uri=")
	name, hasName := strings.CutPrefix(name, "name=")
	if !ok || !hasName || name == "" || uri == "" || strings.Contains(name, ",") {
		return nil, cli.Usagef("--model %s: must be name=<name>,uri=<uri>, in this order", text)
	}
	return &tmsv1.Model{Name: name, Uri: uri}, nil
}
