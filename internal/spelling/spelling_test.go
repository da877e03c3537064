package spelling_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/internal/spelling"
)

func TestNearest(t *testing.T) {
	known := []string{"enable", "maximum", "metrics", "minimum", "replicas", "threshold"}
	for word, wanted := range map[string]string{
		"enabel": "enable", "enabled": "enable", "max": "maximum", "min": "minimum", "Replicas": "replicas",
		"replica": "replicas", "treshold": "threshold", "behavior": "", "x": "", "": "",
	} {
		require.Equal(t, wanted, spelling.Nearest(word, known), word)
	}
}
