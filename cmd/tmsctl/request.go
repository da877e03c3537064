package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/types/known/durationpb"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/internal/schema"
)

// createOptions are the flags that say what a lease asks for. What is not given is the
// administrator's default, so that whether a flag was given matters, too.
type createOptions struct {
	models           []string
	image            string
	gpus             int64
	cpus, memory     string
	autoscale        bool
	minimum, maximum int64
	metrics          []string
	duration         time.Duration
	autoRenew        bool
	name, requestID  string
	wait, noWait     bool
}

func (c *createOptions) addFlags(command *cobra.Command) {
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringArrayVarP(&c.models, "model", "m", nil, "`name=<name>,uri=<uri>` of a model and the repository that holds it; all that follows uri= is the URI (can specify multiple: one Triton loads all of them, in this order)")
	flags.StringVar(&c.image, "triton-image", "", "`image` of Triton: the administrator's, or one that 'tmsctl allowlist list' shows")
	flags.Int64Var(&c.gpus, "gpus", 0, "GPUs of each replica")
	flags.StringVar(&c.cpus, "cpus", "", "CPUs of each replica, such as 4 or 500m")
	flags.StringVar(&c.memory, "memory", "", "memory of each replica, such as 32Gi")
	flags.BoolVar(&c.autoscale, "enable-autoscaling", false, "scale the lease")
	flags.Int64Var(&c.minimum, "autoscaling-min-replicas", 0, "fewest replicas")
	flags.Int64Var(&c.maximum, "autoscaling-max-replicas", 0, "most replicas")
	flags.StringArrayVar(&c.metrics, "autoscaling-metric", nil, "scale by `metric[=threshold]`: cpuUtilization or gpuUtilization (percent), or queueTime (microseconds) (can specify multiple)")
	flags.DurationVar(&c.duration, "duration", 0, "how long the lease lasts, such as 1h30m; 0s has no end, where the administrator allows that")
	flags.BoolVar(&c.autoRenew, "auto-renew", false, "extend the lease while it serves requests")
	flags.StringVar(&c.name, "name", "", "`name` of the lease, which is its id then")
	flags.StringVar(&c.requestID, "request-id", "", "a `text` for this one lease: to run tmsctl again with it goes on with the lease of then")
	flags.BoolVar(&c.wait, "wait", true, "wait until the lease serves")
	flags.BoolVar(&c.noWait, "no-wait", false, "do not wait until the lease serves, only until it is granted")
	addFormerFlags(flags)
	_ = command.RegisterFlagCompletionFunc("autoscaling-metric", cobra.FixedCompletions(metricNames(), cobra.ShellCompDirectiveNoFileComp))
}

// request returns what the flags ask for, in the namespace that is meant elsewhere.
func (c *createOptions) request(flags *pflag.FlagSet) (*tmsv1.AcquireRequest, error) {
	spec := &tmsv1.LeaseSpec{TritonImage: c.image}
	if len(c.models) == 0 {
		return nil, cli.Usagef("a lease needs at least one --model name=<name>,uri=<uri>")
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
		spec.Resources = &tmsv1.Resources{Gpus: given(flags, "gpus", c.gpus), Cpus: c.cpus, Memory: c.memory}
	}
	if flags.Changed("duration") {
		if c.duration < 0 || c.duration%time.Second != 0 {
			return nil, cli.Usagef("--duration %s: must be whole seconds, and 0s for no end", c.duration)
		}
		spec.Duration = durationpb.New(c.duration)
	}
	spec.AutoRenew = given(flags, "auto-renew", c.autoRenew)
	if flags.Changed("wait") && flags.Changed("no-wait") && c.wait == c.noWait {
		return nil, cli.Usagef("--wait and --no-wait are both given: leave one of them out")
	}
	return &tmsv1.AcquireRequest{RequestId: c.requestID, Name: c.name, Spec: spec, NoWait: c.noWait || !c.wait}, nil
}

// given returns the value of a flag, and nil where it was not given.
func given[T any](flags *pflag.FlagSet, name string, value T) *T {
	if !flags.Changed(name) {
		return nil
	}
	return &value
}

func (c *createOptions) autoscaling(flags *pflag.FlagSet) (*tmsv1.Autoscaling, error) {
	if !c.autoscale {
		for _, name := range []string{"autoscaling-min-replicas", "autoscaling-max-replicas", "autoscaling-metric"} {
			if flags.Changed(name) {
				return nil, cli.Usagef("--%s has no meaning without --enable-autoscaling", name)
			}
		}
		return nil, nil
	}
	asked := &tmsv1.Autoscaling{
		MinReplicas: given(flags, "autoscaling-min-replicas", c.minimum),
		MaxReplicas: given(flags, "autoscaling-max-replicas", c.maximum),
	}
	named := map[tmsv1.Metric]bool{}
	for _, text := range c.metrics {
		metric, err := parseMetric(text)
		if err != nil {
			return nil, err
		}
		if named[metric.Metric] {
			return nil, cli.Usagef("--autoscaling-metric %s: is named twice", metricName(metric.Metric))
		}
		named[metric.Metric] = true
		asked.Metrics = append(asked.Metrics, metric)
	}
	return asked, nil
}

// parseModel reads name=<name>,uri=<uri>. A URI may have commas and equals signs in it.
func parseModel(text string) (*tmsv1.Model, error) {
	name, uri, ok := strings.Cut(text, ",uri=")
	name, named := strings.CutPrefix(name, "name=")
	if !ok || !named || name == "" || uri == "" || strings.Contains(name, ",") {
		return nil, cli.Usagef("--model %s: must be name=<name>,uri=<uri>, in this order", text)
	}
	return &tmsv1.Model{Name: name, Uri: uri}, nil
}

// parseMetric reads a metric, and what its threshold should be.
func parseMetric(text string) (*tmsv1.MetricRequest, error) {
	name, number, hasThreshold := strings.Cut(text, "=")
	metric, ok := metricsByName[name]
	if !ok {
		if best := schema.Nearest(name, metricNames()); best != "" {
			return nil, cli.Usagef("--autoscaling-metric %s: unknown metric, did you mean %q?", text, best)
		}
		return nil, cli.Usagef("--autoscaling-metric %s: unknown metric: must be one of %v", text, metricNames())
	}
	enabled := true
	asked := &tmsv1.MetricRequest{Metric: metric, Enabled: &enabled}
	if hasThreshold {
		threshold, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, cli.Usagef("--autoscaling-metric %s: the threshold must be a whole number of %s", text, unit(metric))
		}
		asked.Threshold = &threshold
	}
	return asked, nil
}

func unit(metric tmsv1.Metric) string {
	if metric == tmsv1.Metric_METRIC_QUEUE_TIME {
		return "microseconds"
	}
	return "percent"
}

// metricsByName are the metrics as TMS spelled them in its values.
var metricsByName = map[string]tmsv1.Metric{
	"cpuUtilization": tmsv1.Metric_METRIC_CPU_UTILIZATION,
	"gpuUtilization": tmsv1.Metric_METRIC_GPU_UTILIZATION,
	"queueTime":      tmsv1.Metric_METRIC_QUEUE_TIME,
}

func metricNames() []string { return []string{"cpuUtilization", "gpuUtilization", "queueTime"} }

func metricName(metric tmsv1.Metric) string {
	for name, known := range metricsByName {
		if known == metric {
			return name
		}
	}
	return fmt.Sprint(metric)
}
