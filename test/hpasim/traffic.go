package hpasim

import (
	"math"
	"math/rand/v2"
)

// Traffic is a load over time.
type Traffic struct {
	// Name is the name of the row in the table.
	Name, Description string
	// Length is the duration of a run, in seconds.
	Length float64
	// Rate returns the requests per second at a second of the run.
	Rate func(second float64) float64
	// Noise is the standard deviation of a random factor of Rate. The factor has a mean
	// of 1 and a correlation time of ten minutes. 0: there is no noise.
	Noise float64
}

const (
	minute = 60.0
	hour   = 60 * minute
)

// Traffics returns the traffic patterns of the comparison. One pod serves 20
// requests per second (see DefaultModel), so they need 1 to 8 pods.
func Traffics() []Traffic {
	return []Traffic{
		{
			Name: "step", Description: "10 requests/s; 120 from 0:30 to 1:30; 10 until 2:30",
			Length: 2.5 * hour,
			Rate: func(t float64) float64 {
				if t >= 0.5*hour && t < 1.5*hour {
					return 120
				}
				return 10
			},
		},
		{
			Name: "ramp", Description: "10 to 150 requests/s within an hour, half an hour there, an hour back, half an hour of 10",
			Length: 3 * hour,
			Rate: func(t float64) float64 {
				up := min(max(t/hour, 0), 1)
				down := min(max((t-1.5*hour)/hour, 0), 1)
				return 10 + 140*(up-down)
			},
		},
		{
			Name: "daily wave", Description: "a sine from 10 to 150 requests/s within 24 h, times noise of 15 %",
			Length: 24 * hour, Noise: 0.15,
			Rate: func(t float64) float64 { return 80 - 70*math.Cos(2*math.Pi*t/(24*hour)) },
		},
		{
			Name: "bursts", Description: "15 requests/s, and 100 during 90 s of each ten minutes, for 4 h",
			Length: 4 * hour,
			Rate: func(t float64) float64 {
				if math.Mod(t, 10*minute) >= 8.5*minute {
					return 100
				}
				return 15
			},
		},
		{
			Name: "slow decay", Description: "10 requests/s for 10 min, then 140, halved each 45 min, for 6 h",
			Length: 6 * hour,
			Rate: func(t float64) float64 {
				if t < 10*minute {
					return 10
				}
				return 5 + 135*math.Exp2(-(t-10*minute)/(45*minute))
			},
		},
	}
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
	const memory = 10 * minute
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
