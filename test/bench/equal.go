package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v4"
)

// compare returns an error if a tool renders a fleet differently from tms-render. These
// runs are not timed.
func compare(bin string, in input) error {
	for _, t := range tools {
		if t.same == nil || in.leases > t.sameMaxLeases {
			continue
		}
		if err := t.compareOutput(bin, in); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

// compareOutput compares the output of the tool with that of tms-render while it reads
// both, because this process must stay small: see measure.
func (t tool) compareOutput(bin string, in input) error {
	wanted, err := os.Open(in.text)
	if err != nil {
		return err
	}
	defer func() { _ = wanted.Close() }()
	c := t.cmd(bin, in)
	var stderr head
	c.Stderr = &stderr
	got, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	differs := t.same(wanted, got)
	_, _ = io.Copy(io.Discard, got)
	if err := c.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, stderr.text)
	}
	return differs
}

// head is a Writer that keeps the first 4096 bytes: a tool may print a warning for each
// lease.
type head struct{ text []byte }

func (h *head) Write(p []byte) (int, error) {
	h.text = append(h.text, p[:min(len(p), 4096-len(h.text))]...)
	return len(p), nil
}

// sameText returns an error that names the first line in which two texts differ.
func sameText(wanted, got io.Reader) error {
	w, g := bufio.NewReader(wanted), bufio.NewReader(got)
	for line := 1; ; line++ {
		a, errA := w.ReadSlice('\n')
		b, errB := g.ReadSlice('\n')
		if !bytes.Equal(a, b) {
			return fmt.Errorf("line %d is %q; %s has %q", line, b, ours, a)
		}
		if errors.Is(errA, io.EOF) && errors.Is(errB, io.EOF) {
			return nil
		}
		if err := cmp.Or(errA, errB); err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// sameDocuments returns an error that names a document in which two streams of YAML
// documents differ. It ignores the order of the documents and of their keys.
func sameDocuments(wanted, got io.Reader) error {
	w, err := documents(wanted)
	if err != nil {
		return err
	}
	g, err := documents(got)
	if err != nil {
		return err
	}
	for name, document := range w {
		if g[name] != document {
			return fmt.Errorf("%s is\n%s\n%s has\n%s", name, g[name], ours, document)
		}
		delete(g, name)
	}
	for name := range g {
		return fmt.Errorf("%s does not render %s", ours, name)
	}
	return nil
}

// documents returns the objects of a stream of YAML documents as JSON, by kind, namespace
// and name.
func documents(stream io.Reader) (map[string]string, error) {
	all := map[string]string{}
	decoder := yaml.NewDecoder(stream)
	for {
		var object map[string]any
		if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		text, err := json.Marshal(object)
		if err != nil {
			return nil, err
		}
		var id struct {
			Kind     string
			Metadata struct{ Namespace, Name string }
		}
		if err := json.Unmarshal(text, &id); err != nil {
			return nil, err
		}
		name := id.Kind + " " + id.Metadata.Namespace + "/" + id.Metadata.Name
		if _, twice := all[name]; twice {
			return nil, fmt.Errorf("there are two of %s", name)
		}
		all[name] = string(text)
	}
}
