package preview

// Stored returns an object as the API server would store it.
func Stored(value map[string]any) map[string]any {
	stored, _ := (&Manifest{value: value}).stored()
	return stored
}

// Envelope is the schema around a lease.
var Envelope = envelope
