package promtext_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/triton-leases/tms/test/e2e/promtext"
)

func TestScrape(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, "# TYPE calls_total counter\ncalls_total{code=\"200\",method=\"GET\"} 3\ncalls_total{code=\"200\",method=\"PUT\"} 1e2\n"+
			"calls_total_more 7\nempty +Inf\n")
	}))
	t.Cleanup(server.Close)
	samples, err := promtext.Scrape(t.Context(), server.URL+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	if got := samples.Sum("calls_total"); got != 103 {
		t.Errorf("the sum is %g", got)
	}
	if got := samples.Sum("calls_total", `code="200"`, `method="PUT"`); got != 100 {
		t.Errorf("the sum of PUT is %g", got)
	}
	if _, err := promtext.Scrape(t.Context(), server.URL+"/"); err == nil {
		t.Error("no error for an answer that is not 200")
	}
}
