package valuesfile_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/internal/fieldpath"
	"github.com/triton-leases/tms/internal/testing/randvalues"
	"github.com/triton-leases/tms/internal/valuesfile"
)

// FuzzRead compares Read with Helm's reader: if Read accepts a file, Helm reads the same
// values. If Read refuses it, the error has a message.
func FuzzRead(f *testing.F) {
	for _, text := range texts(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) { agrees(t, text) })
}

// TestReadBrokenFiles breaks files at random, with the same result on every run.
func TestReadBrokenFiles(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 8))
	parts := []string{
		" ", "  ", "\n", "\n\n", ":", ": ", "- ", "-", "#", " #", "\"", "'", "{", "}", "[", "]", ",", "&a ", "*a", "!!str ", "!", "|\n", ">\n",
		"\t", "\r\n", "é", "\x00", "---\n", "...\n", "a: b", "\nleases:\n", "leases:", "null", "~", "yes", "0x1f", "010", "1e3", "1_000", ".5", "-1", "2001-01-01", "12:30", "<<: ", "? ", "%",
		"0o17", "0b11", "+1", "1.", "=", ".inf", "Yes", "n", "NULL", "190:20:30", "0x_1", "@", "`",
	}
	accepted := 0
	for range 40 {
		for _, text := range texts(t) {
			at := random.IntN(len(text) + 1)
			until := min(len(text), at+random.IntN(4))
			part := parts[random.IntN(len(parts))]
			if agrees(t, []byte(string(text[:at])+part+string(text[until:]))) {
				accepted++
			}
		}
	}
	require.Greater(t, accepted, 300)
}

// agrees reports whether Read accepts a text. If it does, agrees requires that Helm's
// reader returns the same values.
func agrees(t *testing.T, text []byte) bool {
	t.Helper()
	got, err := valuesfile.Read(text)
	positions := valuesfile.Index(text)
	if err != nil {
		require.NotEmpty(t, err.Error())
		return false
	}
	var wanted map[string]any
	require.NoError(t, yaml.Unmarshal(text, &wanted), "only Helm refuses:\n%q", text)
	if len(wanted) > 0 || len(got) > 0 {
		require.Equal(t, wanted, got, "%q", text)
	}
	for key := range got {
		positions.Locate(fieldpath.New(key)) // must not panic; the position may be unknown
	}
	return true
}

// texts returns special cases, the values files of the tests, and random values.
func texts(t testing.TB) [][]byte {
	all := [][]byte{
		[]byte("a: 1"), []byte("a: &a [*a]"), []byte("? [x]\n: 1"), []byte("<<: 1"), []byte("a: !!binary x"), []byte("a: !!binary yesx"), []byte("!!binary yesx: a"), []byte("a:\n\tb"),
		[]byte("%YAML 9\n---\n"), []byte("\x00"), []byte("- - -"), []byte("a: *a"), []byte("a: [&x:b]"), []byte("a: !!str 1\nb: !!int '2'\n"),
		[]byte("a: &a {x: 1, v: {z: 2}}\nb: {<<: *a, x: 3}\nc: {x: 1, <<: [*a, {w: 1}]}\nd: {\"<<\": 1}\n"),
		[]byte("nameOverride: &x one\nleases:\n  a:\n    triton: {args: [&x two]}\nfullnameOverride: *x\n"),
		[]byte("server: {}\nleases:\n\n  # all\n  a-1:\n    models:\n    - name: m # the first\n      uri: pvc://c/x\n    - {name: n, uri: '/m'}\n  b:\n    triton:\n      args: [--log-verbose=1, a b, \"c: d\"]\n      env:\n        - name: A\n          value: |\n            two\n            lines\nenabled: true\n"),
		[]byte("leases:\n    a:\n        autoscaling: {enable: true, replicas: {maximum: 12}}\n        triton: {resources: {limits: {nvidia.com/gpu: 1, memory: 16Gi, cpu: 0.5}}}\n"),
		[]byte("a: word\nb: two words\nc: 500m\nd: true\ne: s3://b/c\nf: null\ng: yes\nh: 010\ni: 1e3\nj: 0x1f\nk: 1_000\nl: 12:30\nm: 2001-01-01\nn: \"esc\\n\"\no: é\np: 'it''s'\nq: .5\nr: -0\ns: 9007199254740993\nt: 1e30\nu: +1\nv: ~\nw: folded\n  words\nx: 12\n  30\n"),
	}
	corpus, err := randvalues.Corpus("../..", 30)
	require.NoError(t, err)
	return append(all, corpus...)
}

// BenchmarkRead reads a fleet of a thousand leases.
func BenchmarkRead(b *testing.B) {
	text := benchmarkFleet(1000)
	b.ReportAllocs()
	for b.Loop() {
		_, err := valuesfile.Read(text)
		require.NoError(b, err)
	}
}

func benchmarkFleet(leases int) []byte {
	var text strings.Builder
	text.WriteString("leases:\n")
	for i := range leases {
		fmt.Fprintf(&text, "  lease-%05d:\n    models:\n      - name: model-%d\n        uri: s3://models/%d\n    autoscaling:\n      enable: true\n      replicas:\n        maximum: %d\n      metrics:\n        queueTime:\n          threshold: %d\n", i, i, i%7, 8+i%9, 10000+i)
	}
	return []byte(text.String())
}
