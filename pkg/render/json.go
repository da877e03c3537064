package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/internal/stencil"
)

// WriteJSON writes the documents as one List, as kubectl get -o json prints it.
func (res *Result) WriteJSON(w io.Writer) error {
	if _, err := io.WriteString(w, "{\n  \"apiVersion\": \"v1\",\n  \"kind\": \"List\",\n  \"items\": ["); err != nil {
		return err
	}
	if res.renderer != nil {
		for _, g := range res.Leases {
			if _, err := res.renderer.allJSON(g.shape); err != nil {
				return err
			}
		}
	}
	first := true
	err := res.write(func(string) (io.Writer, error) { return w, nil }, func(to []byte, s section, text []byte) ([]byte, error) {
		if s.kind == sharedSection {
			item, err := jsonItem(string(text))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.Source, err)
			}
			text = []byte(item)
		}
		separator := ",\n" + itemIndent
		if first {
			first, separator = false, separator[1:]
		}
		return append(append(to, separator...), text...), nil
	}, func(s *shape) []*stencil.Stencil { return s.json })
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

const itemIndent = "    "

// jsonItem converts a document to an item of the List.
func jsonItem(text string) (string, error) {
	compact, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return "", err
	}
	var item bytes.Buffer
	err = json.Indent(&item, compact, itemIndent, "  ")
	return item.String(), err
}
