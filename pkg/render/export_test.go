package render

// SameShapes reports whether two LeaseRenderers share the shapes that they render.
func SameShapes(a, b *LeaseRenderer) bool { return a.shapes == b.shapes }
