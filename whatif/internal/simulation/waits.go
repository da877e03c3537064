package simulation

import "math"

// Waits is a distribution of the times that requests waited, in seconds. The zero value is
// not usable. A nil Waits ignores what is added.
type Waits struct {
	// Count is the number of requests, Sum the sum of their waits, Longest the longest one.
	Count        int
	Sum, Longest float64
	buckets      map[int]int
}

const (
	// shortestWait is the upper bound of the first bucket.
	shortestWait = 1e-4
	// bucketWidth is the logarithm of the quotient of the bounds of a bucket.
	bucketWidth = 0.01
)

func newWaits() *Waits { return &Waits{buckets: map[int]int{}} }

func (w *Waits) add(seconds float64) {
	if w == nil {
		return
	}
	w.Count++
	w.Sum += seconds
	w.Longest = max(w.Longest, seconds)
	bucket := 0
	if seconds > shortestWait {
		bucket = 1 + int(math.Log(seconds/shortestWait)/bucketWidth)
	}
	w.buckets[bucket]++
}

// Mean returns the mean wait. It is 0 if there are no requests.
func (w *Waits) Mean() float64 {
	if w.Count == 0 {
		return 0
	}
	return w.Sum / float64(w.Count)
}

// Quantile returns a wait that a part q of the requests does not exceed. It is at most 1 %
// too long, or 0 if the wait is at most 0.1 ms.
func (w *Waits) Quantile(q float64) float64 {
	rank, seen := int(math.Ceil(q*float64(w.Count))), 0
	last := 0
	for bucket := range w.buckets {
		last = max(last, bucket)
	}
	for bucket := range last + 1 {
		if seen += w.buckets[bucket]; seen >= rank && bucket > 0 {
			return min(shortestWait*math.Exp(bucketWidth*float64(bucket)), w.Longest)
		} else if seen >= rank {
			return 0
		}
	}
	return w.Longest
}
