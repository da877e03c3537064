package render

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/triton-leases/tms/internal/source"
)

// outline is what one lease says, divided into its form and what fills it. Two
// leases are of one form where they have the same keys, lists of the same
// lengths, and the same values but for those that the templates copy to the
// manifests as they are, or that only the policy reads.
//
// Whether two values are equal is part of the form as well: the templates name a
// repository once even where two models lie in it.
type outline struct {
	// form is the same for all leases of one form, and for no others.
	form []byte
	// leaves are the texts and numbers, in order.
	leaves []leaf
	// texts are the different ones that the templates copy.
	texts []string
	// verbatim says that all texts are part of the form, as they have to be where
	// whether they are equal cannot be seen by comparing them.
	verbatim bool

	depth int
	// section is the key of the lease, such as models, that is being read, and part
	// the key below it, such as args.
	section, part string

	// known are forms that were looked up with this outline.
	known map[string]*form
}

// leaf is a text or a number of a lease.
type leaf struct {
	text string
	kind leafKind
	// first and second are indices of texts.
	first, second int
}

type leafKind byte

const (
	fixed  leafKind = iota // part of the form
	number                 // of autoscaling, which only the policy reads
	copied                 // the first text
	volume                 // pvc://first
	path                   // pvc://first/second
)

func (o *outline) read(lease source.Lease) {
	*o = outline{form: o.form[:0], leaves: o.leaves[:0], texts: o.texts[:0], known: o.known}
	lease.Visit(o)
	if o.verbatim {
		*o = outline{form: o.form[:0], leaves: o.leaves[:0], verbatim: true, known: o.known}
		lease.Visit(o)
	}
}

// with returns a leaf's text with other texts.
func (l leaf) with(texts []string) string {
	switch l.kind {
	case copied:
		return texts[l.first]
	case volume:
		return volumeScheme + texts[l.first]
	case path:
		return volumeScheme + texts[l.first] + "/" + texts[l.second]
	default:
		return l.text
	}
}

const volumeScheme = "pvc://"

// Object, and the methods below it, make an outline a source.Visitor.
func (o *outline) Object() { o.depth++; o.form = append(o.form, '{') }

// List begins a list.
func (o *outline) List() { o.depth++; o.form = append(o.form, '[') }

// End ends an object or a list.
func (o *outline) End() { o.depth--; o.form = append(o.form, '}') }

// Key is the key of the next value.
func (o *outline) Key(key string) {
	switch o.depth {
	case 1:
		o.section, o.part = key, ""
	case 2:
		o.part = key
	}
	o.constant(':', key)
}

// Bool is a boolean, which is part of the form.
func (o *outline) Bool(value bool) {
	if value {
		o.form = append(o.form, '+')
	} else {
		o.form = append(o.form, '-')
	}
}

// Null is a null, which no schema accepts.
func (o *outline) Null() { o.form = append(o.form, '0') }

// Number is a number: what a lease asks for is not part of its form.
func (o *outline) Number(text string) {
	if o.section == "autoscaling" {
		o.form = append(o.form, 'N')
		o.leaves = append(o.leaves, leaf{text: text, kind: number})
		return
	}
	o.fixed('#', text)
}

// String is a text.
func (o *outline) String(text string) {
	if o.verbatim || !o.copiable(text) {
		// Of models the templates ask whether they are equal. Of a text that is not
		// among those that are copied that cannot be seen.
		o.verbatim = o.verbatim || o.section == "models"
		o.fixed('"', text)
		return
	}
	l := o.place(text)
	o.form = append(o.form, 'S', byte(l.kind), byte(l.first), byte(l.second))
	o.leaves = append(o.leaves, l)
}

// copiable says whether the templates copy a text as it is, wherever they do.
func (o *outline) copiable(text string) bool {
	const most = 100 // texts, so that an index fits a byte and the search is short
	if len(o.texts) >= most {
		return false
	}
	switch {
	case o.section == "models" && strings.HasPrefix(text, mountPath):
		return false // it may be where the claim of another model is mounted
	case o.section == "models", o.section == "image", o.section == "triton" && o.part == "args": // always quoted
		return isPlain(text)
	default:
		return source.IsWord(text)
	}
}

// mountPath is where the templates mount the claims of pvc:// URIs.
const mountPath = "/mnt/"

// place divides a text into what the templates copy of it.
func (o *outline) place(text string) leaf {
	l := leaf{text: text, kind: copied}
	claim, isVolume := strings.CutPrefix(text, volumeScheme)
	claim, inside, hasPath := strings.Cut(claim, "/")
	switch {
	case isVolume && hasPath:
		l.kind, l.first, l.second = path, o.index(claim), o.index(inside)
	case isVolume:
		l.kind, l.first = volume, o.index(claim)
	default:
		l.first = o.index(text)
	}
	return l
}

// isPlain says whether a text is itself in quotes.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return text != ""
}

// index returns the index of a text that is copied.
func (o *outline) index(text string) int {
	i := slices.Index(o.texts, text)
	if i < 0 {
		i = len(o.texts)
		o.texts = append(o.texts, text)
	}
	return i
}

func (o *outline) fixed(kind byte, text string) {
	o.constant(kind, text)
	o.leaves = append(o.leaves, leaf{text: text})
}

// constant adds a text to the form, with its length, so that no text can look like
// the beginning of what follows it.
func (o *outline) constant(kind byte, text string) {
	o.form = append(o.form, kind)
	o.form = binary.AppendUvarint(o.form, uint64(len(text)))
	o.form = append(o.form, text...)
}
