package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSameText(t *testing.T) {
	same := func(wanted, got string) error {
		return sameText(strings.NewReader(wanted), strings.NewReader(got))
	}
	require.NoError(t, same("", ""))
	require.NoError(t, same("a\nb\n", "a\nb\n"))
	require.ErrorContains(t, same("a\nb\n", "a\nc\n"), "line 2")
	require.Error(t, same("a\n", "a"))
	require.Error(t, same("a\n", "a\nb\n"))
	require.Error(t, same("a\nb\n", "a\n"))
	long := strings.Repeat("long ", 10000)
	require.NoError(t, same(long+"\n", long+"\n"))
	require.Error(t, same(long+"a\n", long+"b\n"))
}

func TestSameDocuments(t *testing.T) {
	const wanted = "---\nkind: A\nmetadata: {name: a, namespace: n}\nspec: {x: 1, y: [b]}\n---\nkind: B\nmetadata: {name: b}\n"
	same := func(got string) error {
		return sameDocuments(strings.NewReader(wanted), strings.NewReader(got))
	}
	const a = `{"spec": {"y": ["b"], "x": 1}, "metadata": {"namespace": "n", "name": "a"}, "kind": "A"}` + "\n"
	const b = `{"metadata": {"name": "b"}, "kind": "B"}` + "\n"
	require.NoError(t, same(b+"---\n"+a+"...\n"))
	require.ErrorContains(t, same(a), "B /b")
	require.ErrorContains(t, same(a+"---\n"+b+"---\n"+strings.ReplaceAll(a, `"n"`, `"m"`)), "A m/a")
	require.ErrorContains(t, same(b+"---\n"+strings.ReplaceAll(a, "1", `"1"`)), "A n/a")
	require.ErrorContains(t, same(a+"---\n"+b+"---\n"+b), "two of B /b")
}

// TestWrite checks that write keeps the text outside the comments, and that the plot is
// well-formed XML.
func TestWrite(t *testing.T) {
	medians := costs{}
	for i, tool := range tools {
		medians[tool.name] = map[int]cost{}
		for _, size := range sizes {
			if size.leases <= tool.maxLeases {
				medians[tool.name][size.leases] = cost{cpu: time.Duration(i+1) * time.Millisecond, wall: time.Millisecond, peak: 1024}
			}
		}
	}
	docs := t.TempDir()
	page := filepath.Join(docs, "performance.md")
	require.NoError(t, os.WriteFile(page, []byte("before\n"+begin+"old\n"+end+"after\n"), 0o600))
	require.NoError(t, medians.write(docs, medians.report("")))
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Equal(t, "before\n"+begin+medians.report("")+end+"after\n", string(text))

	plot, err := os.Open(filepath.Join(docs, "performance.svg"))
	require.NoError(t, err)
	defer func() { require.NoError(t, plot.Close()) }()
	decoder := xml.NewDecoder(plot)
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
}

func TestGoals(t *testing.T) {
	t.Parallel()
	medians := costs{
		ours:        {1000: {cpu: time.Second}, 10000: {cpu: time.Second}, 100000: {cpu: 11 * time.Second}},
		helm3:       {1000: {cpu: 9 * time.Second}, 10000: {cpu: 70 * time.Second}},
		jsonnetName: {10000: {cpu: 2 * time.Second}},
	}
	rows := strings.Join(strings.Fields(medians.goals()), " ")
	require.Contains(t, rows, "1/20 of Helm 3 | 1/70 | met |")
	require.Contains(t, rows, "1/10 of Helm 3 | 1/9.0 | missed |")
	require.Contains(t, rows, "less than go-jsonnet | 1/2.0 | met |")
	require.Contains(t, rows, "the power of at most 1.05 | 1.04 | met |")
	require.NotContains(t, rows, "one lease", "it was not measured")
}
