package hpasim

// sample is one scrape of one pod. All its series are scraped together.
type sample struct {
	at                       float64
	success, queued, pending float64
}

// counter picks one series from a sample.
type counter func(sample) float64

func success(s sample) float64 { return s.success }
func queued(s sample) float64  { return s.queued }

// lookback is how long Prometheus takes a sample for the present. Seconds.
const lookback = 300

// series is what Prometheus knows of one pod, the oldest sample first.
type series struct {
	samples []sample
	// gone says that the target vanished: Prometheus marks its series stale.
	gone bool
}

func (s *series) scrape(p *Pod, now float64) {
	if len(s.samples) > 512 {
		s.samples = append(s.samples[:0], s.samples[256:]...)
	}
	s.samples = append(s.samples, sample{at: now, success: p.success, queued: p.queued, pending: float64(p.pending())})
}

// within returns the samples of a range selector: open to the left, as since Prometheus 3.
func (s *series) within(now, window float64) []sample {
	first, last := len(s.samples), len(s.samples)
	for last > 0 && s.samples[last-1].at > now {
		last--
	}
	for first = last; first > 0 && s.samples[first-1].at > now-window; {
		first--
	}
	return s.samples[first:last]
}

// increase is what Prometheus calls increase of a counter, or delta of a
// gauge: last minus first, stretched to the window. Counters here never reset:
// a pod that comes back is another pod.
func (s *series) increase(of counter, now, window float64, isCounter bool) (float64, bool) {
	samples := s.within(now, window)
	if len(samples) < 2 {
		return 0, false
	}
	first, last := samples[0], samples[len(samples)-1]
	value := of(last) - of(first)
	interval := last.at - first.at
	between := interval / float64(len(samples)-1)
	toStart, toEnd := first.at-(now-window), now-last.at
	// A series that seems to begin or end within the window is stretched by half an interval.
	if toStart >= 1.1*between {
		toStart = between / 2
	}
	if isCounter && value > 0 {
		// A counter was never below 0.
		toStart = min(toStart, interval*of(first)/value)
	}
	if toEnd >= 1.1*between {
		toEnd = between / 2
	}
	return value * (interval + toStart + toEnd) / interval, true
}

// rate is Prometheus's rate: per second.
func (s *series) rate(of counter, now, window float64) (float64, bool) {
	value, ok := s.increase(of, now, window, true)
	return value / window, ok
}

// delta is Prometheus's delta, which takes a counter for a gauge.
func (s *series) delta(of counter, now, window float64) (float64, bool) {
	return s.increase(of, now, window, false)
}

// alwaysPending is min_over_time(pending) > 0, of a pod that was there a window ago.
func (s *series) alwaysPending(now, window float64) bool {
	samples := s.within(now, window)
	for _, sample := range samples {
		if sample.pending == 0 {
			return false
		}
	}
	return len(samples) > 0 && len(s.within(now-window, lookback)) > 0
}
