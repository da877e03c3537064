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

// response returns a response with a message.
func response(message string) *tmsv1.AcquireResponse {
	return &tmsv1.AcquireResponse{Lease: &tmsv1.Lease{Id: "a\n", State: tmsv1.State_STATE_STARTING, Message: message}}
}

// TestProgress checks that a terminal shows one line that is redrawn and fits.
func TestProgress(t *testing.T) {
	t.Parallel()
	var screen bytes.Buffer
	drawn := func() string { defer screen.Reset(); return screen.String() }
	p := &progress{w: &screen, width: func() int { return 30 }}
	p.update(response("\x1b[2J"))
	require.Equal(t, "\r\x1b[K"+`Lease a\n starting: \x1b[2J`, drawn())
	p.update(response("äöü pulls the image of Triton"))
	require.Equal(t, "\r\x1b[K"+`Lease a\n starting: äöü pulls`, strings.TrimRight(drawn(), " "))

	// A lost connection stays on the screen, and is printed once.
	lost := &client.Error{Message: "gone\n"}
	p.connectionLost(lost, 0)
	p.connectionLost(lost, 0)
	require.Equal(t, "\r\x1b[K"+`gone\n: retrying`+"\n", drawn())
	p.update(response(""))
	require.Equal(t, "\r\x1b[K"+`Lease a\n starting`, drawn())
	p.connectionLost(errors.New("again"), 0)
	require.Equal(t, "\r\x1b[Kagain: retrying\n", drawn())
	p.update(response(""))
	screen.Reset()
	p.interrupted()
	require.Equal(t, "\r\x1b[K"+`releasing lease a\n; interrupt again to stop without releasing it`+"\n", drawn())
	p.clear()
	require.Empty(t, drawn())
	require.Equal(t, "starting", p.last)
}

// TestProgressNoTerminal checks that only lost connections are printed.
func TestProgressNoTerminal(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	p := newProgress(&log)
	p.update(response("x"))
	p.clear()
	require.Empty(t, log.String())
	p.connectionLost(errors.New("gone"), 0)
	require.Equal(t, "gone: retrying\n", log.String())
}

// TestEscape checks that only printable characters reach the terminal.
func TestEscape(t *testing.T) {
	t.Parallel()
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
		require.Equal(t, want, escape(text))
	}
}

// FuzzEscape checks that escaped texts are printable, and that escaped JSON keeps its
// meaning.
func FuzzEscape(f *testing.F) {
	f.Add("\x1b[2J\u202e\U000e0001\xff")
	f.Fuzz(func(t *testing.T, text string) {
		escaped := escape(text)
		require.Equal(t, escaped, escape(escaped))
		encoded, err := json.Marshal(text)
		require.NoError(t, err)
		safe := escapeJSON(encoded)
		require.Equal(t, string(safe), escape(string(safe)))
		var before, after string
		require.NoError(t, json.Unmarshal(encoded, &before))
		require.NoError(t, json.Unmarshal(safe, &after))
		require.Equal(t, before, after)
	})
}
