// Package fieldpath parses the paths in errors and adjustments, such as
// leases.resnet50.models[0].uri, and moves them from one document to another.
package fieldpath

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Path is a path of keys and list indexes. The zero Path is the whole document.
type Path []Part

// Part is one step of a Path: a key of an object, or an index of a list.
type Part struct {
	Key   string
	Index int
	// IsIndex reports whether the part is Index, and not Key.
	IsIndex bool
}

// Key returns the Part for a key of an object.
func Key(key string) Part { return Part{Key: key} }

// Index returns the Part for an index of a list.
func Index(index int) Part { return Part{Index: index, IsIndex: true} }

// New returns the Path of keys.
func New(keys ...string) Path {
	path := make(Path, len(keys))
	for i, key := range keys {
		path[i] = Key(key)
	}
	return path
}

// partPattern matches a plain key, or anything in brackets.
var partPattern = regexp.MustCompile(`\["(?:[^"\\]|\\.)*"\]|\[[^\]]*\]|[^.\[\]]+`)

// Parse parses a path in the form of String and field.Path.String:
// leases.a.models[0].uri or kubernetes.customLabels[app.kubernetes.io/name]. Digits in
// brackets are an index.
func Parse(text string) Path {
	var path Path
	for _, part := range partPattern.FindAllString(text, -1) {
		inner, bracketed := strings.CutPrefix(part, "[")
		if !bracketed {
			path = append(path, Key(part))
			continue
		}
		inner = strings.TrimSuffix(inner, "]")
		if index, err := strconv.Atoi(inner); err == nil && index >= 0 {
			path = append(path, Index(index))
		} else if key, err := strconv.Unquote(inner); err == nil {
			path = append(path, Key(key))
		} else {
			path = append(path, Key(inner))
		}
	}
	return path
}

var (
	plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	labelKey = regexp.MustCompile(`^[A-Za-z0-9_./-]*[A-Za-z_./-][A-Za-z0-9_./-]*$`)
)

// Field converts p to a field.Path. A key that is not a plain word is in brackets, and
// quoted if it could be read as another path. The result is nil for the zero Path.
func (p Path) Field() *field.Path {
	var path *field.Path
	for _, part := range p {
		switch {
		case part.IsIndex:
			path = path.Index(part.Index)
		case plainKey.MatchString(part.Key) && path == nil:
			path = field.NewPath(part.Key)
		case plainKey.MatchString(part.Key):
			path = path.Child(part.Key)
		case labelKey.MatchString(part.Key):
			path = path.Key(part.Key)
		default:
			path = path.Key(strconv.Quote(part.Key))
		}
	}
	return path
}

// String returns p in the form that Parse reads.
func (p Path) String() string {
	if len(p) == 0 {
		return ""
	}
	return p.Field().String()
}

// Child returns a copy of p with parts appended.
func (p Path) Child(parts ...Part) Path { return append(slices.Clip(slices.Clone(p)), parts...) }

// HasPrefix reports whether p begins with prefix.
func (p Path) HasPrefix(prefix Path) bool {
	return len(p) >= len(prefix) && slices.Equal(p[:len(prefix)], prefix)
}

// Rebase returns p with the prefix from replaced by to, and reports whether p has that
// prefix.
func (p Path) Rebase(from, to Path) (Path, bool) {
	if !p.HasPrefix(from) {
		return p, false
	}
	return to.Child(p[len(from):]...), true
}
