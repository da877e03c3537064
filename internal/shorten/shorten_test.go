package shorten_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/internal/shorten"
)

func TestEnd(t *testing.T) {
	t.Parallel()
	require.Equal(t, "short", shorten.End("short", 5))
	require.Equal(t, "12...", shorten.End("123456789", 5))
	require.Equal(t, "1...", shorten.End("1ü3456789", 5), "no half of a character")
}

func TestMiddle(t *testing.T) {
	t.Parallel()
	require.Equal(t, "short", shorten.Middle("short", 5))
	require.Equal(t, "12...9", shorten.Middle("123456789", 6))
	require.Equal(t, "12...", shorten.Middle("123456789", 5))
	require.Equal(t, "123...9", shorten.Middle("123ü4567ü9", 8), "no half of a character")
}
