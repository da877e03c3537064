package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/config"
	"github.com/triton-leases/tms/pkg/policy"
)

// five is a configuration with at most five replicas.
const five = `server: {autoscaling: {enable: true, replicas: {limits: {maximum: 5}}, metrics: {queueTime: {enabled: true}}}}`

func TestReload(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "values.yaml")
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	write(five)
	c, err := config.Read(file, "tms", "system")
	require.NoError(t, err)
	require.EqualValues(t, 5, most(t, c), "the largest number of replicas")
	first, err := c.InForce()
	require.NoError(t, err)

	reload := func(changed bool, wantErr string) {
		t.Helper()
		got, err := c.Reload()
		if err == nil && !got { // a changed file comes in force when it was read twice
			got, err = c.Reload()
		}
		require.Equal(t, changed, got)
		if wantErr == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, wantErr)
		}
	}
	reload(false, "") // nothing changed

	const contradiction = "server.autoscaling.replicas.default.maximum: Invalid value: 5: must not exceed server.autoscaling.replicas.limits.maximum (4)"
	write(`server: {autoscaling: {enable: true, replicas: {limits: {maximum: 4}}}}`)
	reload(false, contradiction)
	reload(false, "") // the same error is returned once
	require.EqualValues(t, 5, most(t, c), "the previous configuration stays in force")
	since, err := c.InForce()
	require.ErrorContains(t, err, contradiction)
	require.Equal(t, first, since)

	write("leases: {a: {models: [{name: m, uri: /models}]}}")
	reload(false, "leases: not allowed here: create TritonLease objects instead")
	write("server: {")
	reload(false, "configuration: ")
	require.NoError(t, os.Remove(file))
	reload(false, "no such file")
	reload(false, "")

	write("server: {autoscaling: {enable: true}}\n") // half written
	got, err := c.Reload()
	require.NoError(t, err)
	require.False(t, got)
	write(five) // the same as before
	reload(false, "")
	since, err = c.InForce()
	require.NoError(t, err)
	require.Equal(t, first, since)

	write(`server: {autoscaling: {enable: true, replicas: {limits: {maximum: 7}}, metrics: {queueTime: {enabled: true}}}}`)
	reload(true, "")
	require.EqualValues(t, 7, most(t, c))
	since, _ = c.InForce()
	require.True(t, since.After(first))
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	_, err := config.Read(filepath.Join(t.TempDir(), "absent.yaml"), "tms", "system")
	require.ErrorContains(t, err, "no such file")
	file := filepath.Join(t.TempDir(), "values.yaml")
	require.NoError(t, os.WriteFile(file, []byte("server: {leases: {autoRenew: {interval: 1s}}, unknown: 1}"), 0o600))
	_, err = config.Read(file, "tms", "system")
	var refusal policy.Refusal
	require.ErrorAs(t, err, &refusal)
}

// most returns the maximum of replicas of a lease that asks for 100.
func most(t *testing.T, c *config.Config) int64 {
	t.Helper()
	maximum := int64(100)
	objects, err := c.LeaseRenderer().TritonLease(&v1alpha1.TritonLease{
		ObjectMeta: metav1.ObjectMeta{Name: "a", Namespace: "ns"},
		Spec: v1alpha1.TritonLeaseSpec{LeaseSpec: v1alpha1.LeaseSpec{
			Models:      []v1alpha1.Model{{Name: "m", URI: "/models"}},
			Autoscaling: v1alpha1.Autoscaling{Enable: true, Replicas: v1alpha1.ReplicaRange{Maximum: &maximum}},
		}},
	})
	require.NoError(t, err)
	require.Equal(t, "tms-a", objects.Deployment.Name)
	require.Equal(t, "ns", objects.Deployment.Namespace)
	require.Equal(t, "tms-server", objects.Deployment.Labels["app.kubernetes.io/managed-by"])
	return objects.Lease.Grant.MaxReplicas
}
