package triton

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		version   version
		arguments string
		check     func(options) bool
	}{
		{newest, "--model-control-mode=explicit --load-model=a --load-model b", func(o options) bool { return o.explicit && slices.Equal(o.models, []string{"a", "b"}) }},
		{newest, "--model-control-mode explicit --load-model=*", func(o options) bool { return o.explicit && slices.Equal(o.models, []string{"*"}) }},
		{newest, "--model-repository=s3://models --model-store /models", func(o options) bool {
			return !o.explicit && slices.Equal(o.repositories, []string{"s3://models", "/models"})
		}},
		{newest, "--model-control-mode=explicit", func(o options) bool { return o.explicit && len(o.models) == 0 }},
		{newest, "", func(o options) bool { return o.exitOnError }},
		{newest, "--exit-on-error=false", func(o options) bool { return !o.exitOnError }},
		{newest, "", func(o options) bool { return o.exitTimeout == 30*time.Second && o.counters && !o.histograms }},
		{newest, "--exit-timeout-secs 7", func(o options) bool { return o.exitTimeout == 7*time.Second }},
		{newest, "--exit-t=7", func(o options) bool { return o.exitTimeout == 7*time.Second }},
		{newest, "--http-port=80", func(o options) bool { return o.http == "80" && o.grpc == "8001" }},
		{"24.01", "--grpc-max-connection-age=30000 --grpc-max-connection-age-grace 5", func(o options) bool {
			return o.connectionAge == 30*time.Second && o.connectionAgeGrace == 5*time.Millisecond
		}},
		{newest, "--metrics-config=histogram_latencies=true --metrics-config counter_latencies=false", func(o options) bool { return o.histograms && !o.counters }},
	} {
		if o, err := parse(strings.Fields(c.arguments), c.version); err != nil || !c.check(o) {
			t.Errorf("%s: %+v, %v", c.arguments, o, err)
		}
	}
	for _, c := range []struct {
		version         version
		arguments, want string
	}{
		{newest, "--grpc-max-connections=1", "unrecognized option '--grpc-max-connections'"},
		{"23.10", "--grpc-max-connection-age=1", "unrecognized option '--grpc-max-connection-age'"},
		{newest, "--allow=true", "is ambiguous"},
		{newest, "--http-port", "option '--http-port' requires an argument"},
		{newest, "serve", "unexpected argument: serve"},
		{newest, "--load-model=a", "requires setting '--model-control-mode=explicit'"},
		{newest, "--model-control-mode=explicit --load-model=* --load-model=a", "must be the ONLY startup model"},
		{newest, "--exit-timeout-secs=soon", "invalid option value"},
		{newest, "--metrics-config=true", "<setting>=<value>"},
	} {
		if _, err := parse(strings.Fields(c.arguments), c.version); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.arguments, err, c.want)
		}
	}
}

func TestVersionOf(t *testing.T) {
	for image, want := range map[string]version{
		"nvcr.io/nvidia/tritonserver:24.01-py3":                "24.01",
		"nvcr.io:443/nvidia/tritonserver:25.02-trtllm":         "25.02",
		"nvcr.io/nvidia/tritonserver:23.10-py3@sha256:01":      "23.10",
		"registry.example.com:5000/tritonserver":               newest,
		"registry.example.com:5000/tritonserver:mine":          newest,
		"registry.example.com/tritonserver@sha256:0123456789a": newest,
	} {
		if got := versionOf(image); got != want {
			t.Errorf("%s: %s, want %s", image, got, want)
		}
	}
}
