package simulation

import autoscalingv2 "k8s.io/api/autoscaling/v2"

// Variant is a candidate for the chart's default behavior.
type Variant struct {
	Name     string
	Behavior *autoscalingv2.HorizontalPodAutoscalerBehavior
}

// Variants returns the candidates: first each scale-down with the chart's scale-up,
// then other scale-ups with a few scale-downs.
func Variants() []Variant {
	chart := scaling(0, percent(100, 15), pods(4, 15))
	once := scaling(0, percent(900, 15), pods(10, 15))
	calm := scaling(0, percent(100, 60), pods(4, 60))
	calmer := scaling(0, percent(100, 60), pods(2, 60))
	steady := scaling(0, pods(2, 30))
	delayed := scaling(30, percent(100, 15), pods(4, 15))
	one := scaling(60, pods(1, 60))

	variant := func(name string, up, down *autoscalingv2.HPAScalingRules) Variant {
		return Variant{name, &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: up, ScaleDown: down}}
	}
	return []Variant{
		variant("up chart; down 1/60 s after 300 s", chart, scaling(300, pods(1, 60))),
		variant("up chart; down 1/120 s after 300 s", chart, scaling(300, pods(1, 120))),
		variant("up chart; down 1/300 s after 300 s", chart, scaling(300, pods(1, 300))),
		variant("up chart; down 1/60 s after 600 s", chart, scaling(600, pods(1, 60))),
		variant("up chart; down 1/120 s after 600 s", chart, scaling(600, pods(1, 120))),
		variant("up chart; down 1/180 s after 600 s", chart, scaling(600, pods(1, 180))),
		variant("up chart; down 1/300 s after 600 s", chart, scaling(600, pods(1, 300))),
		variant("up chart; down 1/600 s after 600 s", chart, scaling(600, pods(1, 600))),
		variant("up chart; down 1/60 s after 900 s", chart, scaling(900, pods(1, 60))),
		variant("up chart; down 1/180 s after 900 s", chart, scaling(900, pods(1, 180))),
		variant("up chart; down 1/300 s after 900 s", chart, scaling(900, pods(1, 300))),
		variant("up chart; down 1/60 s after 1800 s", chart, scaling(1800, pods(1, 60))),
		variant("up chart; down 10 %/60 s after 600 s", chart, scaling(600, percent(10, 60))),
		variant("up chart; down 1 or 10 %/300 s after 300 s", chart, scaling(300, pods(1, 300), percent(10, 300))),
		variant("up chart; down 1 or 10 %/300 s after 600 s", chart, scaling(600, pods(1, 300), percent(10, 300))),
		variant("up at once; down 1/60 s after 300 s", once, scaling(300, pods(1, 60))),
		variant("up at once; down 1/300 s after 600 s", once, scaling(600, pods(1, 300))),
		variant("up 100 % or 4/60 s; down 1/60 s after 300 s", calm, scaling(300, pods(1, 60))),
		variant("up 100 % or 4/60 s; down 1/300 s after 600 s", calm, scaling(600, pods(1, 300))),
		variant("up 100 % or 2/60 s; down 1/60 s after 300 s", calmer, scaling(300, pods(1, 60))),
		variant("up 100 % or 2/60 s; down 1/120 s after 600 s", calmer, scaling(600, pods(1, 120))),
		variant("up 100 % or 2/60 s; down 1/300 s after 600 s", calmer, scaling(600, pods(1, 300))),
		variant("up 2/30 s; down 1/120 s after 600 s", steady, scaling(600, pods(1, 120))),
		variant("up 2/30 s; down 1/300 s after 600 s", steady, scaling(600, pods(1, 300))),
		variant("up chart after 30 s; down 1/300 s after 600 s", delayed, scaling(600, pods(1, 300))),
		variant("up 1/60 s after 60 s; down 1/120 s after 600 s", one, scaling(600, pods(1, 120))),
	}
}
