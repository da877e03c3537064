package render

import (
	"io"
	"iter"
	"slices"

	"github.com/triton-leases/tms/internal/helmchart"
	"github.com/triton-leases/tms/internal/parallel"
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

// Result is what was rendered. Its documents are made when they are asked for: a
// large fleet is never in memory as a whole.
type Result struct {
	// Chart is the name of the chart.
	Chart string
	// Judgement is empty but for warnings where another chart was rendered.
	Judgement
	// Progress, where it is set, is told from time to time how much of how much was written.
	Progress func(done, total int)

	sections  []section
	leases    []*judged
	manifests []*manifests // of each lease
	byEngine  error        // why the engine rendered each lease
}

// section is one document, or those that one template makes of the leases, in
// the order in which helm template prints them.
type section struct {
	helmchart.Document     // without a text where it stands for those of leases
	template           int // the index of the template of leases, or one
}

const one = -1

func sectionsOf(documents []helmchart.Document) []section {
	sections := make([]section, len(documents))
	for i, document := range documents {
		sections[i] = section{document, one}
	}
	return sections
}

// Documents yields the documents in the order in which helm template prints them.
func (res *Result) Documents() iter.Seq[Document] {
	return func(yield func(Document) bool) {
		for _, s := range res.sections {
			if s.template == one {
				if !yield(Document(s.Document)) {
					return
				}
				continue
			}
			for i := range res.leases {
				text := res.manifests[i].texts[s.template]
				if text == nil {
					continue
				}
				document := Document(s.Document)
				document.Text = text.Fill(res.leases[i].fillings)
				if !yield(document) {
					return
				}
			}
		}
	}
}

// SkipTests leaves the tests out, as helm template --skip-tests does.
func (res *Result) SkipTests() {
	res.sections = slices.DeleteFunc(res.sections, func(s section) bool { return s.Test })
}

// WriteTo writes the text that helm template prints. It needs the memory of a
// few hundred documents, and as many cores as there are.
func (res *Result) WriteTo(w io.Writer) (int64, error) {
	counter := &countingWriter{w: w}
	if len(res.sections) == 0 || res.sections[0].Hook {
		if _, err := counter.Write([]byte("\n")); err != nil { // so does helm template where the release is empty
			return counter.n, err
		}
	}
	err := res.WriteEach(func(string) (io.Writer, error) { return counter, nil })
	return counter.n, err
}

// WriteEach writes the text of each template to the writer that a function
// returns for its path, such as tms/templates/hpa.yaml. The function may be asked
// for one more than once.
func (res *Result) WriteEach(open func(source string) (io.Writer, error)) error {
	return res.each(res.append, func(source string, text []byte) error {
		w, err := open(source)
		if err == nil {
			_, err = w.Write(text)
		}
		return err
	})
}

// each makes the texts of all documents, several at once, and hands them on in order.
func (res *Result) each(appendTo func(to []byte, s section, first, end int) []byte, handOn func(source string, text []byte) error) error {
	done, total := 0, 0
	for _, s := range res.sections {
		total += res.documents(s)
	}
	for _, s := range res.sections {
		err := parallel.InOrder(res.documents(s), func(to []byte, first, end int) []byte {
			return appendTo(to, s, first, end)
		}, func(text []byte, documents int) error {
			if done += documents; res.Progress != nil {
				res.Progress(done, total)
			}
			return handOn(s.Source, text)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// documents returns how many documents a section has, or could have.
func (res *Result) documents(s section) int {
	if s.template == one {
		return 1
	}
	return len(res.leases)
}

// append appends documents of a section as they are printed.
func (res *Result) append(to []byte, s section, first, end int) []byte {
	separator := "---\n# Source: " + s.Source + "\n"
	if s.template == one {
		to = append(to, separator...)
		to = append(to, s.Text...)
		return append(to, '\n')
	}
	for i := first; i < end; i++ {
		if text := res.manifests[i].texts[s.template]; text != nil {
			to = append(to, separator...)
			to = text.Append(to, res.leases[i].fillings)
			to = append(to, '\n')
		}
	}
	return to
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
