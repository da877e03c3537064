package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/triton-leases/tms/test/e2e/cluster"
)

// account is the service account of the servers. The API server logs its requests.
const account = "tms:tms-server"

// calls are the API calls of the servers.
type calls struct {
	Reads, Writes int
	// SharedWrites are the writes of objects that leases share. Writes does not include them.
	SharedWrites int
	// Kinds counts the calls by verb and resource.
	Kinds map[string]int
}

// log returns the completed calls of the servers since a mark. It omits watches, the
// discovery of the API, and leader election.
func (e *environment) log(since cluster.Mark) ([]cluster.Call, error) {
	all, err := e.Calls(account, since)
	return slices.DeleteFunc(all, func(call cluster.Call) bool {
		election := call.Object.Resource == "leases" || call.Object.Resource == "events" && strings.HasPrefix(call.Object.Name, electionID)
		return call.Stage != "ResponseComplete" || call.Verb == "watch" || call.Object.Resource == "" || election
	}), err
}

// count counts the calls of a log.
func (e *environment) count(log []cluster.Call) calls {
	c := calls{Kinds: map[string]int{}}
	for _, call := range log {
		kind := call.Verb + " " + call.Object.Resource
		if call.Object.Subresource != "" {
			kind += "/" + call.Object.Subresource
		}
		if call.Status.Code >= 400 {
			kind += fmt.Sprintf(" (%d)", call.Status.Code)
		}
		c.Kinds[kind]++
		switch {
		case !call.Writes(), strings.HasSuffix(call.Object.Resource, "reviews"):
			c.Reads++
		case e.monitors == shared && (call.Object.Resource == "podmonitors" || call.Object.Resource == "prometheusrules"):
			c.SharedWrites++
		default:
			c.Writes++
		}
	}
	return c
}

// String returns the counts by verb and resource, the most frequent ones first.
func (c calls) String() string {
	var kinds []string
	for kind := range c.Kinds {
		kinds = append(kinds, kind)
	}
	slices.SortFunc(kinds, func(a, b string) int {
		if c.Kinds[a] != c.Kinds[b] {
			return c.Kinds[b] - c.Kinds[a]
		}
		return strings.Compare(a, b)
	})
	for i, kind := range kinds {
		kinds[i] = fmt.Sprintf("%d %s", c.Kinds[kind], kind)
	}
	return strings.Join(kinds, ", ")
}

// made returns when the last object was first written, of those objects whose names contain
// a text.
func made(log []cluster.Call, text string) (last time.Time) {
	seen := map[[3]string]bool{}
	for _, call := range log {
		object := [3]string{call.Object.Resource, call.Object.Namespace, call.Object.Name}
		if !call.Writes() || call.Status.Code >= 400 || call.Object.Resource == "events" || call.Object.Resource == "tritonleases" ||
			!strings.Contains(call.Object.Name, text) || seen[object] {
			continue
		}
		seen[object] = true
		if call.Time.After(last) {
			last = call.Time
		}
	}
	return last
}

// rescaling returns when the first and the last HorizontalPodAutoscaler was written, of
// those that do not belong to a batch. A new threshold changes each of them.
func rescaling(log []cluster.Call, batch string) (first, last time.Time) {
	for _, call := range without(log, batch+"-") {
		if !call.Writes() || call.Object.Resource != "horizontalpodautoscalers" {
			continue
		}
		if first.IsZero() || call.Time.Before(first) {
			first = call.Time
		}
		if call.Time.After(last) {
			last = call.Time
		}
	}
	return first, last
}

// without returns the calls for objects whose names do not contain a text.
func without(log []cluster.Call, text string) []cluster.Call {
	return slices.DeleteFunc(slices.Clone(log), func(call cluster.Call) bool { return strings.Contains(call.Object.Name, text) })
}

func (c calls) writes() int { return c.Writes + c.SharedWrites }

func (c calls) total() int { return c.Reads + c.writes() }
