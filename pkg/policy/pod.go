package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// CheckTriton refuses a Triton that cannot run, or that would lose requests: names that
// occur twice, mounts of volumes that do not exist, and a grace period that leaves Triton
// no time. The chart's own policy has the same checks. Package objectrules has the other
// rules of Kubernetes.
//
// own is what the lease asks for, and defaults is the top-level triton. The path of a
// reason is that of the one that decides. mounts are those of the chart for the models.
func CheckTriton(lease *field.Path, own, defaults v1alpha1.Triton, mounts []Mount) field.ErrorList {
	c := tritonCheck{lease: lease}
	c.names("env", pick(own.Env, defaults.Env, func(e v1alpha1.Env) string { return e.Name }))
	c.names("initContainers", pick(own.InitContainers, defaults.InitContainers, textOf("name")))
	volumes := pick(own.Volumes, defaults.Volumes, textOf("name"))
	c.names("volumes", volumes)
	volumes.texts = slices.Concat(volumes.texts, volumesOf(defaults.PodTemplate), volumesOf(own.PodTemplate))
	c.mounts(pick(own.VolumeMounts, defaults.VolumeMounts, textOf("mountPath")),
		pick(own.VolumeMounts, defaults.VolumeMounts, textOf("name")), volumes.texts, mounts)
	c.grace(own, defaults)
	c.podTemplate(field.NewPath("triton", "podTemplate"), defaults.PodTemplate)
	c.podTemplate(lease.Child("triton", "podTemplate"), own.PodTemplate)
	return c.reasons
}

// tritonCheck collects the reasons against one lease.
type tritonCheck struct {
	lease   *field.Path
	reasons field.ErrorList
}

// choiceOfLists is one list of Triton, that of the lease or the default.
type choiceOfLists struct {
	own   bool
	texts []string
}

// pick returns one text of each item of a list. A lease's own list replaces the default.
func pick[T any](own, defaults []T, text func(T) string) choiceOfLists {
	items := defaults
	if own != nil {
		items = own
	}
	c := choiceOfLists{own: own != nil, texts: make([]string, len(items))}
	for i, item := range items {
		c.texts[i] = text(item)
	}
	return c
}

// textOf returns a function that returns a text of an object; "" if it has none.
func textOf(key string) func(v1alpha1.RawJSON) string {
	return func(raw v1alpha1.RawJSON) string {
		var object map[string]any
		_ = json.Unmarshal(raw, &object) // the schema accepts objects only
		text, _ := object[key].(string)
		return text
	}
}

// at returns the path of a key of triton.
func (c *tritonCheck) at(own bool, key string) *field.Path {
	if own {
		return c.lease.Child("triton", key)
	}
	return field.NewPath("triton", key)
}

func (c *tritonCheck) names(key string, names choiceOfLists) {
	seen := map[string]bool{}
	for i, name := range names.texts {
		if seen[name] {
			c.reasons = append(c.reasons, field.Duplicate(c.at(names.own, key).Index(i).Child("name"), name))
		}
		seen[name] = true
	}
}

// sharedMemory is the path at which the chart mounts shared memory.
const sharedMemory = "/dev/shm"

func (c *tritonCheck) mounts(paths, names choiceOfLists, volumes []string, mounts []Mount) {
	taken, known := map[string]bool{}, map[string]bool{"shm": true}
	for _, mount := range mounts {
		taken[mount.Path] = true
		if !mount.Secret {
			known[mount.Volume] = true
		}
	}
	for _, volume := range volumes {
		known[volume] = true
	}
	for i, path := range paths.texts {
		at := c.at(paths.own, "volumeMounts").Index(i)
		if name := names.texts[i]; !known[name] {
			c.reasons = append(c.reasons, field.NotFound(at.Child("name"), name))
		}
		switch path = trimSlash(path); {
		case path == sharedMemory:
			c.reasons = append(c.reasons, field.Invalid(at.Child("mountPath"), path,
				"the chart mounts shared memory there; set its size with triton.sharedMemorySize, and remove this mount"))
		case taken[path]:
			c.reasons = append(c.reasons, field.Duplicate(at.Child("mountPath"), path))
		}
		taken[path] = true
	}
}

// trimSlash returns a path without a slash at its end.
func trimSlash(path string) string {
	if len(path) > 1 {
		return strings.TrimSuffix(path, "/")
	}
	return path
}

const (
	// kubernetesGrace is the grace period of a pod that names none, in seconds.
	kubernetesGrace = 30
	// exitReserve is the time between the exit of Triton and the end of the grace period,
	// in seconds, that the template tms.exitTimeout leaves.
	exitReserve = 5
)

func (c *tritonCheck) grace(own, defaults v1alpha1.Triton) {
	grace, isOwn := int64(kubernetesGrace), own.TerminationGracePeriodSeconds != nil || own.Lifecycle != nil
	if given := defaults.TerminationGracePeriodSeconds; given != nil {
		grace = *given
	}
	if given := own.TerminationGracePeriodSeconds; given != nil {
		grace = *given
	}
	lifecycle := defaults.Lifecycle
	if own.Lifecycle != nil {
		lifecycle = own.Lifecycle
	}
	var hooks struct {
		PreStop any `json:"preStop"`
	}
	_ = json.Unmarshal(lifecycle, &hooks) // the schema accepts objects only
	preStop, _ := hooks.PreStop.(map[string]any)
	action, _ := preStop["sleep"].(map[string]any)
	seconds, _ := action["seconds"].(float64)
	sleep := int64(min(seconds, 1e9))
	if least := sleep + exitReserve + 1; grace < least {
		c.reasons = append(c.reasons, field.Invalid(c.at(isOwn, "terminationGracePeriodSeconds"), grace, fmt.Sprintf(
			"must be at least %d: lifecycle.preStop.sleep.seconds (%d) and %d more, so that Triton can finish its requests",
			least, sleep, exitReserve+1)))
	}
}

// ownKeys are keys of the Triton container that a pod template must not have: the values
// have keys for them, which the chart and the policy read.
var ownKeys = []string{"image", "command", "args", "lifecycle", "resources"}

// podTemplate refuses keys that the values have, in a part of a pod template.
func (c *tritonCheck) podTemplate(path *field.Path, raw v1alpha1.RawJSON) {
	spec, path := specOf(raw), path.Child("spec")
	if _, has := spec["terminationGracePeriodSeconds"]; has {
		c.reasons = append(c.reasons, field.Forbidden(path.Child("terminationGracePeriodSeconds"), "set triton.terminationGracePeriodSeconds instead"))
	}
	containers, _ := spec["containers"].([]any)
	for i, item := range containers {
		container, _ := item.(map[string]any)
		if container["name"] != "triton" {
			continue
		}
		at := path.Child("containers").Index(i)
		for _, key := range ownKeys {
			if _, has := container[key]; has {
				instead := "triton." + key
				if key == "image" {
					instead = "image of the lease"
				}
				c.reasons = append(c.reasons, field.Forbidden(at.Child(key), "set "+instead+" instead"))
			}
		}
		if changesPorts(container) {
			c.reasons = append(c.reasons, field.Forbidden(at.Child("ports"),
				"must not change the ports 8000, 8001 and 8002, which the probes, the Services and the PodMonitor use"))
		}
	}
}

// changesPorts reports whether a container of a pod template changes a port of the chart.
func changesPorts(container map[string]any) bool {
	ports, has := container["ports"]
	list, _ := ports.([]any)
	return has && ports == nil || slices.ContainsFunc(list, func(item any) bool {
		port, _ := item.(map[string]any)
		return slices.Contains([]string{"8000", "8001", "8002"}, fmt.Sprint(port["containerPort"]))
	})
}

// specOf returns the spec of a part of a pod template. What does not decode is a fault of
// the objects.
func specOf(raw v1alpha1.RawJSON) map[string]any {
	var template struct {
		Spec any `json:"spec"`
	}
	_ = json.Unmarshal(raw, &template)
	spec, _ := template.Spec.(map[string]any)
	return spec
}

// volumesOf returns the names of the volumes of a part of a pod template.
func volumesOf(raw v1alpha1.RawJSON) []string {
	var names []string
	volumes, _ := specOf(raw)["volumes"].([]any)
	for _, item := range volumes {
		if volume, isMap := item.(map[string]any); isMap {
			names = append(names, fmt.Sprint(volume["name"]))
		}
	}
	return names
}
