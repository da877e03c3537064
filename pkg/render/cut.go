package render

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/triton-leases/tms/internal/cut"
	"github.com/triton-leases/tms/internal/helmchart"
)

// manifests are the texts of all leases of one form whose grants differ only in
// numbers and sentences, cut where the fillings stand.
type manifests struct {
	// texts are those of the leaseTemplates, nil where a template renders nothing.
	texts []*cut.Text
	// lines are what the lease adds to each of the documents that leases share.
	lines map[int][]cut.Text
	marks cut.Marks

	// jsons are the texts as JSON, where that was asked for.
	jsonLock sync.Mutex
	jsons    []*cut.Text
}

// shared is a document that leases share: each adds lines to it, in one place.
type shared struct {
	helmchart.Document
	before, after string
}

// errNoForm says that forms do not explain what the templates do: the engine has
// to render each lease.
var errNoForm = errors.New("the leases differ in more than what was put in")

// cutManifests renders the samples with marks, cuts the texts, and makes sure
// that the pieces give what the templates make of the samples themselves. A text
// that has a mark although it was rendered without marks has a value that looks
// like one.
func (in *Installation) cutManifests(samples []*sample) ([]shared, error) {
	marked, plain := make([]granted, len(samples)), make([]granted, len(samples))
	for i, s := range samples {
		marked[i], plain[i] = s.mark(i), s.granted()
		s.manifests.texts = make([]*cut.Text, len(leaseTemplates))
		s.manifests.lines = map[int][]cut.Text{}
		s.manifests.marks = s.marks
	}
	texts, err := in.run(marked)
	if err != nil {
		return nil, err
	}
	wanted, err := in.run(plain)
	if err != nil {
		return nil, err
	}
	pool := map[string]string{}
	for t := range leaseTemplates {
		if len(texts.ofLeases[t]) != len(wanted.ofLeases[t]) {
			return nil, errNoForm
		}
		for i, text := range texts.ofLeases[t] {
			s, ok := sampleIn(text, samples)
			if !ok {
				return nil, fmt.Errorf("%w: a %s without its name", errNoForm, leaseTemplates[t].kind)
			}
			cut := s.marks.Text(text)
			if s.marks.Text(wanted.ofLeases[t][i]).Marked() || cut.Fill(s.fillings) != wanted.ofLeases[t][i] {
				return nil, fmt.Errorf("%w: the %s of lease %s", errNoForm, leaseTemplates[t].kind, s.Name)
			}
			cut = cut.Intern(pool)
			s.manifests.texts[t] = &cut
		}
	}
	return cutShared(texts.others, wanted.others, samples)
}

// sampleIn returns the sample whose mark a text has.
func sampleIn(text string, samples []*sample) (*sample, bool) {
	found := leaseMark.FindStringSubmatch(text)
	if found == nil {
		return nil, false
	}
	n, err := strconv.Atoi(found[1])
	if err != nil || n >= len(samples) {
		return nil, false
	}
	return samples[n], true
}

// cutShared cuts the documents that are not of one lease.
func cutShared(documents, wanted []helmchart.Document, samples []*sample) ([]shared, error) {
	if len(documents) != len(wanted) {
		return nil, errNoForm
	}
	var marks cut.Marks // all samples have the same, but for the name, and some have fewer
	for _, s := range samples {
		if len(s.marks) > len(marks) {
			marks = s.marks
		}
	}
	all := make([]shared, len(documents))
	for i, document := range documents {
		if leaseMark.MatchString(wanted[i].Text) || marks.Text(wanted[i].Text).Marked() {
			return nil, fmt.Errorf("%w: a value looks like a mark", errNoForm)
		}
		var before, lines, after strings.Builder
		for line := range strings.Lines(document.Text) {
			s, ok := sampleIn(line, samples)
			switch {
			case ok && after.Len() > 0:
				return nil, errNoForm // not in one place
			case ok:
				cut := s.marks.Text(line)
				s.manifests.lines[i] = append(s.manifests.lines[i], cut)
				lines.WriteString(cut.Fill(s.fillings))
			case lines.Len() == 0:
				before.WriteString(line)
			default:
				after.WriteString(line)
			}
		}
		document.Text = wanted[i].Text
		if document != wanted[i] || before.String()+lines.String()+after.String() != document.Text {
			return nil, errNoForm
		}
		all[i] = shared{document, before.String(), after.String()}
	}
	return all, nil
}

// with returns the document with the lines of all leases.
func (s shared) with(index int, leases []*judged, manifests []*manifests) helmchart.Document {
	text := []byte(s.before)
	for i := range leases {
		for _, line := range manifests[i].lines[index] {
			text = line.Append(text, leases[i].fillings)
		}
	}
	document := s.Document
	document.Text = string(append(text, s.after...))
	return document
}
