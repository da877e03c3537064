package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/pkg/client"
)

func answer(message string) *tmsv1.AcquireResponse {
	return &tmsv1.AcquireResponse{Lease: &tmsv1.Lease{Id: "a\n", State: tmsv1.State_STATE_STARTING, Message: message}}
}

// TestProgress: a person sees one line that is drawn over itself, and that fits.
func TestProgress(t *testing.T) {
	var screen bytes.Buffer
	drawn := func() string { defer screen.Reset(); return screen.String() }
	p := &progress{w: &screen, width: func() int { return 30 }}
	p.show(answer("\x1b[2J"))
	require.Equal(t, "\r\x1b[K"+`Lease a\n starting: \x1b[2J`, drawn())
	p.show(answer("äöü pulls the image of Triton"))
	require.Equal(t, "\r\x1b[K"+`Lease a\n starting: äöü pulls`, strings.TrimRight(drawn(), " "))

	// What must be read is not drawn over, and is said once.
	lost := &client.Error{Message: "gone\n"}
	p.lost(lost, 0)
	p.lost(lost, 0)
	require.Equal(t, "\r\x1b[K"+`gone\n: trying again`+"\n", drawn())
	p.show(answer(""))
	require.Equal(t, "\r\x1b[K"+`Lease a\n starting`, drawn())
	p.lost(errors.New("again"), 0)
	require.Equal(t, "\r\x1b[Kagain: trying again\n", drawn())
	p.show(answer(""))
	screen.Reset()
	p.interrupted()
	require.Equal(t, "\r\x1b[K"+`releasing lease a\n; interrupt again to leave it`+"\n", drawn())
	p.clear()
	require.Empty(t, drawn())
	require.Equal(t, "starting", p.last)
}

// TestProgressUnwatched: where nobody watches, nothing moves.
func TestProgressUnwatched(t *testing.T) {
	var log bytes.Buffer
	p := newProgress(&log)
	p.show(answer("x"))
	p.clear()
	require.Empty(t, log.String())
	p.lost(errors.New("gone"), 0)
	require.Equal(t, "gone: trying again\n", log.String())
}

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "",
		"größer als 3 µs – 日本語 👍": "größer als 3 µs – 日本語 👍",
		`C:\models`:               `C:\models`,
		"a\tb\r\nc\x00":           `a\tb\r\nc\x00`,
		"\x1b[31m\x7f":            `\x1b[31m\x7f`,
		"\u009b31m\u200b\u202e":   `\u009b31m\u200b\u202e`,
		"\u2028\u00a0":            `\u2028\u00a0`,
		"\xff\xc3(\xed\xa0\x80":   `\xff\xc3(\xed\xa0\x80`,
		"\U000e0001\ufffd":        `\U000e0001` + "\ufffd",
	} {
		require.Equal(t, want, printable(text))
	}
}

// FuzzPrintable: whatever comes, a terminal is shown one line of printable characters;
// JSON means what it meant.
func FuzzPrintable(f *testing.F) {
	f.Add("\x1b[2J\u202e\U000e0001\xff")
	f.Fuzz(func(t *testing.T, text string) {
		quoted := printable(text)
		require.Equal(t, quoted, printable(quoted))
		encoded, err := json.Marshal(text)
		require.NoError(t, err)
		safe := printableJSON(encoded)
		require.Equal(t, string(safe), printable(string(safe)))
		var before, after string
		require.NoError(t, json.Unmarshal(encoded, &before))
		require.NoError(t, json.Unmarshal(safe, &after))
		require.Equal(t, before, after)
	})
}
