package schema

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/triton-leases/tms/internal/fieldpath"
	"github.com/triton-leases/tms/pkg/policy"
)

// unit returns the unit of the number at a path, or "" if the number has none: that of the
// metric for a threshold, and seconds for a key such as periodSeconds.
func (r *report) unit(path fieldpath.Path) string {
	if len(path) > 0 && strings.HasSuffix(path[len(path)-1].Key, "Seconds") {
		return "seconds"
	}
	for i := 1; i+2 < len(path); i++ {
		if path[i-1].Key == "autoscaling" && path[i].Key == "metrics" && path[i+2].Key == "threshold" {
			return r.unitOfMetric(path[i+1].Key)
		}
	}
	return ""
}

// unitOfMetric returns the unit of a metric of TMS, or of one that the values define.
func (r *report) unitOfMetric(name string) string {
	for _, metric := range policy.Metrics() {
		if string(metric.Name) == name {
			return string(metric.Unit)
		}
	}
	own := at(r.values, "/server/autoscaling/metrics")
	metrics, _ := own.(map[string]any)
	metric, _ := metrics[name].(map[string]any)
	unit, _ := metric["unit"].(string)
	return unit
}

var durations = map[string]time.Duration{
	"microseconds": time.Microsecond, "milliseconds": time.Millisecond, "seconds": time.Second, "minutes": time.Minute,
}

// numberOf returns the advice for a text in the place of an integer: "10", "10%" or "200ms".
// It returns "" if the text is not a number of the unit.
func numberOf(text, unit string) string {
	if isInteger(text) {
		return "remove the quotes"
	}
	if number, isPercent := strings.CutSuffix(text, "%"); isPercent && unit == string(policy.Percent) {
		if number = strings.TrimSpace(number); isInteger(number) {
			return fmt.Sprintf("write %s instead of %s", number, text)
		}
	}
	step := durations[unit]
	if duration, err := time.ParseDuration(text); err == nil && step > 0 && duration >= 0 && duration%step == 0 {
		return fmt.Sprintf("write %d instead of %s", duration/step, text)
	}
	return ""
}

func isInteger(text string) bool {
	_, err := strconv.ParseUint(text, 10, 53)
	return err == nil
}
