package triton

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// options are the arguments of a Triton that the simulation uses.
type options struct {
	repositories []string
	// models are those of --load-model. Triton loads all models of the repositories if
	// explicit is not set, or if the only model is "*".
	models   []string
	explicit bool
	// exitOnError ends Triton if it cannot load a model.
	exitOnError bool
	http, grpc  string // ports
	metrics     string // port
	// exitTimeout is the time that a terminating Triton has for its requests.
	exitTimeout time.Duration
	// connectionAge is the time after which the gRPC server asks clients to connect
	// again, connectionAgeGrace the time that it then waits for their requests. 0: no
	// limit.
	connectionAge, connectionAgeGrace time.Duration
	// counters and histograms report whether Triton exports the latency counters and
	// the histogram of the time to the first response.
	counters, histograms bool
	version              version
}

// known has the options of Triton, with the first version that knows them. "": all
// versions know the option.
var known = func() map[string]version {
	options := map[string]version{"grpc-max-connection-age": "24.01", "grpc-max-connection-age-grace": "24.01"}
	for _, name := range strings.Fields(`allow-cpu-metrics allow-gpu-metrics allow-grpc allow-http allow-metrics allow-sagemaker
		allow-vertex-ai backend-config backend-directory buffer-manager-thread-count cache-config cache-directory
		cuda-memory-pool-byte-size cuda-virtual-address-size disable-auto-complete-config exit-on-error exit-timeout-secs grpc-address
		grpc-header-forward-pattern grpc-http2-max-ping-strikes grpc-http2-max-pings-without-data
		grpc-http2-min-recv-ping-interval-without-data grpc-infer-allocation-pool-size grpc-infer-response-compression-level
		grpc-infer-thread-count 		grpc-keepalive-permit-without-calls grpc-keepalive-time grpc-keepalive-timeout grpc-port grpc-restricted-protocol
		grpc-root-cert grpc-server-cert grpc-server-key grpc-use-ssl grpc-use-ssl-mutual help host-policy http-address
		http-header-forward-pattern http-max-input-size http-port http-restricted-api http-thread-count id load-model log-error log-file
		log-format log-info log-verbose log-warning metrics-address metrics-config metrics-interval-ms metrics-port
		min-supported-compute-capability model-control-mode model-load-gpu-limit model-load-retry-count model-load-thread-count
		model-namespacing model-repository model-store pinned-memory-pool-byte-size rate-limit rate-limit-resource
		repoagent-directory repository-poll-secs response-cache-byte-size reuse-grpc-port reuse-http-port
		sagemaker-port sagemaker-safe-port-range sagemaker-thread-count strict-model-config strict-readiness
		trace-config trace-count trace-file trace-level trace-log-frequency trace-rate vertex-ai-default-model
		vertex-ai-port vertex-ai-thread-count`) {
		options[name] = ""
	}
	return options
}()

// flags are the options without a value.
var flags = []string{"help", "disable-auto-complete-config"}

// version is a release of Triton, such as 24.01. The empty version is older than all
// others.
type version string

// newest is the version of an image whose tag is not a release.
const newest version = "99.12"

var release = regexp.MustCompile(`^\d\d\.\d\d`)

// versionOf returns the version of an image, from its tag.
func versionOf(image string) version {
	image, _, _ = strings.Cut(image, "@")
	_, tag, _ := strings.Cut(path.Base(image), ":")
	if v := release.FindString(tag); v != "" {
		return version(v)
	}
	return newest
}

// parse parses the arguments of tritonserver as getopt_long and Triton do: --x=y, --x y,
// and every unique prefix of an option.
func parse(arguments []string, v version) (options, error) {
	o := options{http: "8000", grpc: "8001", metrics: "8002", exitOnError: true, exitTimeout: 30 * time.Second, counters: true, version: v}
	for len(arguments) > 0 {
		argument := arguments[0]
		arguments = arguments[1:]
		name, value, hasValue := strings.Cut(argument, "=")
		if !strings.HasPrefix(argument, "--") || name == "--" {
			return o, fmt.Errorf("unexpected argument: %s", argument)
		}
		name, err := option(name[2:], v)
		if err != nil {
			return o, err
		}
		if !hasValue && !slices.Contains(flags, name) {
			if len(arguments) == 0 {
				return o, fmt.Errorf("option '--%s' requires an argument", name)
			}
			value, arguments = arguments[0], arguments[1:]
		}
		if err := o.set(name, value); err != nil {
			return o, fmt.Errorf("option '--%s': %w", name, err)
		}
	}
	switch {
	case !o.explicit && len(o.models) > 0:
		return o, fmt.Errorf("use of '--load-model' requires setting '--model-control-mode=explicit' as well")
	case slices.Contains(o.models, "*") && len(o.models) > 1:
		return o, fmt.Errorf("wildcard model name '*' must be the ONLY startup model if specified at all")
	}
	return o, nil
}

// option returns the full name of an option.
func option(name string, v version) (string, error) {
	var found []string
	for full, since := range known {
		if since > v {
			continue
		}
		if full == name {
			return name, nil
		}
		if strings.HasPrefix(full, name) {
			found = append(found, full)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("unrecognized option '--%s'", name)
	case 1:
		return found[0], nil
	}
	slices.Sort(found)
	return "", fmt.Errorf("option '--%s' is ambiguous; possibilities: %s", name, strings.Join(found, " "))
}

func (o *options) set(name, value string) error {
	switch name {
	case "model-repository", "model-store":
		o.repositories = append(o.repositories, value)
	case "model-control-mode":
		o.explicit = value == "explicit"
	case "load-model":
		o.models = append(o.models, value)
	case "exit-on-error":
		o.exitOnError = slices.Contains([]string{"true", "on", "1"}, strings.ToLower(value))
	case "http-port":
		o.http = value
	case "grpc-port":
		o.grpc = value
	case "metrics-port":
		o.metrics = value
	case "exit-timeout-secs":
		return duration(&o.exitTimeout, value, time.Second)
	case "grpc-max-connection-age":
		return duration(&o.connectionAge, value, time.Millisecond)
	case "grpc-max-connection-age-grace":
		return duration(&o.connectionAgeGrace, value, time.Millisecond)
	case "metrics-config":
		setting, value, ok := strings.Cut(value, "=")
		if !ok {
			return fmt.Errorf("must have the format <setting>=<value>")
		}
		switch setting {
		case "counter_latencies":
			o.counters = strings.EqualFold(value, "true")
		case "histogram_latencies":
			o.histograms = strings.EqualFold(value, "true")
		}
	}
	return nil
}

func duration(d *time.Duration, value string, unit time.Duration) error {
	n, err := strconv.Atoi(value)
	if err != nil {
		return fmt.Errorf("invalid option value: got %s", value)
	}
	*d = max(0, time.Duration(n)*unit)
	return nil
}
