package lease

import (
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/internal/server/audit"
)

// TestAuditEntry checks that the audit log names the lease, also if the server generates
// its name or refuses the call, and that it holds no text that is not checked.
func TestAuditEntry(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	ctx, entry := audit.With(t.Context())
	lease, _, err := c.parseAcquire(ctx, request(func(r *tmsv1.AcquireRequest) { r.Name = "" }))
	require.NoError(t, err)
	require.Equal(t, audit.Entry{Namespace: "default", Lease: lease.Name}, *entry)

	c.allow = func(string, authorizationv1.ResourceAttributes) bool { return false }
	for id, want := range map[string]audit.Entry{"a": {Namespace: "default", Lease: "a"}, strings.Repeat("a", 1<<10): {}} {
		ctx, entry := audit.With(t.Context())
		_, err := c.Release(ctx, connect.NewRequest(&tmsv1.ReleaseRequest{Id: id}))
		require.Error(t, err)
		require.Equal(t, want, *entry)
	}
}
