// Package paging divides lists of objects into pages. A page continues after the last
// object of the previous page, so that objects that come or go in between do not matter.
package paging

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/internal/server/violations"
)

const (
	// AllNamespaces stands for all namespaces in a request.
	AllNamespaces = "-"
	defaultSize   = 100
	maxSize       = 500
)

// Page is one page of a list.
type Page struct {
	// after is the last object of the previous page, nil for the first page.
	after *client.ObjectKey
	size  int
}

// Request is a request for a page.
type Request interface {
	GetPageSize() int32
	GetPageToken() string
}

// Parse returns the page of a request, and adds what is wrong with the request to invalid.
func Parse(request Request, invalid *violations.List) Page {
	page := Page{size: int(request.GetPageSize())}
	if page.size < 0 || page.size > maxSize {
		invalid.Add("page_size", fmt.Sprintf("%d must be between 1 and %d, or 0 for %d", page.size, maxSize, defaultSize))
	}
	if page.size == 0 {
		page.size = defaultSize
	}
	if token := request.GetPageToken(); token != "" {
		text, err := base64.RawURLEncoding.DecodeString(token)
		namespace, name, ok := strings.Cut(string(text), "/")
		if err != nil || !ok {
			invalid.Add("page_token", "must be the next_page_token of a response")
		}
		page.after = &client.ObjectKey{Namespace: namespace, Name: name}
	}
	return page
}

// Of returns the objects of the page, sorted by namespace and name, and the token of the
// next page.
func Of[T client.Object](page Page, all []T) (objects []T, next string) {
	for _, object := range all {
		if page.after == nil || compare(client.ObjectKeyFromObject(object), *page.after) > 0 {
			objects = append(objects, object)
		}
	}
	slices.SortFunc(objects, func(a, b T) int {
		return compare(client.ObjectKeyFromObject(a), client.ObjectKeyFromObject(b))
	})
	if len(objects) > page.size {
		objects = objects[:page.size]
		next = base64.RawURLEncoding.EncodeToString([]byte(client.ObjectKeyFromObject(objects[page.size-1]).String()))
	}
	return objects, next
}

func compare(a, b client.ObjectKey) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
}
