package main

import (
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/internal/cli"
)

// parse returns the request of lease create with one model and more flags.
func parse(t *testing.T, flags ...string) (*tmsv1.AcquireRequest, error) {
	var c createOptions
	command := new(cobra.Command)
	c.addFlags(command)
	require.NoError(t, command.ParseFlags(append([]string{"--model", "name=m,uri=/models"}, flags...)))
	return c.request(command.Flags())
}

// request returns the request with that model, changed by change.
func request(change func(*tmsv1.AcquireRequest)) *tmsv1.AcquireRequest {
	r := &tmsv1.AcquireRequest{Spec: &tmsv1.LeaseSpec{Models: []*tmsv1.Model{{Name: "m", Uri: "/models"}}}}
	change(r)
	return r
}

func spec(change func(*tmsv1.LeaseSpec)) *tmsv1.AcquireRequest {
	return request(func(r *tmsv1.AcquireRequest) { change(r.Spec) })
}

func scaled(autoscaling *tmsv1.Autoscaling) *tmsv1.AcquireRequest {
	return spec(func(s *tmsv1.LeaseSpec) { s.Autoscaling = autoscaling })
}

// TestRequest checks the request of each flag. A flag that is not set differs from one with
// its zero value.
func TestRequest(t *testing.T) {
	t.Parallel()
	scale := "--enable-autoscaling"
	for name, test := range map[string]struct {
		flags []string
		want  *tmsv1.AcquireRequest
	}{
		"no flags": {nil, request(func(*tmsv1.AcquireRequest) {})},
		"the order of models": {
			[]string{"-m", "name=b,uri=s3://b", "--model", "name=a,uri=s3://a,uri=x,name=y?z=1"},
			spec(func(s *tmsv1.LeaseSpec) {
				s.Models = append(s.Models, &tmsv1.Model{Name: "b", Uri: "s3://b"}, &tmsv1.Model{Name: "a", Uri: "s3://a,uri=x,name=y?z=1"})
			}),
		},
		"image":           {[]string{"--triton-image", "t:1"}, spec(func(s *tmsv1.LeaseSpec) { s.TritonImage = "t:1" })},
		"gpus":            {[]string{"--gpus", "2"}, spec(func(s *tmsv1.LeaseSpec) { s.Resources = &tmsv1.Resources{Gpus: new(int64(2))} })},
		"no gpus":         {[]string{"--gpus", "0"}, spec(func(s *tmsv1.LeaseSpec) { s.Resources = &tmsv1.Resources{Gpus: new(int64(0))} })},
		"cpus and memory": {[]string{"--cpus", "500m", "--memory", "1Gi"}, spec(func(s *tmsv1.LeaseSpec) { s.Resources = &tmsv1.Resources{Cpus: "500m", Memory: "1Gi"} })},
		"duration":        {[]string{"--duration", "1h30m"}, spec(func(s *tmsv1.LeaseSpec) { s.Duration = durationpb.New(90 * time.Minute) })},
		"unlimited":       {[]string{"--duration", "0s"}, spec(func(s *tmsv1.LeaseSpec) { s.Duration = durationpb.New(0) })},
		"renewed":         {[]string{"--auto-renew"}, spec(func(s *tmsv1.LeaseSpec) { s.AutoRenew = new(true) })},
		"not renewed":     {[]string{"--auto-renew=false"}, spec(func(s *tmsv1.LeaseSpec) { s.AutoRenew = new(false) })},
		"name and request id": {
			[]string{"--name", "n", "--request-id", "r"},
			request(func(r *tmsv1.AcquireRequest) { r.Name, r.RequestId = "n", "r" }),
		},
		"waiting":         {[]string{"--wait"}, request(func(*tmsv1.AcquireRequest) {})},
		"not waiting":     {[]string{"--no-wait"}, request(func(r *tmsv1.AcquireRequest) { r.NoWait = true })},
		"wait, no":        {[]string{"--wait=false"}, request(func(r *tmsv1.AcquireRequest) { r.NoWait = true })},
		"no-wait, no":     {[]string{"--no-wait=false"}, request(func(*tmsv1.AcquireRequest) {})},
		"wait is no-wait": {[]string{"--no-wait", "--wait=false"}, request(func(r *tmsv1.AcquireRequest) { r.NoWait = true })},
		"scaled":          {[]string{scale}, scaled(&tmsv1.Autoscaling{})},
		"not scaled":      {[]string{scale + "=false"}, request(func(*tmsv1.AcquireRequest) {})},
		"replicas": {
			[]string{scale, "--autoscaling-min-replicas", "0", "--autoscaling-max-replicas", "4"},
			scaled(&tmsv1.Autoscaling{MinReplicas: new(int64(0)), MaxReplicas: new(int64(4))}),
		},
		"metrics": {
			[]string{scale, "--autoscaling-metric", "queueTime=200000", "--autoscaling-metric", "cpuUtilization", "--autoscaling-metric", "gpuUtilization=0"},
			scaled(&tmsv1.Autoscaling{Metrics: []*tmsv1.MetricRequest{
				{Metric: "queueTime", Enabled: new(true), Threshold: new(int64(200000))},
				{Metric: "cpuUtilization", Enabled: new(true)},
				{Metric: "gpuUtilization", Enabled: new(true), Threshold: new(int64(0))},
			}}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parse(t, test.flags...)
			require.NoError(t, err)
			require.True(t, proto.Equal(test.want, got), "%v\n%v", test.want, got)
		})
	}
}

func TestRequestRefused(t *testing.T) {
	t.Parallel()
	scale := "--enable-autoscaling"
	for want, flags := range map[string][]string{
		"must be name=<name>,uri=<uri>":                            {"-m", "name=a"},
		"--model name=,uri=/m: must":                               {"-m", "name=,uri=/m"},
		"--model name=a,uri=: must":                                {"-m", "name=a,uri="},
		"--model uri=/m,name=a: must":                              {"-m", "uri=/m,name=a"},
		"--model name=a,version=1,uri=/m: must":                    {"-m", "name=a,version=1,uri=/m"},
		"--autoscaling-min-replicas needs --enable-autoscaling":    {"--autoscaling-min-replicas", "1"},
		"--autoscaling-max-replicas needs --enable-autoscaling":    {"--autoscaling-max-replicas", "1", scale + "=false"},
		"--autoscaling-metric needs --enable-autoscaling":          {"--autoscaling-metric", "queueTime"},
		"must not be repeated for one metric":                      {scale, "--autoscaling-metric", "queueTime", "--autoscaling-metric", "queueTime=1"},
		"must be one of cpuUtilization, gpuUtilization, queueTime": {scale, "--autoscaling-metric", "the latency"},
		"must be a whole number of percent":                        {scale, "--autoscaling-metric", "cpuUtilization=80%"},
		"must be a whole number of microseconds":                   {scale, "--autoscaling-metric", "queueTime="},
		"--duration 1.5s: must be whole seconds":                   {"--duration", "1500ms"},
		"--duration -1s: must be whole seconds":                    {"--duration", "-1s"},
		"--wait and --no-wait cannot be used together":             {"--wait", "--no-wait"},
	} {
		_, err := parse(t, flags...)
		require.ErrorContains(t, err, want)
		var usage cli.UsageError
		require.ErrorAs(t, err, &usage)
	}
	var c createOptions
	command := new(cobra.Command)
	c.addFlags(command)
	_, err := c.request(command.Flags())
	require.ErrorContains(t, err, "at least one --model")
}
