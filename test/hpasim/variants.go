package hpasim

import autoscalingv2 "k8s.io/api/autoscaling/v2"

// Variant is a candidate for the chart's default behavior.
type Variant struct {
	Name     string
	Behavior *autoscalingv2.HorizontalPodAutoscalerBehavior
}

// Variants are the candidates: each way down with the chart's way up, then
// other ways up with a few ways down.
func Variants() []Variant {
	chart := scaling(0, percent(100, 15), pods(4, 15))
	once := scaling(0, percent(900, 15), pods(10, 15))
	calm := scaling(0, percent(100, 60), pods(4, 60))
	calmer := scaling(0, percent(100, 60), pods(2, 60))
	steady := scaling(0, pods(2, 30))
	patient := scaling(30, percent(100, 15), pods(4, 15))
	one := scaling(60, pods(1, 60))

	make := func(name string, up, down *autoscalingv2.HPAScalingRules) Variant {
		return Variant{name, &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: up, ScaleDown: down}}
	}
	return []Variant{
		make("up chart; down 1/60 s after 300 s", chart, scaling(300, pods(1, 60))),
		make("up chart; down 1/120 s after 300 s", chart, scaling(300, pods(1, 120))),
		make("up chart; down 1/300 s after 300 s", chart, scaling(300, pods(1, 300))),
		make("up chart; down 1/60 s after 600 s", chart, scaling(600, pods(1, 60))),
		make("up chart; down 1/120 s after 600 s", chart, scaling(600, pods(1, 120))),
		make("up chart; down 1/180 s after 600 s", chart, scaling(600, pods(1, 180))),
		make("up chart; down 1/300 s after 600 s", chart, scaling(600, pods(1, 300))),
		make("up chart; down 1/600 s after 600 s", chart, scaling(600, pods(1, 600))),
		make("up chart; down 1/60 s after 900 s", chart, scaling(900, pods(1, 60))),
		make("up chart; down 1/180 s after 900 s", chart, scaling(900, pods(1, 180))),
		make("up chart; down 1/300 s after 900 s", chart, scaling(900, pods(1, 300))),
		make("up chart; down 1/60 s after 1800 s", chart, scaling(1800, pods(1, 60))),
		make("up chart; down 10 %/60 s after 600 s", chart, scaling(600, percent(10, 60))),
		make("up chart; down 1 or 10 %/300 s after 300 s", chart, scaling(300, pods(1, 300), percent(10, 300))),
		make("up chart; down 1 or 10 %/300 s after 600 s", chart, scaling(600, pods(1, 300), percent(10, 300))),
		make("up at once; down 1/60 s after 300 s", once, scaling(300, pods(1, 60))),
		make("up at once; down 1/300 s after 600 s", once, scaling(600, pods(1, 300))),
		make("up 100 % or 4/60 s; down 1/60 s after 300 s", calm, scaling(300, pods(1, 60))),
		make("up 100 % or 4/60 s; down 1/300 s after 600 s", calm, scaling(600, pods(1, 300))),
		make("up 100 % or 2/60 s; down 1/60 s after 300 s", calmer, scaling(300, pods(1, 60))),
		make("up 100 % or 2/60 s; down 1/120 s after 600 s", calmer, scaling(600, pods(1, 120))),
		make("up 100 % or 2/60 s; down 1/300 s after 600 s", calmer, scaling(600, pods(1, 300))),
		make("up 2/30 s; down 1/120 s after 600 s", steady, scaling(600, pods(1, 120))),
		make("up 2/30 s; down 1/300 s after 600 s", steady, scaling(600, pods(1, 300))),
		make("up chart after 30 s; down 1/300 s after 600 s", patient, scaling(600, pods(1, 300))),
		make("up 1/60 s after 60 s; down 1/120 s after 600 s", one, scaling(600, pods(1, 120))),
	}
}
