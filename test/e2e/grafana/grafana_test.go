package grafana

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestInterpolate(t *testing.T) {
	s := Scope{Values: map[string][]string{"pod": {"a.b", "c"}, "lease": {"x"}, "none": nil, "pod_name": {"z"}}, Step: 5 * time.Second, RateInterval: time.Minute}
	got := s.Interpolate(`x{pod=~"$pod", lease="$lease", none="$none", p="$pod_name"}[$__rate_interval] offset $__interval`)
	if want := `x{pod=~"(a\\.b|c)", lease="x", none="", p="z"}[1m0s] offset 5s`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestVariables(t *testing.T) {
	selector, label, ok := Variable{Query: `label_values(up{a="b, c"}, pod)`}.LabelValues()
	if !ok || selector != `up{a="b, c"}` || label != "pod" {
		t.Error(selector, label, ok)
	}
	v := Variable{Query: "query_result(up\n+ 1)", Regex: `/pod="([^"]+)"/`}
	if _, _, ok := v.LabelValues(); ok {
		t.Error("it is no label_values")
	}
	if expr, ok := v.QueryResult(); !ok || expr != "up\n+ 1" {
		t.Error(expr, ok)
	}
	values, err := v.Values([]map[string]string{{"pod": "b", "x": "y"}, {"pod": "a"}, {"x": "y"}, {"pod": "b"}})
	if err != nil || !reflect.DeepEqual(values, []string{"a", "b"}) {
		t.Error(values, err)
	}
}

// TestSVG draws each type of panel, with and without data.
func TestSVG(t *testing.T) {
	start := time.Unix(1000, 0)
	line := Series{Name: "threshold <&>", Points: []Point{{start, 1}, {start.Add(time.Second), 2e6}, {start.Add(2 * time.Second), math.NaN()}, {start.Add(9 * time.Second), 3}}}
	var frames []Frame
	for _, kind := range []string{"row", "stat", "timeseries"} {
		for _, unit := range []string{"short", "percent", "µs", "s", "bytes", "reqps"} {
			p := Panel{Type: kind, Title: "a <b> & c"}
			p.GridPos.W, p.GridPos.H, p.FieldConfig.Defaults.Unit = 12, 8, unit
			frames = append(frames, Frame{Panel: p}, Frame{Panel: p, Series: []Series{line}, Events: []Event{{start, "green"}}})
		}
	}
	text := Picture{Title: "x < y", Start: start, End: start.Add(10 * time.Second), Step: time.Second, Frames: frames}.SVG()
	decoder := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, part := range []string{"No data", "stroke-dasharray=\"6 4\"", "2 s", "2e+06%"} {
		if !strings.Contains(text, part) {
			t.Errorf("the picture has no %q", part)
		}
	}
	const number = `[\d.]+ [\d.]+`
	if !regexp.MustCompile(`d="M`+number+"L"+number+"M"+number+`"`).MatchString(text) || strings.Contains(text, "NaN") {
		t.Error("a line is not drawn, or it hides the gap")
	}
}
