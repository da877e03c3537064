package valuesfile_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/internal/valuesfile"
)

// TestPlainWords checks the messages about mistakes that people make in YAML, and that they
// name the line of the mistake, not the one where the parser stops.
func TestPlainWords(t *testing.T) {
	t.Parallel()
	const (
		tab   = "a tab is used for indentation: use spaces"
		space = "a space is missing after the colon: write <key>: <value>"
		colon = "a colon is missing: write <key>: <value>"
		git   = "a conflict marker of git: resolve the conflict and remove the marker"
	)
	for text, message := range map[string]string{
		"a:\n  b:\n\tc: 1\n":            "line 3, column 1: " + tab,
		"a:\n\tb: 1\n":                  "line 2, column 1: " + tab,
		"a:\n  - b: 1\n \tc: 1\n":       "line 3, column 2: " + tab,
		"a:\n  b\n    c: 1\n":           "line 2, column 3: " + colon,
		"a:\n  b 1\n\n  # d\n  c: 1\n":  "line 2, column 3: " + colon,
		"a: 1\nb\n":                     "line 2, column 1: " + colon,
		"a:\n  b:1\n  c: 1\n":           "line 2, column 5: " + space,
		"a:\n  b:{c: []}\n":             "line 2, column 5: " + space,
		"a:\n  -b: 1\n   c: 1\n":        "line 2, column 3: a space is missing after the dash: write \"- \" before an item of a list",
		"a:\n  b: c: d\n":               "line 2, column 7: a value contains a colon and a space: quote the value",
		"a:\n  b: 1\n    c: 1\n":        "line 3, column 5: indented more than line 2, which already has a value: indent it as that line",
		"a:\n  b:\n    c: 1\n   d: 1\n": "line 4, column 4: the indentation matches no key above: indent the key as the keys beside it",
		"a:\n  b: [{c: 1}\n":            "line 3, column 1: the bracket in line 2, column 6 is not closed, or a comma is missing between its items",
		"a:\n  b: \"c\n  d: 1\n":        "line 2, column 6: the quote is not closed: close it, and write two single quotes for one in a text",
		"a: @b\n":                       "line 1, column 4: a value must not begin with @: quote it",
		"a: *b\n":                       "line 1, column 4: unknown anchor 'b' referenced: quote the value if it begins with *",
		"a: \"\\q\"\n":                  "line 1, column 5: unknown escape in double quotes: write \\\\ for a backslash, or use single quotes",
		"a: {{ .b }}\n":                 "line 1, column 5: a key must be a string: quote a value that begins with {{",
		"a: 1\n<<<<<<< HEAD\nb: 1\n":    "line 2, column 1: " + git,
		"a\x00:\x00 \x001\x00":          "line 1, column 1: the file is UTF-16: save it as UTF-8",
		"\x00a\x00:\x00 \x001":          "line 1, column 1: the file is UTF-16: save it as UTF-8",
		"a: 1\nb: \xe9\n":               "line 2, column 4: the byte 0xe9 is not UTF-8: save the file as UTF-8, or give a text file if it is a binary file",
		"\x1f\x8b\x08":                  "line 1, column 1: the control character 0x1f is not allowed: remove it, or give a text file if this is a binary file",
		"a: 1\nb: é\x01\n":              "line 2, column 5: the control character 0x01 is not allowed: remove it, or give a text file if this is a binary file",
		"a: 1\rb: c: d\r":               "line 2, column 5: a value contains a colon and a space: quote the value",
	} {
		_, err := valuesfile.Read([]byte(text))
		require.EqualError(t, err, message, "%q", text)
	}
	_, err := valuesfile.Read([]byte("\xff\xfea\x00:\x00 \x001\x00"))
	require.NoError(t, err, "UTF-16 with a byte order mark")
}
