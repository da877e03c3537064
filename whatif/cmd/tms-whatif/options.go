package main

import (
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/internal/inputfiles"
	"github.com/triton-leases/tms/whatif/internal/simulation"
)

// options are the flags of the command.
type options struct {
	inputfiles.Flags
	load   load
	model  model
	prices prices

	compare []string
	cluster simulation.Cluster
	seed    uint64
	output  string
	svg     string
}

// model are the flags that describe a replica.
type model struct {
	serviceTime   time.Duration
	spread        float64
	instances     int
	firstResponse time.Duration
	engine        bool
	startup       time.Duration
	gpus          int64
}

// prices are the flags of the cost.
type prices struct{ gpuHour, replicaHour float64 }

// unknownGPUs is the value of --gpus if it is not given.
const unknownGPUs = -1

func (o *options) addFlags(command *cobra.Command) {
	flags := command.Flags()
	flags.SortFlags = false
	o.AddFlags(command)
	o.load.addFlags(command)

	flags.DurationVar(&o.model.serviceTime, "service-time", 0, "`duration` for which a request occupies an instance of the model (required)")
	flags.Float64Var(&o.model.spread, "service-spread", 0, "standard deviation of the logarithm of the service time. --service-time is then the median")
	flags.IntVar(&o.model.instances, "instances", 1, "`number` of requests that a replica serves at the same time: the instances of the model, or the batch of an engine")
	flags.DurationVar(&o.model.firstResponse, "first-response", 0, "`duration` from the start of a request to its first response, if it is not the only one")
	flags.BoolVar(&o.model.engine, "engine", false, "requests wait in an engine behind Triton's Python backend, such as vLLM: Triton measures no queue")
	flags.DurationVar(&o.model.startup, "startup", time.Minute, "`duration` from the creation of a replica until it is ready")
	flags.Int64Var(&o.model.gpus, "gpus", unknownGPUs, "`number` of GPUs of a replica (default that of the lease)")

	flags.StringArrayVar(&o.compare, "compare", nil, "`key=values` to compare: threshold=50000,100000, minimum, maximum, or the path of a value (can specify multiple, for all combinations)")
	flags.Float64Var(&o.prices.gpuHour, "gpu-hour-price", 0, "`price` of a GPU for an hour")
	flags.Float64Var(&o.prices.replicaHour, "replica-hour-price", 0, "`price` of a replica for an hour, without its GPUs")

	o.cluster = simulation.DefaultCluster()
	flags.DurationVar(&o.cluster.SyncPeriod, "hpa-sync-period", o.cluster.SyncPeriod, "--horizontal-pod-autoscaler-sync-period of kube-controller-manager")
	flags.Float64Var(&o.cluster.Tolerance, "hpa-tolerance", o.cluster.Tolerance, "--horizontal-pod-autoscaler-tolerance of kube-controller-manager")
	flags.DurationVar(&o.cluster.RelistInterval, "adapter-relist-interval", o.cluster.RelistInterval, "--metrics-relist-interval of prometheus-adapter")

	flags.Uint64Var(&o.seed, "seed", 1, "`number` that determines the arrivals, and the offsets of scrapes in their interval")
	flags.StringVarP(&o.output, "output", "o", "table", "output `format`: table, json or csv")
	flags.StringVar(&o.svg, "svg", "", "also draw the load, the replicas and the waiting into this `file`")
	_ = command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "csv"}, cobra.ShellCompDirectiveNoFileComp))
	_ = command.RegisterFlagCompletionFunc("compare", cobra.FixedCompletions([]string{"threshold=", "minimum=", "maximum="}, cobra.ShellCompDirectiveNoSpace|cobra.ShellCompDirectiveNoFileComp))
	_ = command.MarkFlagFilename("svg", "svg")
}

// check returns a usage error with all faults of the flags.
func (o *options) check() error {
	if err := o.Required(); err != nil {
		return err
	}
	faults := []error{cli.OneOf("output", o.output, "table", "json", "csv"), o.load.check()}
	require := func(ok bool, message string) {
		if !ok {
			faults = append(faults, errors.New(message))
		}
	}
	require(len(o.Leases) < 2, "--lease: must name one lease")
	require(!o.load.fromInput() || !slices.Contains(o.Files, "-"), "-f - and --traffic -: standard input can be read once: write one of them to a file")
	require(o.model.serviceTime > 0, "--service-time must be set, to more than 0s")
	require(o.model.spread >= 0, "--service-spread must not be negative")
	require(o.model.instances > 0, "--instances must be at least 1")
	require(o.model.firstResponse >= 0, "--first-response must not be negative")
	require(o.model.spread > 0 || o.model.firstResponse <= o.model.serviceTime, "--first-response must not exceed --service-time")
	require(o.model.startup >= 0, "--startup must not be negative")
	require(o.model.gpus >= unknownGPUs, "--gpus must not be negative")
	require(o.prices.gpuHour >= 0 && o.prices.replicaHour >= 0, "--gpu-hour-price and --replica-hour-price must not be negative")
	require(o.cluster.SyncPeriod >= time.Second && o.cluster.RelistInterval >= time.Second, "--hpa-sync-period and --adapter-relist-interval must be at least 1s")
	require(o.cluster.Tolerance >= 0, "--hpa-tolerance must not be negative")
	if err := errors.Join(faults...); err != nil {
		return cli.UsageError{Reason: err}
	}
	return nil
}

// simulated returns the model of a replica.
func (m model) simulated(threshold, drain float64) simulation.Model {
	return simulation.Model{
		Instances: m.instances, Service: m.serviceTime.Seconds(), Spread: m.spread, Longest: longestService * m.serviceTime.Seconds(),
		First: m.firstResponse.Seconds(), Engine: m.engine, Threshold: threshold, Drain: drain,
	}
}

// longestService bounds service times that have a spread, in medians.
const longestService = 100
