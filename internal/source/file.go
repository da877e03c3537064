package source

import (
	"strings"
	"sync/atomic"

	yamlv4 "go.yaml.in/yaml/v4"

	"github.com/triton-leases/tms/internal/parallel"
)

// File is what one values file says: its values, but for the leases that were
// cut out of it.
type File struct {
	Values map[string]any
	// Leases are those that were cut out, in the order of the file.
	Leases []Lease
}

// leasesKey is the key of the values under which the leases stand.
const leasesKey = "leases"

// ReadFile is Read for fleets. Where the leases stand below each other in block
// style it cuts them out, and most of them need not be read as YAML at all. What
// it says of a file, wrong or right, is what Read says.
func ReadFile(text []byte) (File, error) {
	if file, ok := cut(string(text)); ok {
		return file, nil
	}
	values, err := Read(text)
	return File{Values: values}, err
}

// cut cuts the leases out of a file. It puts an empty mapping in their place and
// reads that: where YAML, too, finds the key leases in this line of the outermost
// mapping, it reads the lines below it as the value of that key. (They could have
// been part of a text that goes over several lines, or of a mapping in braces.)
func cut(text string) (File, bool) {
	section, ok := findSection(text)
	if !ok {
		return File{}, false
	}
	leases, ok := section.leases()
	if !ok {
		return File{}, false
	}
	const nothing = leasesKey + ": {}\n"
	values, document, err := read([]byte(text[:section.header] + nothing + text[section.end:]))
	if err != nil || !hasKey(document, leasesKey, 1+strings.Count(text[:section.header], "\n")) {
		return File{}, false
	}
	delete(values, leasesKey)
	return File{Values: values, Leases: leases}, true
}

// hasKey says whether the outermost mapping of a document is in block style and
// has the key in a line. Lines count from 1.
func hasKey(document *yamlv4.Node, key string, line int) bool {
	if document == nil || len(document.Content) == 0 || document.Content[0].Style&yamlv4.FlowStyle != 0 {
		return false
	}
	root := document.Content[0]
	for i := 0; root.Kind == yamlv4.MappingNode && i < len(root.Content); i += 2 {
		if root.Content[i].Value == key {
			return root.Content[i].Line == line
		}
	}
	return false
}

// section is the part of a text that holds the leases: the header, which is the
// line "leases:", and the body, which ends where the next key of the file begins.
type section struct {
	text              string
	header, body, end int
}

func findSection(text string) (section, bool) {
	const header = leasesKey + ":"
	s := section{text: text}
	for s.header = 0; !strings.HasPrefix(text[s.header:], header); s.header = lineEnd(text, s.header) {
		if s.header == len(text) {
			return s, false
		}
	}
	s.body = lineEnd(text, s.header)
	if after := strings.TrimLeft(text[s.header+len(header):s.body], " "); after != "" && after[0] != '\n' {
		return s, false // a value in braces, or a comment, which is not worth its rules
	}
	for s.end = s.body; s.end < len(text); s.end = lineEnd(text, s.end) {
		if c := text[s.end]; c != ' ' && c != '\n' && c != '#' {
			break
		}
	}
	return s, true
}

// lineEnd returns where the line ends that begins at a place.
func lineEnd(text string, at int) int {
	if i := strings.IndexByte(text[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(text)
}

// leases cuts the section at the lines that are indented as the first one, and
// makes sure that each lease means by itself what it means in the file.
func (s section) leases() ([]Lease, bool) {
	var leases []Lease
	var texts []string
	seen := map[string]bool{}
	column, start := -1, s.body
	for at := s.body; at < s.end; {
		next := lineEnd(s.text, at)
		line := s.text[at:next]
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if indent < len(line) && line[indent] != '\n' && line[indent] != '#' {
			if column < 0 {
				column = indent
			}
			if indent < column {
				return nil, false
			}
			if indent == column {
				name, _, ok := strings.Cut(line[indent:], ":")
				if !ok || seen[name] || len(name) > maxName || kindOf(name) != aString {
					return nil, false
				}
				seen[name] = true
				if len(leases) > 0 {
					texts = append(texts, s.text[start:at])
					start = at
				}
				leases = append(leases, Lease{Name: name})
			}
		}
		at = next
	}
	texts = append(texts, s.text[start:s.end])
	return leases, len(leases) > 0 && readAlone(leases, texts)
}

// readAlone gives each lease its body, where all of them have one of their own.
func readAlone(leases []Lease, texts []string) bool {
	var dependent atomic.Bool
	parallel.Do(len(leases), func(first, end int) {
		for i := first; i < end && !dependent.Load(); i++ {
			body, ok := newBody(leases[i].Name, texts[i])
			if !ok {
				dependent.Store(true)
			}
			leases[i].body = body
		}
	})
	return !dependent.Load()
}

// maxName is longer than any name that is legal.
const maxName = 253
