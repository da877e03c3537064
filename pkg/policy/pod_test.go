package policy_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
)

// TestCheckTriton checks what a Triton cannot be, of the lease's own values and of the
// defaults, and the limits at which it can.
func TestCheckTriton(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		own, defaults string
		want          []string
	}{
		"nothing": {},
		"names that occur twice": {
			own: `{env: [{name: A}, {name: B}, {name: A}, {name: A}], volumes: [{name: v}, {name: v}], initContainers: [{name: i}, {name: i}]}`,
			want: []string{
				`leases.x.triton.env[2].name: Duplicate value: "A"`, `leases.x.triton.env[3].name: Duplicate value: "A"`,
				`leases.x.triton.initContainers[1].name: Duplicate value: "i"`, `leases.x.triton.volumes[1].name: Duplicate value: "v"`,
			},
		},
		"a default that occurs twice":        {defaults: `{env: [{name: A}, {name: A}]}`, want: []string{`triton.env[1].name: Duplicate value: "A"`}},
		"a default that the lease overrides": {own: `{env: []}`, defaults: `{env: [{name: A}, {name: A}]}`},
		"a mount of a default volume":        {own: `{volumeMounts: [{name: v, mountPath: /v}]}`, defaults: `{volumes: [{name: v}]}`},
		"mounts of the chart's own volumes":  {own: `{volumeMounts: [{name: shm, mountPath: /a}, {name: models-1, mountPath: /b}]}`},
		"a mount of no volume": {
			own:  `{volumeMounts: [{name: models-2, mountPath: /b}]}`,
			want: []string{`leases.x.triton.volumeMounts[0].name: Not found: "models-2"`},
		},
		"two mounts at one path": {
			own:  `{volumeMounts: [{name: shm, mountPath: /a}, {name: shm, mountPath: /a/}, {name: shm, mountPath: /mnt/models/two}, {name: shm, mountPath: /}]}`,
			want: []string{`leases.x.triton.volumeMounts[1].mountPath: Duplicate value: "/a"`, `leases.x.triton.volumeMounts[2].mountPath: Duplicate value: "/mnt/models/two"`},
		},
		"shared memory": {
			own:  `{volumeMounts: [{name: shm, mountPath: /dev/shm/}]}`,
			want: []string{`leases.x.triton.volumeMounts[0].mountPath: Invalid value: "/dev/shm": the chart mounts shared memory there; set its size with triton.sharedMemorySize, and remove this mount`},
		},
		"the shortest grace period": {own: `{terminationGracePeriodSeconds: 6}`},
		"a second less": {
			own:  `{terminationGracePeriodSeconds: 5}`,
			want: []string{`leases.x.triton.terminationGracePeriodSeconds: Invalid value: 5: must be at least 6: lifecycle.preStop.sleep.seconds (0) and 6 more, so that Triton can finish its requests`},
		},
		"the longest sleep": {own: `{lifecycle: {preStop: {sleep: {seconds: 54}}}}`, defaults: `{terminationGracePeriodSeconds: 60}`},
		"a second more": {
			own: `{lifecycle: {preStop: {sleep: {seconds: 55}}}}`, defaults: `{terminationGracePeriodSeconds: 60}`,
			want: []string{`leases.x.triton.terminationGracePeriodSeconds: Invalid value: 60: must be at least 61: lifecycle.preStop.sleep.seconds (55) and 6 more, so that Triton can finish its requests`},
		},
		"defaults that contradict each other": {
			defaults: `{terminationGracePeriodSeconds: 10, lifecycle: {preStop: {sleep: {seconds: 10}}}}`,
			want:     []string{`triton.terminationGracePeriodSeconds: Invalid value: 10: must be at least 16: lifecycle.preStop.sleep.seconds (10) and 6 more, so that Triton can finish its requests`},
		},
		"another hook":                   {own: `{lifecycle: {preStop: {exec: {command: [sleep, "50"]}}}}`, defaults: `{terminationGracePeriodSeconds: 6, lifecycle: {preStop: {sleep: {seconds: 10}}}}`},
		"the grace period of Kubernetes": {own: `{lifecycle: {preStop: {sleep: {seconds: 24}}}}`},
		"a sleep that does not even make sense": {
			own:  `{lifecycle: {preStop: {sleep: {seconds: 1e30}}}}`,
			want: []string{`leases.x.triton.terminationGracePeriodSeconds: Invalid value: 30: must be at least 1000000006: lifecycle.preStop.sleep.seconds (1000000000) and 6 more, so that Triton can finish its requests`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var own, defaults v1alpha1.Triton
			require.NoError(t, yaml.Unmarshal([]byte(test.own), &own))
			require.NoError(t, yaml.Unmarshal([]byte(test.defaults), &defaults))
			var got []string
			for _, reason := range policy.CheckTriton(path, own, defaults, []policy.Mount{{Volume: "models-0", Path: "/mnt/models/one"}, {Volume: "models-1", Path: "/mnt/models/two"}, {Volume: "gs-credentials", Path: "/var/run/secrets/tms/gs-credentials", Secret: true}}) {
				got = append(got, reason.Error())
			}
			require.Equal(t, test.want, got)
		})
	}
}
