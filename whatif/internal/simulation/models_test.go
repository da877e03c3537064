package simulation

// DefaultModel returns a model that serves 20 requests per second and pod. At the
// threshold four requests wait in a pod, and its instances are busy 90 % of the time.
func DefaultModel() Model { return Model{Instances: 2, Service: 0.1, Threshold: 0.2, Drain: 30} }

// LanguageModel returns a language model in an engine that serves 32 requests at the same
// time. They take 2 to 60 s, half of them at most 11 s.
func LanguageModel() Model {
	return Model{
		Instances: 32, Service: 11, Spread: 0.85, Shortest: 2, Longest: 60, First: 0.5, Engine: true, Threshold: 2, Drain: 60,
	}
}
