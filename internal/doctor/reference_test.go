package doctor_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/internal/doctor"
	"github.com/triton-leases/tms/internal/reference"
	"github.com/triton-leases/tms/internal/testing/golden"
)

const docs = "../../docs/"

// TestReference checks the page of all codes.
func TestReference(t *testing.T) {
	t.Parallel()
	page := reference.New("Codes of tmsctl doctor", "internal/doctor")
	page.Text("[`tmsctl doctor`](../troubleshooting.md#first-checks) gives each problem a code. The codes are stable, and a code is never " +
		"used for another problem. The exit status of the command is 1 if there is an error. Warnings do not change it.")
	var rows [][]string
	for _, code := range doctor.Codes() {
		m := doctor.MessageOf(code)
		rows = append(rows, []string{fmt.Sprintf("[%s](#%s)", code, strings.ToLower(code)), string(m.Level), escape(m.Text)})
	}
	page.Table([]string{"code", "level", "message"}, rows)
	for _, code := range doctor.Codes() {
		m := doctor.MessageOf(code)
		page.Heading(2, code)
		page.Text(fmt.Sprintf("%s: %s", m.Level, escape(m.Text)))
		page.Text(m.Meaning)
		page.Block("console", m.Command)
		page.Text("Fix: " + reference.Code(m.Fix))
		page.Text(fmt.Sprintf("Read: [%s](../%s)", title(m.Page), m.Page))
	}
	golden.Equal(t, docs+"reference/doctor.md", page.String())
}

// title returns the name of a section from its link.
func title(page string) string {
	_, anchor, _ := strings.Cut(page, "#")
	return strings.ToUpper(anchor[:1]) + strings.ReplaceAll(anchor[1:], "-", " ")
}

// escape escapes placeholders, which Markdown would take for tags.
func escape(text string) string { return strings.ReplaceAll(text, "<", `\<`) }

var (
	heading  = regexp.MustCompile(`(?m)^#+ (.+)$`)
	noAnchor = regexp.MustCompile(`[^a-z0-9 _-]`)
	sentence = regexp.MustCompile(`^[A-Z].*\.$`)
)

// TestMessages checks the style of messages, and that the anchors of their links exist.
func TestMessages(t *testing.T) {
	t.Parallel()
	anchors := map[string]bool{}
	for _, page := range []string{"install.md", "troubleshooting.md"} {
		text, err := os.ReadFile(docs + page)
		require.NoError(t, err)
		for _, match := range heading.FindAllStringSubmatch(string(text), -1) {
			anchors[page+"#"+strings.ReplaceAll(noAnchor.ReplaceAllString(strings.ToLower(match[1]), ""), " ", "-")] = true
		}
	}
	texts := map[string]string{}
	for _, code := range doctor.Codes() {
		m := doctor.MessageOf(code)
		require.Regexp(t, `^TMS1[0-4]\d\d$`, code)
		require.Contains(t, []doctor.Status{doctor.Error, doctor.Warning}, m.Level, code)
		require.NotRegexp(t, `\.$|^The `, m.Text, code)
		require.Regexp(t, sentence, m.Meaning, code)
		require.NotEmpty(t, m.Fix, code)
		require.Regexp(t, `^kubectl `, m.Command, code)
		require.True(t, anchors[m.Page], "%s: %s", code, m.Page)
		require.Empty(t, texts[m.Text], "%s has the text of %s", code, texts[m.Text])
		texts[m.Text] = code
	}
}

var shown = regexp.MustCompile(`(?m)^  error   (TMS\d+) (.+)$`)

// TestExamples compares the output that the documents show with the messages.
func TestExamples(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"install.md", "troubleshooting.md"} {
		text, err := os.ReadFile(docs + page)
		require.NoError(t, err)
		examples := shown.FindAllStringSubmatch(string(text), -1)
		require.NotEmpty(t, examples, page)
		for _, example := range examples {
			template := placeholder.ReplaceAllString(regexp.QuoteMeta(doctor.MessageOf(example[1]).Text), ".+")
			require.Regexp(t, "^"+template+"$", example[2], page)
		}
	}
}
