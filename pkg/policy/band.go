package policy

// Band is a range of numbers, both ends included. A Max of 0 means no upper limit.
type Band struct {
	Min, Max int64
}

// Clamp returns the number in the band that is nearest to n.
func (b Band) Clamp(n int64) int64 {
	if n < b.Min {
		return b.Min
	}
	if b.Max != 0 && n > b.Max {
		return b.Max
	}
	return n
}

// Contains reports whether n lies in the band.
func (b Band) Contains(n int64) bool { return b.Clamp(n) == n }
