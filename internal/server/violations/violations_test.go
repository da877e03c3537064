package violations_test

import (
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	"github.com/triton-leases/tms/internal/server/violations"
)

func TestWithCode(t *testing.T) {
	t.Parallel()
	var none violations.List
	require.NoError(t, none.InvalidArgument(), "an untyped nil")

	var list violations.List
	list.Add("spec.a", "5 is too much")
	list.Add("spec.b", "is missing")
	list.Add("spec.a", "5 is too much") // a duplicate
	list.Add("spec.a", "is odd")
	for _, code := range []connect.Code{connect.CodeInvalidArgument, connect.CodeFailedPrecondition} {
		var err *connect.Error
		require.ErrorAs(t, list.WithCode(code), &err)
		require.Equal(t, code, err.Code())
		require.Equal(t, "spec.a: 5 is too much\nspec.b: is missing\nspec.a: is odd", err.Message())
		require.Len(t, err.Details(), 1)
		detail, valueErr := err.Details()[0].Value()
		require.NoError(t, valueErr)
		require.True(t, proto.Equal(&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: "spec.a", Description: "5 is too much"}, {Field: "spec.b", Description: "is missing"}, {Field: "spec.a", Description: "is odd"},
		}}, detail), "%v", detail)
	}
	require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(list.InvalidArgument()))
}

func TestCheckLabel(t *testing.T) {
	t.Parallel()
	for value, ok := range map[string]bool{
		"a": true, "a-b": true, "0": true, strings.Repeat("a", 63): true,
		"": false, strings.Repeat("a", 64): false, "-a": false, "a-": false, "A": false, "a.b": false, "a/b": false,
		"a\n": false, "é": false, "\x1b[2J": false, "a\x00": false, "\xff": false,
	} {
		var list violations.List
		list.CheckLabel("id", value)
		err := list.InvalidArgument()
		if ok {
			require.NoError(t, err, "%q", value)
			continue
		}
		require.Error(t, err, "%q", value)
		for _, c := range err.Error() {
			require.True(t, c >= ' ' && c <= '~', "%q", err.Error())
		}
	}
}
