package problem

import (
	"strings"
	"testing"
	"unicode/utf8"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
)

// TestErrorsAreShort: whatever a request holds, what is said of it fits into the
// headers that gRPC sends it in.
func TestErrorsAreShort(t *testing.T) {
	var long Violations
	long.Label("id", strings.Repeat("long", 2560))
	require.Regexp(t, `^invalid_argument: id: "long.{70,80} \.\.\. .*longlong" must be a DNS label: at most 63 lower-case letters, digits and '-'$`, long.Err().Error())
	require.Less(t, len(long.Err().Error()), longest+50)

	var many Violations
	for i := range 100_000 {
		many.Add("images", "%d%s is wrong", i, strings.Repeat("é", 5000))
	}
	var err *connect.Error
	require.ErrorAs(t, many.As(connect.CodeFailedPrecondition), &err)
	require.Contains(t, err.Message(), "images: and so on: 994 more are wrong")
	require.True(t, utf8.ValidString(err.Message()))
	detail, failed := err.Details()[0].Value()
	require.NoError(t, failed)
	require.Len(t, detail.(*errdetails.BadRequest).GetFieldViolations(), 7)
	inHeaders := 3*len(err.Message())/2 + (len(err.Message())+proto.Size(detail))*4/3 // the worst is quoted in percents
	require.Less(t, inHeaders, 8<<10)

	var short Violations
	short.Add("spec.models", "name at least one model")
	require.EqualError(t, short.Err(), "invalid_argument: spec.models: name at least one model")
	require.NoError(t, Violations(nil).Err())
}
