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

// hold compares what the tools make of a fleet with what tms-render made of it.
// These runs are not timed.
func hold(bin string, in input) error {
	for _, t := range tools {
		if t.same == nil || in.leases > t.sameMost {
			continue
		}
		if err := t.hold(bin, in); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

// hold compares as it reads, because this process must stay small: see measure.
func (t tool) hold(bin string, in input) error {
	wanted, err := os.Open(in.text)
	if err != nil {
		return err
	}
	defer func() { _ = wanted.Close() }()
	c := t.cmd(bin, in)
	var said head
	c.Stderr = &said
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
		return fmt.Errorf("%w: %s", err, said.text)
	}
	return differs
}

// head keeps the beginning of what is written to it: a tool may warn of each lease.
type head struct{ text []byte }

func (h *head) Write(p []byte) (int, error) {
	h.text = append(h.text, p[:min(len(p), 4096-len(h.text))]...)
	return len(p), nil
}

// sameText says where two texts differ.
func sameText(wanted, got io.Reader) error {
	w, g := bufio.NewReader(wanted), bufio.NewReader(got)
	for line := 1; ; line++ {
		a, errA := w.ReadSlice('\n')
		b, errB := g.ReadSlice('\n')
		if !bytes.Equal(a, b) {
			return fmt.Errorf("line %d is %q, and %q of %s", line, b, a, ours)
		}
		if errors.Is(errA, io.EOF) && errors.Is(errB, io.EOF) {
			return nil
		}
		if err := cmp.Or(errA, errB); err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// sameDocuments says where two streams of YAML documents differ, whatever
// their order and the order of their keys.
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
			return fmt.Errorf("%s is\n%s\nand of %s\n%s", name, g[name], ours, document)
		}
		delete(g, name)
	}
	for name := range g {
		return fmt.Errorf("%s makes no %s", ours, name)
	}
	return nil
}

// documents are the JSON of objects, by kind, namespace and name.
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
