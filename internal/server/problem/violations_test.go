package problem_test

import (
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	"github.com/triton-leases/tms/internal/server/problem"
)

func TestViolations(t *testing.T) {
	var none problem.Violations
	require.NoError(t, none.Err(), "and no typed nil")

	var wrong problem.Violations
	wrong.Add("spec.a", "%d is too much", 5)
	wrong.Add("spec.b", "is missing")
	wrong.Add("spec.a", "%d is too much", 5) // which is known
	wrong.Add("spec.a", "is odd")
	for _, code := range []connect.Code{connect.CodeInvalidArgument, connect.CodeFailedPrecondition} {
		var err *connect.Error
		require.ErrorAs(t, wrong.As(code), &err)
		require.Equal(t, code, err.Code())
		require.Equal(t, "spec.a: 5 is too much\nspec.b: is missing\nspec.a: is odd", err.Message())
		require.Len(t, err.Details(), 1)
		detail, valueErr := err.Details()[0].Value()
		require.NoError(t, valueErr)
		require.True(t, proto.Equal(&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: "spec.a", Description: "5 is too much"}, {Field: "spec.b", Description: "is missing"}, {Field: "spec.a", Description: "is odd"},
		}}, detail), "%v", detail)
	}
	require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(wrong.Err()))
}

func TestLabel(t *testing.T) {
	for text, ok := range map[string]bool{
		"a": true, "a-b": true, "0": true, strings.Repeat("a", 63): true,
		"": false, strings.Repeat("a", 64): false, "-a": false, "a-": false, "A": false, "a.b": false, "a/b": false,
		"a\n": false, "é": false, "\x1b[2J": false, "a\x00": false, "\xff": false,
	} {
		var wrong problem.Violations
		wrong.Label("id", text)
		if ok {
			require.NoError(t, wrong.Err(), "%q", text)
			continue
		}
		require.Error(t, wrong.Err(), "%q", text)
		for _, c := range wrong.Err().Error() {
			require.True(t, c >= ' ' && c <= '~', "%q", wrong.Err().Error())
		}
	}
}
