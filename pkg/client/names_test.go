package client_test

import (
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
)

func TestNames(t *testing.T) {
	t.Parallel()
	fake, c := serve(t)
	for _, id := range []string{"blue", "green"} {
		fake.Put(&tmsv1.Lease{Namespace: "default", Id: id})
	}
	for _, name := range []string{"text", "vision"} {
		_, err := c.CreateName(t.Context(), &tmsv1.LeaseNameServiceCreateRequest{Name: name, LeaseId: "blue"})
		require.NoError(t, err)
	}
	request := &tmsv1.LeaseNameServiceCreateRequest{Name: "vision", LeaseId: "green"}
	_, err := c.CreateName(t.Context(), request)
	require.Equal(t, connect.CodeAlreadyExists, connect.CodeOf(err))
	request.Replace = true
	switched, err := c.CreateName(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, "blue", switched.GetReplacedLeaseId())
	for range 2 { // an iterator can be used again
		var names []string
		for name, err := range c.Names(t.Context(), nil) { // the server sends one name in each page
			require.NoError(t, err)
			names = append(names, name.GetName()+" "+name.GetLeaseId())
		}
		require.Equal(t, []string{"text blue", "vision green"}, names)
	}
	require.Len(t, fake.Calls("NameList"), 4)
	for _, want := range []bool{true, false} {
		deleted, err := c.DeleteName(t.Context(), &tmsv1.LeaseNameServiceDeleteRequest{Name: "text"})
		require.NoError(t, err)
		require.Equal(t, want, deleted.GetFound())
	}
}
