package policy

import (
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Option is an option of Triton that a user must not set, because the chart sets it or
// relies on its default.
type Option struct {
	Name string `json:"name"`
	// Shortest is the shortest abbreviation of Name that is not ambiguous among the options
	// of Triton, which reads its arguments with getopt_long.
	Shortest string `json:"shortest"`
	// OnlyFalse means that any value but false is allowed.
	OnlyFalse bool `json:"onlyFalse,omitempty"`
	// Reason is what contradicts the option, and Instead is what to do.
	Reason  string `json:"reason"`
	Instead string `json:"instead"`
}

// options is the only list of these options. TestGoldenPolicy writes it to the chart.
var options = []Option{
	{
		Name: "model-control-mode", Shortest: "model-c",
		Reason:  "the chart sets it to explicit, so that Triton loads the models of the lease and no others",
		Instead: "remove it, and list the models of the lease in models",
	},
	{
		Name: "load-model", Shortest: "loa",
		Reason:  "the chart sets it for each model of the lease",
		Instead: "remove it, and list the model in models",
	},
	{
		Name: "model-repository", Shortest: "model-r",
		Reason:  "the chart sets it to the repositories of the lease's models",
		Instead: "remove it, and set the uri of the models",
	},
	{
		Name: "model-store", Shortest: "model-s",
		Reason:  "it is the same as --model-repository, which the chart sets to the repositories of the lease's models",
		Instead: "remove it, and set the uri of the models",
	},
	{
		Name: "http-port", Shortest: "http-p",
		Reason:  "the probes and the Service use port 8000",
		Instead: "remove it",
	},
	{
		Name: "grpc-port", Shortest: "grpc-p",
		Reason:  "the Service uses port 8001",
		Instead: "remove it",
	},
	{
		Name: "metrics-port", Shortest: "metrics-p",
		Reason:  "the PodMonitor reads port 8002",
		Instead: "remove it",
	},
	{
		Name: "http-address", Shortest: "http-a",
		Reason:  "the probes and the Service reach Triton at the address of the pod",
		Instead: "remove it",
	},
	{
		Name: "grpc-address", Shortest: "grpc-a",
		Reason:  "the Service reaches Triton at the address of the pod",
		Instead: "remove it",
	},
	{
		Name: "metrics-address", Shortest: "metrics-a",
		Reason:  "Prometheus reaches Triton at the address of the pod",
		Instead: "remove it",
	},
	{
		Name: "allow-grpc", Shortest: "allow-gr", OnlyFalse: true,
		Reason:  "the Service has a port for gRPC",
		Instead: "remove it",
	},
	{
		Name: "exit-timeout-secs", Shortest: "exit-t",
		Reason:  "it follows from terminationGracePeriodSeconds",
		Instead: "remove it, and set triton.terminationGracePeriodSeconds",
	},
	{
		Name: "allow-http", Shortest: "allow-h", OnlyFalse: true,
		Reason:  "the probes use HTTP",
		Instead: "remove it",
	},
	{
		Name: "allow-metrics", Shortest: "allow-m", OnlyFalse: true,
		Reason:  "the PodMonitor reads the metrics of Triton",
		Instead: "remove it",
	},
}

// Options that conflict with a metric. They are allowed otherwise.
var (
	allowGPUMetrics = Option{Name: "allow-gpu-metrics", Shortest: "allow-gp", OnlyFalse: true}
	metricsConfig   = Option{Name: "metrics-config", Shortest: "metrics-c"}
)

// Options returns the options that a user must not set.
func Options() []Option { return slices.Clone(options) }

// Arguments is a list of arguments of Triton in the values.
type Arguments struct {
	// Path is that of the list, such as leases.resnet50.triton.args.
	Path  *field.Path
	Items []string
	// Command means that an item may be a script with several arguments, as in sh -c.
	Command bool
}

// argument is an argument that begins with two hyphens.
type argument struct {
	path *field.Path
	// name has no hyphens. value follows it, after = or as the next argument.
	name, value string
}

// word matches the words of a script without quotes.
var word = regexp.MustCompile(`[^\s;&|]+`)

var quotes = strings.NewReplacer(`"`, "", "'", "")

// parse returns the arguments that begin with two hyphens. It takes each one for an
// option, even if Triton would take it for the value of the option before.
func (a Arguments) parse() []argument {
	type at struct {
		index int
		text  string
	}
	var words []at
	for i, item := range a.Items {
		if !a.Command {
			words = append(words, at{i, item})
			continue
		}
		for _, text := range word.FindAllString(quotes.Replace(item), -1) {
			words = append(words, at{i, text})
		}
	}
	var all []argument
	for i, w := range words {
		text, isOption := strings.CutPrefix(w.text, "--")
		if !isOption || text == "" {
			continue
		}
		name, value, hasValue := strings.Cut(text, "=")
		if !hasValue && i+1 < len(words) {
			value = words[i+1].text
		}
		all = append(all, argument{a.Path.Index(w.index), name, value})
	}
	return all
}

// is reports whether the argument sets the option.
func (a argument) is(o Option) bool {
	return strings.HasPrefix(o.Name, a.name) && strings.HasPrefix(a.name, o.Shortest) &&
		(!o.OnlyFalse || isFalse(a.value))
}

// String returns the name of the argument as it is written.
func (a argument) String() string { return "--" + a.name }

// spelled returns the option, and how the argument abbreviates it.
func (a argument) spelled(o Option) string {
	if a.name == o.Name {
		return a.String()
	}
	return a.String() + " (--" + o.Name + ")"
}

// turnsOff reports whether the argument turns off a setting of --metrics-config.
func (a argument) turnsOff(setting string) bool {
	name, value, _ := strings.Cut(a.value, "=")
	return a.is(metricsConfig) && name == setting && isFalse(value)
}

// isFalse reports whether Triton reads the value as false.
func isFalse(value string) bool {
	value = strings.ToLower(value)
	return value == "false" || value == "off" || value == "0"
}

// CheckArguments refuses arguments that contradict what the chart sets.
func CheckArguments(lists ...Arguments) Refusal {
	var reasons Refusal
	for _, list := range lists {
		for _, a := range list.parse() {
			for _, o := range options {
				if a.is(o) {
					reasons = append(reasons, field.Forbidden(a.path, a.spelled(o)+" contradicts the chart: "+o.Reason+"; "+o.Instead))
				}
			}
		}
	}
	return reasons
}
