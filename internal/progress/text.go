package progress

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// bytesText returns the progress of a download, such as "3.1 of 12 GiB". A total of 0 is
// unknown.
func bytesText(done, total int64) string {
	done, total = max(done, 0), max(total, 0)
	largest := done
	if total > 0 {
		done = min(done, total)
		largest = total
	}
	unit, size := "B", int64(1)
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if largest < size<<10 {
			break
		}
		unit, size = next, size<<10
	}
	number := func(n int64) string {
		return strings.TrimSuffix(strconv.FormatFloat(float64(n)/float64(size), 'f', 1, 64), ".0")
	}
	if total == 0 {
		return number(done) + " " + unit
	}
	return number(done) + " of " + number(total) + " " + unit
}

// maxNamed is how many models Summary names of those with the same state.
const maxNamed = 3

// Summary returns what the models do as one sentence, without those that only wait. It is
// empty if all of them do.
func Summary(states []v1alpha1.ModelState) string {
	var problems, failed, downloading, loading []string
	for _, s := range states {
		switch s.State {
		case v1alpha1.ModelPending:
			if s.Message != "" && !slices.Contains(problems, s.Message) {
				problems = append(problems, s.Message)
			}
		case v1alpha1.ModelFailed:
			failed = append(failed, s.Name+" failed: "+s.Message)
		case v1alpha1.ModelDownloading:
			text := s.Name
			if s.Message != "" {
				text += ": " + s.Message
			}
			downloading = append(downloading, text)
		case v1alpha1.ModelLoading:
			loading = append(loading, s.Name)
		}
	}
	var parts []string
	for _, group := range []struct {
		verb  string
		texts []string
	}{{"", problems}, {"", failed}, {"downloading ", downloading}, {"loading ", loading}} {
		if len(group.texts) == 0 {
			continue
		}
		text := group.verb + strings.Join(group.texts[:min(len(group.texts), maxNamed)], ", ")
		if more := len(group.texts) - maxNamed; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}
