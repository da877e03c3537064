package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTenThousandLeases: of a fleet in one file each error is said, with its
// line. Work that grew with the square would not end. (That as many are rendered
// as helm renders them is shown in test/conform, without the race detector.)
func TestTenThousandLeases(t *testing.T) {
	const n = 10_000
	var text strings.Builder
	text.WriteString("leases:\n")
	for i := range n {
		fmt.Fprintf(&text, "  lease-%05d: {models: [{name: m, uri: \"ftp://models\"}]}\n", i)
	}
	var out, errs bytes.Buffer
	status := run([]string{"-f", "-"}, streams{in: strings.NewReader(text.String()), out: &out, err: &errs})
	require.Equal(t, exitFailed, status)
	require.Empty(t, out.String())
	require.Equal(t, n, strings.Count(errs.String(), "\n"))
	require.Contains(t, errs.String(), "-: leases.lease-09999.models[0].uri: Invalid value: \"ftp://models\": must be s3://")
	require.Contains(t, errs.String(), "(line 10001)\n")
}
