package loadfile

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// rates returns the rates at a few seconds.
func rates(t *testing.T, text string, length float64, seconds ...float64) (float64, []float64) {
	t.Helper()
	traffic, err := Read([]byte(text), length)
	require.NoError(t, err)
	var got []float64
	for _, second := range seconds {
		got = append(got, traffic.Rate(second))
	}
	return traffic.Length, got
}

func TestRead(t *testing.T) {
	const promtool = `[{"metric":{},"values":[[1780131600,"10"],[1780131660.5,"2.5"],[1780131720,"0"]]}]`
	for name, c := range map[string]struct {
		text   string
		length float64 // wanted
	}{
		"csv":                {"0,10\n60.5,2.5\n120,0\n", 179.5},
		"csv, header":        {"# last week\ntime, requests per second\n100, 10\n160.5, 2.5\n220, 0\n", 179.5},
		"csv, RFC 3339":      {"2026-11-30T09:00:00Z,10\n2026-11-30T10:01:00.5+01:00,2.5\n2026-11-30T09:02:00Z,0\n", 179.5},
		"promtool":           {promtool, 179.5},
		"envelope of an API": {"\n" + `{"status":"success","data":{"resultType":"matrix","result":` + promtool + `}}`, 179.5},
	} {
		length, got := rates(t, c.text, 0, 0, 60, 61, 119, 120, 1000)
		require.Equal(t, c.length, length, name)
		require.Equal(t, []float64{10, 10, 2.5, 2.5, 0, 0}, got, name)
	}

	length, got := rates(t, "0,10\n60,20\n", 30, 0, 59)
	require.Equal(t, 30.0, length, "--length cuts")
	require.Equal(t, []float64{10, 10}, got)
	length, got = rates(t, "0,10\n", 600, 0, 599)
	require.Equal(t, 600.0, length, "--length extends")
	require.Equal(t, []float64{10, 10}, got)
}

func TestReadRefuses(t *testing.T) {
	const envelope = `{"status":"success","data":{"resultType":`
	for text, want := range map[string]string{
		"":                  "has no points",
		"time,rate\n":       "has no points",
		"0,10\n":            "has one point: give its length with --length",
		"[]":                "has no series: check the query and its time range",
		"0,10\n5\n":         "row 2: has 1 columns: must have 2, a time and the requests per second",
		"0,\"10\n":          "is no CSV file: ",
		"0,10\nnoon,x\n":    "row 2: the time \"noon\" must be in seconds, or as in 2026-11-30T09:30:00Z\nrow 2: the rate \"x\" must be a number, in requests per second",
		"0,1\nNaN,1\nInf,1": "row 2: the time NaN must be a number\nrow 3: the time +Inf must be a number",
		"0,1\n0,1\n9,-1":    "row 2: the time must be later than that of the point before it\nrow 3: the rate -1 must be a number of at least 0",
		`[{"metric":{},"values":[[1,"1"],[2,"NaN"]]}]`:                                 "value 2: the rate NaN must be a number of at least 0",
		`[{"metric":{},"values":[[1,"1"],[2,"+Inf"]]}]`:                                "value 2: the rate +Inf must be a number",
		`[{"values":[[1,"1"]]},{"values":[[1,"2"]]}]`:                                  "has 2 series: add them up in the query, as in sum(rate(",
		`[{"histograms":[[1,{}]]}]`:                                                    "has histograms: query a rate",
		`[{"values":[[1,"1","2"]]}]`:                                                   "is no result of a range query: ",
		`[{"values":[["1","1"]]}]`:                                                     "is no result of a range query: ",
		`{"status":"error","error":"parse\u001b error"}`:                               `is no result of a range query: status "error", error "parse\x1b error"`,
		envelope + `"vector","result":[]}}`:                                            `has a result of type "vector": run a range query`,
		envelope + `"matrix","result":[{"metric":{},"values":[[1,"1"],[2,"2"]]},{}]}}`: "has 2 series",
		`{"leases": {}}`:                                                               `is no result of a range query: status "", error ""`,
		`[`:                                                                            "is no result of a range query: ",
	} {
		_, err := Read([]byte(text), 0)
		require.ErrorContains(t, err, want, text)
	}
}
