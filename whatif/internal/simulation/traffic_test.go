package simulation

import "math"

// Traffics returns the traffic patterns of the comparison. One pod serves 20
// requests per second (see DefaultModel), so they need 1 to 8 pods.
func Traffics() []Traffic {
	daily := Day(10, 150, 24*Hour)
	daily.Name = "daily wave"
	return []Traffic{
		Step(10, 120, 2.5*Hour),
		Ramp(10, 150, 3*Hour),
		daily,
		Bursts(15, 100, 4*Hour),
		{
			Name:   "slow decay", // 10 requests/s for 10 min, then 140, halved each 45 min
			Length: 6 * Hour,
			Rate: func(t float64) float64 {
				if t < 10*Minute {
					return 10
				}
				return 5 + 135*math.Exp2(-(t-10*Minute)/(45*Minute))
			},
		},
	}
}
