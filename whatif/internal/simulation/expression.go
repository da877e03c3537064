package simulation

// Expression returns the value of a recording rule, or of the query of an adapter, for one
// pod. It returns false if Prometheus has none.
type Expression func(s *series, now float64) (value float64, ok bool)

// exported has the series of a simulated pod by name. The rules of the chart also read a
// series of TensorRT-LLM, which other pods do not have.
var exported = map[string]counter{
	"nv_inference_request_success":                   success,
	"nv_inference_request_failure":                   func(sample) float64 { return 0 },
	"nv_inference_queue_duration_us":                 queued,
	"nv_inference_pending_request_count":             pending,
	"nv_inference_first_response_histogram_ms_sum":   firstSum,
	"nv_inference_first_response_histogram_ms_count": firstCount,
	"nv_gpu_utilization":                             gpu,
	"nv_trt_llm_request_metrics":                     nil,
}
