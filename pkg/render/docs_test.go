package render_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/render"
)

// TestDocs renders the values and grants the TritonLeases that the documents show. It
// skips other files, such as values of the adapter.
func TestDocs(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	keys := map[string]any{}
	require.NoError(t, yaml.Unmarshal(read(t, "../../charts/tms/values.yaml"), &keys))
	lr, err := goPolicy.LeaseRenderer(render.Release{Name: "tms", Namespace: "tms", Controller: true}, new(render.Input))
	require.NoError(t, err)
	shown := map[string]int{}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for i, block := range yamlBlocks(string(text)) {
			var object map[string]any
			require.NoError(t, yaml.UnmarshalStrict([]byte(block), &object), "%s:\n%s", page, block)
			first, _, _ := strings.Cut(strings.TrimSpace(block), ":")
			_, isValues := keys[first]
			if !isValues && object["kind"] != "TritonLease" {
				continue
			}
			name := filepath.Base(page)
			shown[name]++
			t.Run(fmt.Sprintf("%s %d", name, i), func(t *testing.T) {
				if !isValues {
					lease := new(v1alpha1.TritonLease)
					require.NoError(t, yaml.UnmarshalStrict([]byte(block), lease))
					_, err := lr.GrantTritonLease(lease)
					require.NoError(t, err, block)
					return
				}
				result, err := goPolicy.Render(release, []byte(incomplete), []byte(block))
				require.NoError(t, err, block)
				decodesStrictly(t, result)
			})
		}
	}
	for _, page := range []string{"bounds.md", "install.md", "leases.md", "pod.md", "repositories.md", "traffic.md"} {
		require.Contains(t, slices.Collect(maps.Keys(shown)), page, "the page shows no values")
	}
}

// incomplete is what some blocks leave out: an image of tms-server, and a lease that gets
// the defaults.
const incomplete = `
images: {server: "registry.example.com/tms-server:0.1.0"}
leases: {other: {models: [{name: m, uri: /models}]}}`

// yamlBlocks returns the code blocks of a page that have the language yaml.
func yamlBlocks(page string) []string {
	var blocks []string
	for block := range strings.SplitSeq(page, "\n```yaml\n") {
		text, _, _ := strings.Cut(block, "\n```")
		blocks = append(blocks, text)
	}
	return blocks[1:]
}
