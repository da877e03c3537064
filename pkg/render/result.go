package render

import (
	"bufio"
	"fmt"
	"io"
	"slices"

	"github.com/triton-leases/tms/internal/helmchart"
)

// Document is one rendered document.
type Document struct {
	// Source is the path of its template, such as tms/templates/hpa.yaml.
	Source string
	// Text is the document, without a separator or the comment that names its template.
	Text string
	// Kind is the kind of the object.
	Kind string
	// Hook says that it is a hook of Helm, and not part of the release.
	Hook bool
	// Test says that it is a hook that helm test runs.
	Test bool
}

// Decode decodes the document into a typed object, strictly: a field that the
// type does not have, or has in another case, is an error that names its path.
func (d Document) Decode(object any) error { return helmchart.Document(d).Decode(object) }

func documentsOf(sorted []helmchart.Document) []Document {
	documents := make([]Document, len(sorted))
	for i, d := range sorted {
		documents[i] = Document(d)
	}
	return documents
}

// Result is what was rendered.
type Result struct {
	// Chart is the name of the chart.
	Chart string
	// Documents are in the order in which helm template prints them.
	Documents []Document
	// Leases are by name. They are empty where another chart was rendered.
	Leases []Lease
	// Warnings are sentences for a person: one for each adjustment, and what else deserves a look.
	Warnings []string
}

// SkipTests leaves the tests out, as helm template --skip-tests does.
func (res *Result) SkipTests() {
	res.Documents = slices.DeleteFunc(res.Documents, func(d Document) bool { return d.Test })
}

// WriteTo writes the text that helm template prints.
func (res *Result) WriteTo(w io.Writer) (int64, error) {
	counter := &countingWriter{w: w}
	buffer := bufio.NewWriter(counter)
	if len(res.Documents) == 0 || res.Documents[0].Hook {
		_, _ = buffer.WriteString("\n") // so does helm template where the release is empty
	}
	for _, document := range res.Documents {
		_, _ = fmt.Fprintf(buffer, "---\n# Source: %s\n%s\n", document.Source, document.Text)
	}
	err := buffer.Flush()
	return counter.n, err
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
