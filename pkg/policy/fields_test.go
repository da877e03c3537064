package policy_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/pkg/policy"
)

func TestCheckFields(t *testing.T) {
	t.Parallel()
	config := terms("1h", "2h", true)
	config.AllowedFields = []string{"args", "env"}
	all, err := policy.NewLeaseBounds(config, "1m")
	require.NoError(t, err)
	require.Empty(t, all.CheckFields(path, nil))
	require.Empty(t, all.CheckFields(path, map[string]any{"args": nil, "env": nil}))
	reasons := all.CheckFields(path, map[string]any{"podTemplate": nil, "env": nil, "hostIPC": true})
	require.Len(t, reasons, 2)
	require.EqualError(t, reasons[0], "leases.x.hostIPC: Forbidden: a TritonLease may not set this key; an administrator can allow it with server.leases.allowedFields")
	require.Equal(t, "leases.x.podTemplate", reasons[1].Field)
}
