package schema

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPattern holds the short cuts to the expressions: those of the schema, and
// others of all kinds.
func TestPattern(t *testing.T) {
	text, err := os.ReadFile("../../charts/tms/values.schema.json")
	require.NoError(t, err)
	expressions := []string{
		`^[a-z]*$`, `^[a-z][0-9]*$`, `^[a-z][a-z][0-9]*$`, `^[a-z]+$`, `[a-z]*$`, `^[a-z]*`, `(?m)^[a-z]*$`, `(?i)^[a-z]*$`, `^[^a]*$`, `^a*$`,
		`ab`, `(?i)ab`, `^(ab|cd)$`, `a|bc`, `x(^|/)\.\.(/|$)`, `^[a-z]*[0-9]*$`, `^[a-z]*\z`, `^.*$`, ``, `^$`, `^[é-ü]*$`,
	}
	for _, found := range regexp.MustCompile(`"pattern": ("(?:[^"\\\\]|\\\\.)*")`).FindAllSubmatch(text, -1) {
		var expression string
		require.NoError(t, json.Unmarshal(found[1], &expression))
		expressions = append(expressions, expression)
	}
	require.Greater(t, len(expressions), 40)

	texts := []string{"", "a", "ab", "abc", "a1", "aa1", "A", "é", "aé", "\n", "a\n", "\x00", "\u2028", "..", "/../", "a/..", "a..b", "xx..", "s3://b/c", "pvc://c/x", "pvc://C", "/m", "nvidia.com/gpu", "10m", "1m30s", "50%", "_x", "-x", "x-"}
	random := rand.New(rand.NewPCG(11, 12))
	for range 2000 {
		text := make([]byte, random.IntN(8))
		for i := range text {
			text[i] = "abzAZ019-_./:@%\n\x7f\xc3\xa9"[random.IntN(18)]
		}
		texts = append(texts, string(text))
	}
	short := 0
	for _, expression := range expressions {
		p := newPattern(expression)
		if p.then != nil || p.contains != "" {
			short++
		}
		for _, text := range texts {
			require.Equal(t, p.expression.MatchString(text), p.matches(text), "%q and %q", expression, text)
		}
	}
	require.Greater(t, short, 8)
}
