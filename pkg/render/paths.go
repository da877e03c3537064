package render

import (
	"slices"
	"strconv"
	"strings"
)

// pathFinder is a source.Visitor that finds the path of each text and number.
type pathFinder struct {
	found []leafPath
	open  leafPath // keys, and the index of the next item for a list
	lists []int    // for each object and list that is open, -1 or the next index
}

// leafPath are keys, and indices of lists.
type leafPath []string

func (p leafPath) String() string { return strings.Join(p, ".") }

func (p *pathFinder) begin(next int) {
	p.item()
	p.lists = append(p.lists, next)
	p.open = append(p.open, "")
}

// item counts an item of a list.
func (p *pathFinder) item() {
	if last := len(p.lists) - 1; last >= 0 && p.lists[last] >= 0 {
		p.open[last] = strconv.Itoa(p.lists[last])
		p.lists[last]++
	}
}

func (p *pathFinder) leaf() {
	p.item()
	p.found = append(p.found, slices.Clone(p.open))
}

// Object, and the methods below it, make a pathFinder a source.Visitor.
func (p *pathFinder) Object() { p.begin(-1) }

// List begins a list.
func (p *pathFinder) List() { p.begin(0) }

// End ends an object or a list.
func (p *pathFinder) End() {
	p.lists = p.lists[:len(p.lists)-1]
	p.open = p.open[:len(p.open)-1]
}

// Key is the key of the next value.
func (p *pathFinder) Key(key string) { p.open[len(p.open)-1] = key }

// String is a text.
func (p *pathFinder) String(string) { p.leaf() }

// Number is a number.
func (p *pathFinder) Number(string) { p.leaf() }

// Bool is not a leaf.
func (p *pathFinder) Bool(bool) { p.item() }

// Null is not a leaf.
func (p *pathFinder) Null() { p.item() }
