package violations

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
)

// TestTruncate checks that an error fits into the headers that gRPC sends it in, no
// matter what the request holds.
func TestTruncate(t *testing.T) {
	t.Parallel()
	var long List
	long.CheckLabel("id", strings.Repeat("long", 2560))
	require.Regexp(t, `^invalid_argument: id: "long.{100,155}\.\.\.[long]*long" must be a DNS label: at most 63 lower-case letters, digits and '-'$`, long.InvalidArgument().Error())
	require.Less(t, len(long.InvalidArgument().Error()), maxMessage+50)

	var many List
	for i := range 100_000 {
		many.Add("images", fmt.Sprintf("%d%s is wrong", i, strings.Repeat("é", 5000)))
	}
	var err *connect.Error
	require.ErrorAs(t, many.WithCode(connect.CodeFailedPrecondition), &err)
	require.Contains(t, err.Message(), "images: and 994 more violations")
	require.True(t, utf8.ValidString(err.Message()))
	detail, valueErr := err.Details()[0].Value()
	require.NoError(t, valueErr)
	require.Len(t, detail.(*errdetails.BadRequest).GetFieldViolations(), 7)
	inHeaders := 3*len(err.Message())/2 + (len(err.Message())+proto.Size(detail))*4/3 // percent-encoding is the worst case
	require.Less(t, inHeaders, 8<<10)

	var short List
	short.Add("spec.models", "at least one model is required")
	require.EqualError(t, short.InvalidArgument(), "invalid_argument: spec.models: at least one model is required")
}
