package source

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/internal/testing/randvalues"
)

// FuzzReadFile holds the reader of fleets to the reader of YAML: whatever the
// text is, both say the same of it.
func FuzzReadFile(f *testing.F) {
	for _, text := range texts(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) { agree(t, text) })
}

// TestReadFileOfBrokenTexts breaks texts as the fuzzer would, on every run.
func TestReadFileOfBrokenTexts(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	parts := []string{
		" ", "  ", "\n", "\n\n", ":", ": ", "- ", "-", "#", " #", "\"", "'", "{", "}", "[", "]", ",", "&a ", "*a", "!!str ", "|\n", ">\n",
		"\t", "\r\n", "é", "\x00", "---\n", "...\n", "a: b", "\nleases:\n", "leases:", "null", "~", "yes", "0x1f", "010", "1e3", "1_000", ".5", "-1", "2001-01-01", "12:30", "<<: ", "? ", "%",
	}
	plain := 0
	for range 300 {
		for _, text := range texts(t) {
			at := random.IntN(len(text) + 1)
			until := min(len(text), at+random.IntN(4))
			part := parts[random.IntN(len(parts))]
			broken := string(text[:at]) + part + string(text[until:])
			if agree(t, []byte(broken)) {
				plain++
			}
		}
	}
	require.Greater(t, plain, 1000, "few texts reach the reader of fleets")
}

// agree says whether the leases of the text were cut out.
func agree(t *testing.T, text []byte) bool {
	t.Helper()
	wanted, wantedErr := Read(text)
	file, err := ReadFile(text)
	if wantedErr != nil {
		require.Equal(t, wantedErr, err, "%s", text)
		return false
	}
	require.NoError(t, err, "%s", text)
	var values Values
	values.Add(file)
	if wanted == nil {
		wanted = map[string]any{}
	}
	require.Equal(t, wanted, values.Map(), "%s", text)
	return len(file.Leases) > 0
}

// texts returns the values files of the tests, and some made at random.
func texts(t testing.TB) [][]byte {
	all := [][]byte{
		[]byte("leases:#\n  a: {}\n"),
		[]byte("nameOverride: \"\nleases:\n  a: {models: []}\n\"\nleases: {b: {models: []}}\n"),
		[]byte("images: {triton: a,\nleases:\n  a: {models: []}\n}\n"),
		[]byte("nameOverride: &x one\nleases:\n  a:\n    triton: {args: [&x two]}\nfullnameOverride: *x\n"),
		[]byte("leases:\n  a: {models: [{name: m, uri: \"s3://b\"}]}\n"),
		[]byte("server: {}\nleases:\n\n  # all\n  a-1:\n    models:\n    - name: m # the first\n      uri: pvc://c/x\n    - {name: n, uri: '/m'}\n  b:\n    triton:\n      args: [--log-verbose=1, a b, \"c: d\"]\n      env:\n        - name: A\n          value: |\n            two\n            lines\nenabled: true\n"),
		[]byte("leases:\n    a:\n        autoscaling: {enable: true, replicas: {maximum: 12}}\n        triton: {resources: {limits: {nvidia.com/gpu: 1, memory: 16Gi, cpu: 0.5}}}\n"),
	}
	corpus, err := randvalues.Corpus("../..", 30)
	require.NoError(t, err)
	return append(all, corpus...)
}

// TestLimits: YAML has limits, for keys and for depth.
func TestLimits(t *testing.T) {
	key := strings.Repeat("k", 1100)
	for _, text := range []string{
		"{" + key + ": x}",
		"\n    " + key + ": x",
		"\n    \"" + key + "\": x",
		"{x: " + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "}",
		"{x: " + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "}",
		"{x: " + strings.Repeat("[", 1_000_000),
	} {
		agree(t, []byte("leases:\n  a: "+text+"\n"))
	}
}

// TestPlain shows which files are read without YAML.
func TestPlain(t *testing.T) {
	const block = "leases:\n  a:\n    triton:\n      args:\n        - %s\n"
	for value, plain := range map[string]bool{
		"word": true, "two words": true, "--flag=x": true, "1": true, "0.5": true, "500m": true, "true": true, "\"quoted, text\"": true, "'quoted'": true, "s3://b/c": true,
		"null": false, "yes": false, "010": false, "1e3": false, "0x1f": false, "1_000": false, "12:30": false, "2001-01-01": false, "\"esc\\n\"": false, "é": false, "'it''s'": false, "*a": false, "!x y": false, "| ": false, "": false, "a: b": true,
	} {
		text := strings.TrimPrefix(fmt.Sprintf(block, value), "leases:\n")
		require.Equal(t, plain, readPlain("a", text, new(opening)), value)
	}
}

func BenchmarkReadFile(b *testing.B) {
	var text strings.Builder
	text.WriteString("leases:\n")
	for i := range 1000 {
		fmt.Fprintf(&text, "  lease-%05d:\n    models:\n      - name: model-%d\n        uri: s3://models/%d\n    autoscaling:\n      enable: true\n      replicas:\n        maximum: %d\n      metrics:\n        queueTime:\n          threshold: %d\n", i, i, i%7, 8+i%9, 10000+i)
	}
	b.ReportAllocs()
	for b.Loop() {
		_, err := ReadFile([]byte(text.String()))
		require.NoError(b, err)
	}
}
