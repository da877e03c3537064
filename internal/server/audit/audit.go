// Package audit describes what a call changes, for the audit log of the server.
package audit

import "context"

// Entry is what a call changes. A service sets the fields once it has checked them, so
// that the log holds no text of any length.
type Entry struct {
	Namespace, Lease string
	// Name is a name of a lease.
	Name   string
	Images []string
}

type key struct{}

// With returns a context with an Entry, which the services fill.
func With(ctx context.Context) (context.Context, *Entry) {
	entry := new(Entry)
	return context.WithValue(ctx, key{}, entry), entry
}

// SetLease records the lease of a call.
func SetLease(ctx context.Context, namespace, lease string) {
	if entry, ok := ctx.Value(key{}).(*Entry); ok {
		entry.Namespace, entry.Lease = namespace, lease
	}
}

// SetName records the name of a call, and the lease that it shall point to, if any.
func SetName(ctx context.Context, namespace, name, lease string) {
	if entry, ok := ctx.Value(key{}).(*Entry); ok {
		entry.Namespace, entry.Name, entry.Lease = namespace, name, lease
	}
}

// SetImages records the images of a call.
func SetImages(ctx context.Context, images []string) {
	if entry, ok := ctx.Value(key{}).(*Entry); ok {
		entry.Images = images
	}
}
