package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"

	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/internal/cut"
)

// WriteJSON writes the documents as one List, which kubectl takes, too.
func (res *Result) WriteJSON(w io.Writer) error {
	list := jsonList{result: res}
	if _, err := io.WriteString(w, "{\n  \"apiVersion\": \"v1\",\n  \"kind\": \"List\",\n  \"items\": ["); err != nil {
		return err
	}
	first := true
	err := res.each(list.append, func(_ string, text []byte) error {
		if first {
			text, first = bytes.TrimPrefix(text, []byte(",")), len(text) == 0
		}
		_, err := w.Write(text)
		return err
	})
	if err == nil {
		err = list.err
	}
	if err != nil {
		return err
	}
	end := "\n  ]\n}\n"
	if first {
		end = "]\n}\n"
	}
	_, err = io.WriteString(w, end)
	return err
}

// jsonList appends documents as items of a list.
type jsonList struct {
	result *Result
	once   sync.Once
	err    error // the first
}

// itemBegin is what stands before each item. That of the first has no comma.
const itemBegin = ",\n    "

func (l *jsonList) append(to []byte, s section, first, end int) []byte {
	if s.template == one {
		return l.convert(to, s.Source, s.Text)
	}
	for i := first; i < end; i++ {
		lease, m := l.result.leases[i], l.result.manifests[i]
		text := m.texts[s.template]
		if text == nil {
			continue
		}
		if item := m.json(s.template, lease.fillings); item != nil && !escaped(lease.fillings) {
			to = append(to, itemBegin...)
			to = item.Append(to, lease.fillings)
		} else {
			to = l.convert(to, s.Source, text.Fill(lease.fillings))
		}
	}
	return to
}

func (l *jsonList) convert(to []byte, source, text string) []byte {
	item, err := itemOf(text)
	if err != nil {
		l.once.Do(func() { l.err = fmt.Errorf("%s: %w", source, err) })
		return to
	}
	return append(append(to, itemBegin...), item...)
}

// itemOf returns a document as an item of the list, indented as such.
func itemOf(text string) (string, error) {
	compact, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return "", err
	}
	var item bytes.Buffer
	if err := json.Indent(&item, compact, strings.TrimPrefix(itemBegin, ",\n"), "  "); err != nil {
		return "", err
	}
	return item.String(), nil
}

// escaped says whether JSON writes any of the fillings in another way.
func escaped(fillings []string) bool {
	for _, filling := range fillings {
		if strings.ContainsAny(filling, "<>&\"\\") {
			return true
		}
	}
	return false
}

// json returns one of the texts as JSON, cut at the same marks, and nil where it
// does not fill as the text does. The fillings are those of any lease.
func (m *manifests) json(template int, fillings []string) *cut.Text {
	m.jsonLock.Lock()
	defer m.jsonLock.Unlock()
	if m.jsons == nil {
		m.jsons = make([]*cut.Text, len(m.texts))
		for t, text := range m.texts {
			if text == nil {
				continue
			}
			marked, err := itemOf(text.Fill(m.marks))
			wanted, wantedErr := itemOf(text.Fill(fillings))
			if item := m.marks.Text(marked); err == nil && wantedErr == nil && item.Fill(fillings) == wanted {
				m.jsons[t] = &item
			}
		}
	}
	return m.jsons[template]
}
