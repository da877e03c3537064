package simulation

import (
	"math"
	"math/rand/v2"
)

// Traffic is a load over time.
type Traffic struct {
	Name string
	// Length is the duration of a run, in seconds.
	Length float64
	// Rate returns the requests per second at a second of the run.
	Rate func(second float64) float64
	// Noise is the standard deviation of a random factor of Rate. The factor has a mean
	// of 1 and a correlation time of ten minutes. 0: there is no noise.
	Noise float64
}

// Units of time, in seconds.
const (
	Minute = 60.0
	Hour   = 60 * Minute
)

// Step returns a load that is base, then peak from a fifth to three fifths of the length,
// then base again.
func Step(base, peak, length float64) Traffic {
	return Traffic{Name: "step", Length: length, Rate: func(t float64) float64 {
		if t >= length/5 && t < 3*length/5 {
			return peak
		}
		return base
	}}
}

// Ramp returns a load that grows from base to peak in a third of the length, stays there for
// a sixth, and falls back in a third.
func Ramp(base, peak, length float64) Traffic {
	return Traffic{Name: "ramp", Length: length, Rate: func(t float64) float64 {
		up := min(max(t/(length/3), 0), 1)
		down := min(max((t-length/2)/(length/3), 0), 1)
		return base + (peak-base)*(up-down)
	}}
}

// Day returns a load that is a sine with a period of 24 h from base to peak, times noise.
func Day(base, peak, length float64) Traffic {
	return Traffic{Name: "day", Length: length, Noise: 0.15, Rate: func(t float64) float64 {
		return (base+peak)/2 - (peak-base)/2*math.Cos(2*math.Pi*t/(24*Hour))
	}}
}

// Bursts returns a load that is peak in the last 90 s of each ten minutes, and base
// otherwise.
func Bursts(base, peak, length float64) Traffic {
	return Traffic{Name: "bursts", Length: length, Rate: func(t float64) float64 {
		if math.Mod(t, 10*Minute) >= 8.5*Minute {
			return peak
		}
		return base
	}}
}

// Times returns the traffic with all rates multiplied by a factor.
func (t Traffic) Times(factor float64) Traffic {
	rate := t.Rate
	t.Rate = func(second float64) float64 { return factor * rate(second) }
	return t
}

// arrivals generates the requests of one run: a Poisson process with a rate that
// changes each second. It has its own random sources, so every system gets exactly
// the same requests.
type arrivals struct {
	traffic Traffic
	model   Model
	random  *rand.Rand
	// services is the random source of the service times.
	services *rand.Rand
	// noise is an Ornstein-Uhlenbeck process with variance 1, advanced each second.
	noise float64
}

func newArrivals(traffic Traffic, model Model, seed uint64) *arrivals {
	random := rand.New(rand.NewPCG(seed, 1))
	return &arrivals{
		traffic: traffic, model: model, random: random, services: rand.New(rand.NewPCG(seed, 1<<32)), noise: random.NormFloat64(),
	}
}

// second appends the arrivals within [from, from+1) to requests.
func (a *arrivals) second(from float64, requests []arrival) []arrival {
	const memory = 10 * Minute
	a.noise = a.noise*math.Exp(-1/memory) + a.random.NormFloat64()*math.Sqrt(1-math.Exp(-2/memory))
	rate := a.traffic.Rate(from) * max(0, 1+a.traffic.Noise*a.noise)
	if rate <= 0 {
		return requests
	}
	for t := a.random.ExpFloat64() / rate; t < 1; t += a.random.ExpFloat64() / rate {
		requests = append(requests, arrival{sent: from + t, service: a.model.draw(a.services)})
	}
	return requests
}
