package render

import (
	"io"
	"iter"
	"slices"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/helmchart"
	"github.com/triton-leases/tms/internal/stencil"
	"github.com/triton-leases/tms/pkg/policy"
)

// Document is one rendered document.
type Document = helmchart.Document

// Result holds the rendered documents. The manifests of leases are filled in when they
// are written, so that a large fleet is never in memory as a whole.
type Result struct {
	// Chart is the name of the chart.
	Chart string
	// Grants has only warnings if another chart was rendered.
	Grants
	// Progress, if set, is called from time to time with the number of documents that are
	// written, and the number of all documents.
	Progress func(done, total int)

	renderer *LeaseRenderer
	sections []section
}

// section is one document, or the documents of all leases that one template renders.
type section struct {
	Document     // without Text if the section holds documents of leases
	kind     int // the index in kinds of the documents of leases, or sharedSection
}

// sharedSection is the kind of a section with a document that does not belong to one lease.
const sharedSection = -1

// Manifests renders leases that this LeaseRenderer granted, in the given order, and no
// other documents.
func (lr *LeaseRenderer) Manifests(leases ...*GrantedLease) (*Result, error) {
	if err := lr.renderShapes(leases); err != nil {
		return nil, err
	}
	res := &Result{Chart: lr.renderer.chart.Name(), Grants: Grants{Leases: leases}, renderer: lr}
	for k, kind := range kinds {
		if slices.ContainsFunc(leases, func(g *GrantedLease) bool { return g.shape.yaml[k] != nil }) {
			res.sections = append(res.sections, section{Document{Source: lr.renderer.chart.Path(kind.Template), Kind: kind.Kind}, k})
		}
	}
	res.add(nil)
	return res, nil
}

// add adds documents that do not belong to one lease, and sorts all sections as helm
// template does.
func (res *Result) add(documents []Document) {
	for _, document := range documents {
		res.sections = append(res.sections, section{document, sharedSection})
	}
	slices.SortStableFunc(res.sections, func(a, b section) int { return helmchart.Compare(a.Document, b.Document) })
}

// Unit returns the unit of the thresholds of a metric. The Result must not be that of
// another chart.
func (res *Result) Unit(metric v1alpha1.MetricName) policy.Unit {
	return res.renderer.metrics[string(metric)].Unit
}

// SkipTests leaves the tests out, as helm template --skip-tests does.
func (res *Result) SkipTests() {
	res.sections = slices.DeleteFunc(res.sections, func(s section) bool { return s.Test })
}

// Documents yields the documents in the order in which helm template prints them.
func (res *Result) Documents() iter.Seq[Document] {
	return func(yield func(Document) bool) {
		for _, s := range res.sections {
			document := s.Document
			for text := range res.texts(s, yamlOf) {
				document.Text = string(text)
				if !yield(document) {
					return
				}
			}
		}
	}
}

// yamlOf returns the manifests of a shape as YAML.
func yamlOf(s *shape) []*stencil.Stencil { return s.yaml }

// texts yields the texts of the documents of a section. Each is valid until the next one.
// manifests returns the manifests of a shape, by kind. A shared document is always YAML.
func (res *Result) texts(s section, manifests func(*shape) []*stencil.Stencil) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if s.kind == sharedSection {
			yield([]byte(s.Text))
			return
		}
		var buffer []byte
		for _, g := range res.Leases {
			if manifest := manifests(g.shape)[s.kind]; manifest != nil {
				buffer = manifest.Append(buffer[:0], g.parameters)
				if !yield(buffer) {
					return
				}
			}
		}
	}
}

// WriteTo writes the text that helm template prints.
func (res *Result) WriteTo(w io.Writer) (int64, error) {
	counter := &countingWriter{w: w}
	if len(res.sections) == 0 || res.sections[0].Hook {
		if _, err := counter.Write([]byte("\n")); err != nil { // as helm template does for a release without manifests
			return counter.n, err
		}
	}
	err := res.WriteEach(func(string) (io.Writer, error) { return counter, nil })
	return counter.n, err
}

// WriteEach writes the text of each template to the writer that open returns for its
// path, such as tms/templates/hpa.yaml. open may be called several times with the same
// path.
func (res *Result) WriteEach(open func(source string) (io.Writer, error)) error {
	return res.write(open, func(to []byte, s section, text []byte) ([]byte, error) {
		to = append(to, "---\n# Source: "+s.Source+"\n"...)
		to = append(to, text...)
		return append(to, '\n'), nil
	}, yamlOf)
}

// write writes all documents. appendText appends the text of one document, with its
// separators, to a buffer. manifests is as for texts.
func (res *Result) write(
	open func(source string) (io.Writer, error),
	appendText func(to []byte, s section, text []byte) ([]byte, error),
	manifests func(*shape) []*stencil.Stencil,
) error {
	const flushAt = 64 << 10
	done, total := 0, 0
	for _, s := range res.sections {
		total += res.count(s)
	}
	var buffer []byte
	for _, s := range res.sections {
		w, err := open(s.Source)
		if err != nil {
			return err
		}
		flush := func() error {
			_, err := w.Write(buffer)
			buffer = buffer[:0]
			if res.Progress != nil {
				res.Progress(done, total)
			}
			return err
		}
		for text := range res.texts(s, manifests) {
			if buffer, err = appendText(buffer, s, text); err != nil {
				return err
			}
			if done++; len(buffer) >= flushAt {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		if err := flush(); err != nil {
			return err
		}
	}
	return nil
}

// count returns the number of documents of a section.
func (res *Result) count(s section) int {
	if s.kind == sharedSection {
		return 1
	}
	n := 0
	for _, g := range res.Leases {
		if g.shape.yaml[s.kind] != nil {
			n++
		}
	}
	return n
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
