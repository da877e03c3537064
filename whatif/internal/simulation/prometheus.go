package simulation

// sample is one scrape of one pod. All its series are scraped together.
type sample struct {
	at                       float64
	success, queued, pending float64
	firstSum, firstCount     float64
	gpu                      float64 // nv_gpu_utilization, 0 to 1
}

// counter returns one series of a sample.
type counter func(sample) float64

func success(s sample) float64    { return s.success }
func queued(s sample) float64     { return s.queued }
func pending(s sample) float64    { return s.pending }
func firstSum(s sample) float64   { return s.firstSum }
func firstCount(s sample) float64 { return s.firstCount }
func gpu(s sample) float64        { return s.gpu }

// lookback is the lookback delta of Prometheus, in seconds.
const lookback = 300

// series has the samples of one pod in Prometheus, the oldest first.
type series struct {
	samples []sample
	// gone is set when the target has disappeared: Prometheus marks its series stale.
	gone bool
}

func (s *series) scrape(p *Pod, now float64) {
	if len(s.samples) > 512 {
		s.samples = append(s.samples[:0], s.samples[256:]...)
	}
	s.samples = append(s.samples, sample{
		at: now, success: p.success, queued: p.queued, pending: float64(p.pending()), firstSum: p.firstSum, firstCount: p.firstCount,
		gpu: p.utilization,
	})
}

// within returns the samples of a range selector. The range is open to the left, as in
// Prometheus 3.
func (s *series) within(now, window float64) []sample {
	last := len(s.samples)
	for last > 0 && s.samples[last-1].at > now {
		last--
	}
	first := last
	for first > 0 && s.samples[first-1].at > now-window {
		first--
	}
	return s.samples[first:last]
}

// increase returns Prometheus's increase of a counter, or its delta of a gauge:
// last minus first, extrapolated to the window. Counters never reset here: the
// replacement of a pod is another pod.
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
	// A series that seems to begin or end within the window is extrapolated by half an interval.
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

// rate returns Prometheus's rate, per second.
func (s *series) rate(of counter, now, window float64) (float64, bool) {
	value, ok := s.increase(of, now, window, true)
	return value / window, ok
}

// delta returns Prometheus's delta, which treats a counter as a gauge.
func (s *series) delta(of counter, now, window float64) (float64, bool) {
	return s.increase(of, now, window, false)
}

// alwaysPending reports whether min_over_time(pending) > 0 in a pod that already had
// samples a window ago.
func (s *series) alwaysPending(now, window float64) bool {
	samples := s.within(now, window)
	for _, sample := range samples {
		if sample.pending == 0 {
			return false
		}
	}
	return len(samples) > 0 && len(s.within(now-window, lookback)) > 0
}
