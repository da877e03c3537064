package allowlist_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/internal/config"
	"github.com/triton-leases/tms/internal/server/audit"
)

// TestAllowlist checks that Append and Remove are idempotent.
func TestAllowlist(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "")
	require.Equal(t, []string{"example.com/triton:values*"}, f.list())
	for i := range 2 {
		added, err := f.add("a:1", "b:1", "a:1")
		require.NoError(t, err)
		if require.Equal(t, "a:1\nb:1", f.stored()); i == 0 {
			require.Equal(t, []string{"a:1", "b:1"}, added)
		} else {
			require.Empty(t, added)
		}
	}
	_, err := f.add("example.com/triton:values")
	require.NoError(t, err)
	require.Equal(t, []string{"example.com/triton:values*", "a:1", "b:1"}, f.list(), "no duplicates")
	for i := range 2 {
		removed, err := f.remove("b:1", "c:1")
		require.NoError(t, err)
		if i == 0 {
			require.Equal(t, []string{"b:1"}, removed)
		} else {
			require.Empty(t, removed)
		}
	}
	_, err = f.remove("a:1", "example.com/triton:values")
	require.EqualError(t, err, `failed_precondition: images[1]: "example.com/triton:values" is in the administrator's values: remove it there`)
	require.Equal(t, []string{"example.com/triton:values*", "a:1"}, f.list(), "all or nothing")
}

// TestConflict checks that concurrent updates do not overwrite each other.
func TestConflict(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "a:1")
	others := []string{"x:1", "y:1"}
	f.patch = func() error {
		if len(others) == 0 {
			return nil
		}
		list := new(corev1.ConfigMap)
		require.NoError(t, f.apiServer.Get(context.Background(), key, list))
		list.Data[config.AllowlistKey] += "\n" + others[0]
		others = others[1:]
		return f.apiServer.Update(context.Background(), list)
	}
	added, err := f.add("b:1")
	require.NoError(t, err)
	require.Equal(t, []string{"b:1"}, added)
	require.Equal(t, "a:1\nx:1\ny:1\nb:1", f.stored())

	others = []string{"x:2", "y:2"}
	removed, err := f.remove("x:1")
	require.NoError(t, err)
	require.Equal(t, []string{"x:1"}, removed)
	require.Equal(t, "a:1\ny:1\nb:1\nx:2\ny:2", f.stored())

	others = strings.Fields(strings.Repeat("z:1 ", 100))
	_, err = f.add("c:1")
	require.Equal(t, connect.CodeAborted, connect.CodeOf(err), "%v", err)
}

func TestValidation(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"nvcr.io/nvidia/tritonserver:24.01-py3": true, "localhost:5000/a@sha256:0123": true, strings.Repeat("a", 1024): true,
		"": false, " ": false, "a b": false, "a\nb:1": false, "a:1\n": false, "-a": false, "\x1b[2J": false, "é": false, "{{a}}": false, strings.Repeat("a", 1025): false,
	} {
		f := newFixture(t, "")
		_, err := f.add("a:1", text)
		_, removeErr := f.remove("a:1", text)
		if ok {
			require.NoError(t, errors.Join(err, removeErr), "%q", text)
			continue
		}
		for _, err := range []error{err, removeErr} {
			require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err), "%q", text)
			require.ErrorContains(t, err, "images[1]: ")
			require.NotContains(t, err.Error(), "\x1b")
		}
		require.Empty(t, f.stored())
	}
	_, err := newFixture(t, "").add()
	require.ErrorContains(t, err, "images: at least one image is required")
}

func TestRights(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "a:1")
	_, _ = f.add("b:1")
	_ = f.list()
	require.Equal(t, []authorizationv1.ResourceAttributes{
		{Verb: "update", Resource: "configmaps", Namespace: "tms", Name: "tms-allowlist"},
		{Verb: "get", Resource: "configmaps", Namespace: "tms", Name: "tms-allowlist"},
	}, f.reviewed)
	f = newFixture(t, "a:1")
	f.allowed = false
	_, addErr := f.add("b:1")
	_, removeErr := f.remove("a:1")
	_, listErr := f.List(t.Context(), connect.NewRequest(new(tmsv1.AllowlistServiceListRequest)))
	for _, err := range []error{addErr, removeErr, listErr} {
		require.Equal(t, connect.CodePermissionDenied, connect.CodeOf(err))
		require.NotContains(t, err.Error(), "a:1")
	}
	require.Equal(t, "a:1", f.stored())

	f.ConfigMap = client.ObjectKey{}
	_, err := f.add("b:1")
	require.Equal(t, connect.CodeUnimplemented, connect.CodeOf(err))
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		code connect.Code
	}{
		{errors.New("secret"), connect.CodeUnavailable},
		{apierrors.NewForbidden(resource, "a", errors.New("secret")), connect.CodeUnavailable},
		{apierrors.NewRequestEntityTooLargeError("secret"), connect.CodeResourceExhausted},
		{apierrors.NewInvalid(schema.GroupKind{Kind: "ConfigMap"}, "secret", nil), connect.CodeResourceExhausted},
	} {
		f := newFixture(t, "")
		f.patch = func() error { return test.err }
		_, err := f.add("a:1")
		require.Equal(t, test.code, connect.CodeOf(err), "%v", err)
		require.NotContains(t, err.Error(), "secret")
	}
	f := newFixture(t, "")
	require.NoError(t, f.apiServer.Delete(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}))
	_, err := f.add("a:1")
	require.Equal(t, connect.CodeFailedPrecondition, connect.CodeOf(err))
	require.Equal(t, []string{"example.com/triton:values*"}, f.list(), "List works without the ConfigMap")
}

// TestAuditEntry checks that the audit log has the images of users who may change the list,
// and no others.
func TestAuditEntry(t *testing.T) {
	t.Parallel()
	for _, allowed := range []bool{true, false} {
		f := newFixture(t, "")
		f.allowed = allowed
		for _, images := range [][]string{{"a:1"}, {"a b"}} {
			ctx, entry := audit.With(t.Context())
			_, err := f.Append(ctx, connect.NewRequest(&tmsv1.AppendRequest{Images: images}))
			valid := images[0] == "a:1"
			require.Equal(t, allowed && valid, err == nil)
			require.Equal(t, allowed && valid, len(entry.Images) == 1)
		}
	}
}
