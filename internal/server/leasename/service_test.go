package leasename_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/server/audit"
)

// TestNames creates a name, switches it, releases its lease and deletes the name.
func TestNames(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.lease("blue")
	f.lease("green")
	_, err := f.create("vision", "blue")
	require.NoError(t, err)
	name := f.service("vision")
	require.Equal(t, selector("blue"), name.Spec.Selector)
	require.Equal(t, corev1.ServiceTypeClusterIP, name.Spec.Type)
	require.Equal(t, []corev1.ServicePort{
		{Name: "http", Port: 8000, TargetPort: intstr.FromString("http")}, {Name: "grpc", Port: 8001, TargetPort: intstr.FromString("grpc")},
	}, name.Spec.Ports)
	require.Empty(t, name.OwnerReferences, "it outlives the lease")
	require.NotContains(t, name.Labels, v1alpha1.LeaseLabel, "a lease would adopt it")
	require.Equal(t, "system:anonymous", name.Annotations["tms.triton-leases.dev/requested-by"])
	require.Equal(t, []string{"default/vision blue STATE_SERVING"}, f.list(""))

	// The same again changes nothing, also if the lease no longer serves.
	for _, options := range [][]func(*tmsv1.LeaseNameServiceCreateRequest){nil, {replace}} {
		_, err = f.create("vision", "blue", options...)
		require.NoError(t, err)
	}
	require.Equal(t, 1, f.written)

	_, err = f.create("vision", "green")
	require.EqualError(t, err, `already_exists: name: name "vision" points to lease "blue": use replace (tmsctl: --replace) to switch it`)
	require.Equal(t, selector("blue"), f.service("vision").Spec.Selector)

	// What others added to the Service stays.
	name.Labels["team"], name.Annotations["note"], name.Spec.Type = "vision", "n", corev1.ServiceTypeLoadBalancer
	name.Spec.Ports[0].NodePort = 31000
	require.NoError(t, f.apiServer.Update(t.Context(), name))
	before, err := f.create("vision", "green", replace)
	require.NoError(t, err)
	require.Equal(t, "blue", before)
	name = f.service("vision")
	require.Equal(t, selector("green"), name.Spec.Selector)
	require.Equal(t, []any{"vision", "n", corev1.ServiceTypeLoadBalancer, int32(31000)}, []any{name.Labels["team"], name.Annotations["note"], name.Spec.Type, name.Spec.Ports[0].NodePort})
	require.Equal(t, []string{"default/vision green STATE_SERVING"}, f.list("-"))

	// A selector that another client changed is repaired without replace.
	name.Spec.Selector["extra"] = "x"
	require.NoError(t, f.apiServer.Update(t.Context(), name))
	before, err = f.create("vision", "green")
	require.NoError(t, err)
	require.Empty(t, before)
	require.Equal(t, selector("green"), f.service("vision").Spec.Selector)

	require.NoError(t, f.apiServer.Delete(t.Context(), &v1alpha1.TritonLease{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "green"}}))
	require.Equal(t, []string{"default/vision green STATE_UNSPECIFIED"}, f.list("default"))
	require.Empty(t, f.list("other"))
	for _, want := range []bool{true, false} {
		found, err := f.remove("vision")
		require.NoError(t, err)
		require.Equal(t, want, found)
	}
	require.Empty(t, f.list("-"))
}

// TestRefused checks which names and leases are refused. A refusal writes nothing.
func TestRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.lease("blue")
	f.lease("starting", notServing)
	f.lease("deleted", func(l *v1alpha1.TritonLease, _ *corev1.Service) { l.Finalizers = []string{"example.com/keep"} })
	require.NoError(t, f.apiServer.Delete(t.Context(), &v1alpha1.TritonLease{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "deleted"}}))
	f.lease("scales", func(l *v1alpha1.TritonLease, s *corev1.Service) {
		l.Spec.Target, l.Status.Address, s.Name = &v1alpha1.Target{Name: "triton"}, "", ""
	})
	f.lease("new", func(l *v1alpha1.TritonLease, s *corev1.Service) { l.Status.Address, s.Name = "", "" })
	f.lease("gone", func(_ *v1alpha1.TritonLease, s *corev1.Service) { s.Name = "" })
	f.lease("foreign", func(_ *v1alpha1.TritonLease, s *corev1.Service) { s.OwnerReferences = nil })
	f.lease("changed", func(_ *v1alpha1.TritonLease, s *corev1.Service) { s.Spec.Selector = selector("blue") })
	require.NoError(t, f.apiServer.Create(t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "mine"}}))
	f.written = 0
	for _, test := range []struct {
		name, lease, want string
	}{
		{"vision", "none", `not_found: lease_id: lease "none" does not exist in the namespace "default"`},
		{"vision", "scales", `failed_precondition: lease_id: lease "scales" scales an existing workload and has no Service`},
		{"vision", "new", `failed_precondition: lease_id: lease "new" has no Service yet: wait until it serves`},
		{"vision", "gone", `failed_precondition: lease_id: lease "gone" has no Service yet: wait until it serves`},
		{"vision", "foreign", `failed_precondition: lease_id: lease "foreign" has no Service yet: wait until it serves`},
		{"vision", "changed", `failed_precondition: lease_id: lease "changed" has no Service yet: wait until it serves`},
		{"vision", "starting", `failed_precondition: lease_id: lease "starting" does not serve (0 of 1 replicas serve): wait until it serves, or use allow_not_serving (tmsctl: --allow-not-serving)`},
		{"vision", "deleted", `failed_precondition: lease_id: lease "deleted" does not serve (the lease is being deleted): wait until it serves, or use allow_not_serving (tmsctl: --allow-not-serving)`},
		{"mine", "blue", `already_exists: name: Service "mine" exists and is not a name of this tms-server: choose another name`},
		{"tms-blue", "blue", `already_exists: name: Service "tms-blue" exists and is not a name of this tms-server: choose another name`},
		{"tms-blue-headless", "blue", `already_exists: name: "tms-blue-headless" is the name of the objects of lease "blue": choose another name`},
		{"tms-new", "blue", `already_exists: name: "tms-new" is the name of the objects of lease "new": choose another name`},
		{"1a", "blue", `invalid_argument: name: "1a" must be a DNS label that begins with a letter: at most 63 lower-case letters, digits and '-'`},
		{"", "", "invalid_argument: name: \"\" must be a DNS label that begins with a letter: at most 63 lower-case letters, digits and '-'\nlease_id: \"\" must be a DNS label: at most 63 lower-case letters, digits and '-'"},
		{"a\x1b", "b", `invalid_argument: name: "a\x1b" must be a DNS label that begins with a letter: at most 63 lower-case letters, digits and '-'`},
	} {
		for _, options := range [][]func(*tmsv1.LeaseNameServiceCreateRequest){nil, {replace}} {
			_, err := f.create(test.name, test.lease, options...)
			require.EqualError(t, err, test.want)
		}
	}
	require.Zero(t, f.written)
	require.Empty(t, f.list("-"))

	_, err := f.create("vision", "starting", allowNotServing)
	require.NoError(t, err)
	require.Equal(t, selector("starting"), f.service("vision").Spec.Selector)
	_, err = f.create("vision", "starting")
	require.NoError(t, err, "the same again")
	_, err = f.create("tms-later", "blue")
	require.NoError(t, err, "no lease has this name")

	// A switch never cuts traffic.
	_, err = f.create("vision", "deleted", replace)
	require.Equal(t, connect.CodeFailedPrecondition, connect.CodeOf(err))
	require.Equal(t, selector("starting"), f.service("vision").Spec.Selector)

	for _, name := range []string{"mine", "tms-blue"} {
		_, err := f.remove(name)
		require.EqualError(t, err, `failed_precondition: name: Service "`+name+`" is not a name of this tms-server`)
		f.service(name)
	}
}

// TestServerName checks that a name is not that of the objects of tms-server.
func TestServerName(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Namespace = "system"
	require.NoError(t, f.apiServer.Create(t.Context(), &v1alpha1.TritonLease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "system", Name: "blue", UID: "x"}, Status: v1alpha1.TritonLeaseStatus{Address: "tms-blue.system.svc"},
	}))
	l := &v1alpha1.TritonLease{ObjectMeta: metav1.ObjectMeta{Name: "blue", UID: "x"}}
	require.NoError(t, f.apiServer.Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "system", Name: "tms-blue", OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(l, v1alpha1.GroupVersion.WithKind("TritonLease"))},
		},
		Spec: corev1.ServiceSpec{Selector: selector("blue")},
	}))
	_, err := f.create("tms-server", "blue", allowNotServing)
	require.EqualError(t, err, `already_exists: name: "tms-server" is the name of the objects of tms-server: choose another name`)
}

// TestOtherInstallation checks that a name of another tms-server is a Service like any other.
func TestOtherInstallation(t *testing.T) {
	t.Parallel()
	for label, value := range map[string]string{"app.kubernetes.io/instance": "other", v1alpha1.ServerNamespaceLabel: "other", "app.kubernetes.io/managed-by": "Helm"} {
		f := newFixture(t)
		f.lease("blue")
		f.lease("green")
		_, err := f.create("vision", "blue")
		require.NoError(t, err)
		name := f.service("vision")
		name.Labels[label] = value
		require.NoError(t, f.apiServer.Update(t.Context(), name))
		_, err = f.create("vision", "green", replace)
		require.Equal(t, connect.CodeAlreadyExists, connect.CodeOf(err))
		_, err = f.remove("vision")
		require.Equal(t, connect.CodeFailedPrecondition, connect.CodeOf(err))
		require.Empty(t, f.list("-"))
		require.Equal(t, selector("blue"), f.service("vision").Spec.Selector)
	}
}

// TestConcurrent checks that one of two calls wins completely.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, name := range []string{"blue", "green", "red"} {
		f.lease(name)
	}
	other := func(lease string) func() error {
		return func() error {
			_, err := f.create("vision", lease, replace)
			return err
		}
	}
	f.before = other("green") // creates the name first
	_, err := f.create("vision", "blue")
	require.EqualError(t, err, `already_exists: name: name "vision" points to lease "green": use replace (tmsctl: --replace) to switch it`)
	require.Equal(t, []string{"default/vision green STATE_SERVING"}, f.list(""))

	f.before = other("red") // switches first; this call then switches from there
	before, err := f.create("vision", "blue", replace)
	require.NoError(t, err)
	require.Equal(t, "red", before)
	require.Equal(t, selector("blue"), f.service("vision").Spec.Selector)
	require.Equal(t, []string{"default/vision blue STATE_SERVING"}, f.list(""))

	f.before = func() error { // another client makes it a Service of its own
		name := f.service("vision")
		name.Labels = nil
		return f.apiServer.Update(context.Background(), name)
	}
	_, err = f.create("vision", "red", replace)
	require.Equal(t, connect.CodeAlreadyExists, connect.CodeOf(err))
	require.Equal(t, selector("blue"), f.service("vision").Spec.Selector)

	_, err = f.create("text", "blue")
	require.NoError(t, err)
	f.before = func() error { // is switched while it is deleted
		_, err := f.create("text", "red", replace)
		return err
	}
	_, err = f.remove("text")
	require.Equal(t, connect.CodeAborted, connect.CodeOf(err))
	require.Equal(t, selector("red"), f.service("text").Spec.Selector)

	name := f.service("text") // is deleted when its load balancer is gone
	name.Finalizers = []string{"service.kubernetes.io/load-balancer-cleanup"}
	require.NoError(t, f.apiServer.Update(t.Context(), name))
	_, err = f.remove("text")
	require.NoError(t, err)
	for _, lease := range []string{"red", "blue"} {
		_, err = f.create("text", lease, replace)
		require.Equal(t, connect.CodeAborted, connect.CodeOf(err), lease)
	}
}

// TestRights checks the rights that each method needs, and that errors do not depend on what
// exists.
func TestRights(t *testing.T) {
	t.Parallel()
	const group = "tms.triton-leases.dev/"
	f := newFixture(t)
	f.lease("blue")
	_, err := f.create("vision", "blue", replace)
	require.NoError(t, err)
	f.list("-")
	_, err = f.remove("text")
	require.NoError(t, err)
	require.Equal(t, []string{
		"create " + group + "tritonleasenames default/vision", "update " + group + "tritonleasenames default/vision", "get " + group + "tritonleases default/blue",
		"list " + group + "tritonleasenames /", "get " + group + "tritonleases /",
		"delete " + group + "tritonleasenames default/text",
	}, f.reviewed)

	for right, calls := range map[string]func(f *fixture, name, lease string) error{
		"create tritonleasenames": func(f *fixture, name, lease string) error { _, err := f.create(name, lease); return err },
		"update tritonleasenames": func(f *fixture, name, lease string) error { _, err := f.create(name, lease, replace); return err },
		"get tritonleases":        func(f *fixture, name, lease string) error { _, err := f.create(name, lease); return err },
		"delete tritonleasenames": func(f *fixture, name, _ string) error { _, err := f.remove(name); return err },
		"list tritonleasenames": func(f *fixture, _, _ string) error {
			_, err := f.List(context.Background(), connect.NewRequest(new(tmsv1.LeaseNameServiceListRequest)))
			return err
		},
	} {
		existing, empty := newFixture(t), newFixture(t)
		existing.lease("blue")
		name := f.service("vision")
		name.ResourceVersion = ""
		require.NoError(t, existing.apiServer.Create(t.Context(), name))
		existing.denied, empty.denied = []string{right}, []string{right}
		err := calls(existing, "vision", "blue")
		require.Equal(t, connect.CodePermissionDenied, connect.CodeOf(err), "%s: %v", right, err)
		require.EqualError(t, calls(empty, "vision", "blue"), err.Error(), "without the name and the lease")
		require.Zero(t, existing.written)
	}
}

// TestNamespaces checks that names are only in namespaces that tms-server watches.
func TestNamespaces(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "research")
	f.lease("blue")
	_, err := f.create("vision", "blue")
	require.EqualError(t, err, `failed_precondition: namespace: tms-server does not watch the namespace "default"`)
	_, err = f.remove("vision")
	require.EqualError(t, err, `failed_precondition: namespace: tms-server does not watch the namespace "default"`)
	_, err = f.List(t.Context(), connect.NewRequest(&tmsv1.LeaseNameServiceListRequest{Namespace: "A", PageSize: 501, PageToken: "?"}))
	require.EqualError(t, err, "invalid_argument: namespace: \"A\" must be a DNS label: at most 63 lower-case letters, digits and '-'\n"+
		"page_size: 501 must be between 1 and 500, or 0 for 100\npage_token: must be the next_page_token of a response")
}

// TestFailures checks the errors for the failures of the API server.
func TestFailures(t *testing.T) {
	t.Parallel()
	services := schema.GroupResource{Resource: "services"}
	for _, test := range []struct {
		err  error
		want string
	}{
		{errors.New("secret"), "unavailable: the Kubernetes API server failed; retry"},
		{apierrors.NewForbidden(services, "vision", errors.New("exceeded quota")), `failed_precondition: services "vision" is forbidden: exceeded quota`},
	} {
		f := newFixture(t)
		f.lease("blue")
		f.before = func() error { return test.err }
		_, err := f.create("vision", "blue")
		require.EqualError(t, err, test.want)
	}
	f := newFixture(t)
	f.lease("blue")
	f.lease("green")
	conflict := apierrors.NewConflict(services, "vision", errors.New("changed"))
	var again func() error
	again = func() error {
		f.before = again
		return conflict
	}
	f.before = again
	_, err := f.create("vision", "blue")
	require.EqualError(t, err, "aborted: other calls change the name at the same time; retry")
}

// TestAuditEntry checks that the audit log has the name and the lease, once they are checked.
func TestAuditEntry(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for name, want := range map[string]audit.Entry{
		"vision": {Namespace: "default", Name: "vision", Lease: "blue"}, strings.Repeat("a", 1<<10): {},
	} {
		ctx, entry := audit.With(t.Context())
		_, err := f.Create(ctx, connect.NewRequest(&tmsv1.LeaseNameServiceCreateRequest{Name: name, LeaseId: "blue"}))
		require.Error(t, err)
		require.Equal(t, want, *entry)
		want.Lease = ""
		ctx, entry = audit.With(t.Context())
		_, _ = f.Delete(ctx, connect.NewRequest(&tmsv1.LeaseNameServiceDeleteRequest{Name: name}))
		require.Equal(t, want, *entry)
	}
}
