package main

import (
	"fmt"
	"strings"

	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/internal/inputfiles"
	"github.com/triton-leases/tms/whatif/internal/lease"
)

// setting is a key of --compare with one of its values.
type setting struct{ key, value string }

// alternative is a set of values to simulate.
type alternative []setting

// asGiven is the name of the alternative that changes nothing.
const asGiven = "as given"

func (a alternative) String() string {
	if len(a) == 0 {
		return asGiven
	}
	parts := make([]string, len(a))
	for i, s := range a {
		parts[i] = s.key + "=" + s.value
	}
	return strings.Join(parts, " ")
}

// mostAlternatives bounds the combinations, which a reader can compare.
const mostAlternatives = 100

// alternatives returns the values as given, and all combinations of the values of --compare.
func alternatives(compare []string) ([]alternative, error) {
	combinations := []alternative{nil}
	seen := map[string]bool{}
	for _, argument := range compare {
		key, list, ok := strings.Cut(argument, "=")
		if !ok || key == "" || list == "" {
			return nil, cli.Usagef("--compare %s: must be a key and its values, such as threshold=50000,100000", argument)
		}
		if seen[key] {
			return nil, cli.Usagef("--compare %s: the key %s is given twice: give all of its values in one --compare", argument, key)
		}
		seen[key] = true
		var longer []alternative
		for _, a := range combinations {
			for value := range strings.SplitSeq(list, ",") {
				longer = append(longer, append(a[:len(a):len(a)], setting{key, value}))
			}
		}
		if combinations = longer; len(combinations) > mostAlternatives {
			return nil, cli.Usagef("--compare: has more than %d combinations: remove values", mostAlternatives)
		}
	}
	if len(compare) == 0 {
		return combinations, nil
	}
	return append([]alternative{nil}, combinations...), nil
}

// apply sets the values of an alternative in an input. given is the lease as given.
func (a alternative) apply(in *inputfiles.Input, given *lease.Lease, namespace string) error {
	for _, s := range a {
		path, err := pathOf(s.key, given)
		if err != nil {
			return err
		}
		argument, inLease := path+"="+s.value, in.HasManifests && strings.HasPrefix(path, "spec.")
		if !inLease {
			if err := in.Set("", argument); err != nil { // the error of the alternative names its source
				return err
			}
			continue
		}
		for _, manifest := range in.Manifests {
			if manifest.LeaseName(namespace) == given.Name {
				if err := manifest.Set(argument); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// pathOf returns the path of a key of --compare in the values, or in a TritonLease.
func pathOf(key string, given *lease.Lease) (string, error) {
	const metrics = ".autoscaling.metrics."
	switch {
	case key == "minimum" || key == "maximum":
		return given.Path + ".autoscaling.replicas." + key, nil
	case key == "threshold" && len(given.Metrics) == 1:
		return given.Path + metrics + string(given.Metrics[0].Metric) + ".threshold", nil
	case key == "threshold":
		return "", cli.Usagef("--compare threshold: %s scales by %d metrics: give the path, such as %s%s%s.threshold",
			given.Name, len(given.Metrics), given.Path, metrics, given.Metrics[0].Metric)
	case !strings.Contains(key, "."):
		return "", cli.Usagef("--compare %s: must be threshold, minimum, maximum, or the path of a value, such as server.autoscaling.behavior.scaleDown.stabilizationWindowSeconds", key)
	}
	return key, nil
}

// refused returns the error of an alternative.
func (a alternative) refused(err error) error {
	if err == nil || len(a) == 0 {
		return err
	}
	return prefixed(fmt.Sprintf("--compare %s", a), err)
}
