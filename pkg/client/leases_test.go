package client_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/pkg/client"
)

func TestList(t *testing.T) {
	t.Parallel()
	fake, c := serve(t)
	var want []string
	for i := range 7 {
		want = append(want, fmt.Sprintf("lease-%d", i))
		fake.Put(&tmsv1.Lease{Namespace: "default", Id: want[i]})
	}
	list := func(request *tmsv1.ListRequest) (ids []string, err error) {
		for lease, err := range c.List(t.Context(), request) {
			if err != nil {
				return ids, err
			}
			ids = append(ids, lease.Id)
		}
		return ids, nil
	}
	request := &tmsv1.ListRequest{PageSize: 3}
	for range 2 { // an iterator can be used again
		ids, err := list(request)
		require.NoError(t, err)
		require.Equal(t, want, ids)
	}
	require.Len(t, fake.Calls("List"), 6)

	ids, err := list(nil)
	require.NoError(t, err)
	require.Equal(t, want, ids)

	// A loop that ends early does not request more pages.
	pages := len(fake.Calls("List"))
	for _, err := range c.List(t.Context(), request) {
		require.NoError(t, err)
		break
	}
	require.Len(t, fake.Calls("List"), pages+1)

	// An error comes after the leases of earlier pages.
	fake.Fail("List", nil, connect.NewError(connect.CodePermissionDenied, errors.New("no")))
	ids, err = list(request)
	require.Equal(t, want[:3], ids)
	var failure *client.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, connect.CodePermissionDenied, failure.Code)
}

// TestListLoop checks that an endless list of pages is an error.
func TestListLoop(t *testing.T) {
	t.Parallel()
	fake, c := serve(t)
	fake.Put(&tmsv1.Lease{Namespace: "default", Id: "a"})
	fake.LoopPages()
	seen := 0
	for _, err := range c.List(t.Context(), nil) {
		if seen++; err != nil {
			require.ErrorContains(t, err, "the next page is the same page")
		}
	}
	require.Equal(t, 3, seen)
}

func TestLeases(t *testing.T) {
	t.Parallel()
	_, c := serve(t)
	lease, err := c.Acquire(t.Context(), &tmsv1.AcquireRequest{Name: "a"}, nil)
	require.NoError(t, err)
	renewed, err := c.Renew(t.Context(), &tmsv1.RenewRequest{Id: "a"})
	require.NoError(t, err)
	require.Equal(t, 24*time.Hour, renewed.ExpiresAt.AsTime().Sub(lease.ExpiresAt.AsTime()))
	lease, err = status(t, c)
	require.NoError(t, err)
	require.Equal(t, renewed.ExpiresAt.AsTime(), lease.ExpiresAt.AsTime())
	for _, found := range []bool{true, false} {
		response, err := c.Release(t.Context(), &tmsv1.ReleaseRequest{Id: "a"})
		require.NoError(t, err)
		require.Equal(t, found, response.Found)
	}
	_, err = status(t, c)
	require.EqualError(t, err, "tms.v1.LeaseService/Status: not_found: lease a does not exist")
	_, err = c.Renew(t.Context(), &tmsv1.RenewRequest{Id: "a"})
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))
}

func TestAllowlist(t *testing.T) {
	t.Parallel()
	_, c := serve(t)
	added, err := c.AppendToAllowlist(t.Context(), "a:1", "b:1")
	require.NoError(t, err)
	require.Equal(t, []string{"a:1", "b:1"}, added)
	added, err = c.AppendToAllowlist(t.Context(), "b:1", "c:1")
	require.NoError(t, err)
	require.Equal(t, []string{"c:1"}, added)
	removed, err := c.RemoveFromAllowlist(t.Context(), "b:1", "d:1")
	require.NoError(t, err)
	require.Equal(t, []string{"b:1"}, removed)
	images, err := c.Allowlist(t.Context())
	require.NoError(t, err)
	require.Len(t, images, 3)
	require.True(t, images[0].InValues)
}

// TestViolations checks that the violations of fields are returned as data.
func TestViolations(t *testing.T) {
	t.Parallel()
	fake, c := serve(t)
	refusal := connect.NewError(connect.CodeInvalidArgument, errors.New("2 fields"))
	detail, err := connect.NewErrorDetail(&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
		{Field: "spec.models[0].uri", Description: "must have a scheme"},
		{Field: "name", Description: "must be a DNS label"},
	}})
	require.NoError(t, err)
	refusal.AddDetail(detail)
	fake.Fail("Acquire", refusal)
	_, err = c.Acquire(t.Context(), nil, nil)
	var failure *client.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, []client.Violation{
		{Field: "spec.models[0].uri", Message: "must have a scheme"}, {Field: "name", Message: "must be a DNS label"},
	}, failure.Violations)
	require.Equal(t, "tms.v1.LeaseService/Acquire: invalid_argument: spec.models[0].uri: must have a scheme\n"+
		"tms.v1.LeaseService/Acquire: invalid_argument: name: must be a DNS label", err.Error())
}
