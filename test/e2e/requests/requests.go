// Package requests sends inference requests at a steady rate, as the clients of a lease do,
// and counts their answers.
package requests

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/triton-leases/tms/test/e2e/triton"
)

// timeout is the time after which a client gives up a request.
const timeout = time.Minute

// Load is a load of requests. Its requests do not wait for each other.
type Load struct {
	stop context.CancelFunc
	all  sync.WaitGroup

	mu     sync.Mutex
	result Result
}

// Result counts the requests that have been answered or have failed.
type Result struct {
	Requests int
	// Failures has the errors of the failed requests.
	Failures []error
	// Pods counts the answers of each pod.
	Pods map[string]int
}

// String returns a summary.
func (r Result) String() string {
	text := fmt.Sprintf("%d requests, %d failures, by pod: %v", r.Requests, len(r.Failures), r.Pods)
	if len(r.Failures) > 0 {
		text += fmt.Sprintf(", first failure: %v", r.Failures[0])
	}
	return text
}

// HTTP starts a load of HTTP requests per second to a model at an address. Each request has
// a connection of its own, so it reaches a pod that the Service chooses.
func HTTP(address, model string, perSecond float64) *Load {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: timeout}
	url := "http://" + address + "/v2/models/" + model + "/infer"
	l, ctx := newLoad()
	l.every(ctx, time.Duration(float64(time.Second)/perSecond), 0, func() (string, error) { return infer(client, url) })
	return l
}

// GRPC starts a load of gRPC requests to a model over long-lived connections. Each
// connection sends perSecond requests.
func GRPC(target, model string, connections int, perSecond float64, options ...grpc.DialOption) (*Load, error) {
	l, ctx := newLoad()
	interval := time.Duration(float64(time.Second) / perSecond)
	options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))
	for i := range connections {
		conn, err := grpc.NewClient(target, options...)
		if err != nil {
			l.Stop()
			return nil, fmt.Errorf("connect to %s: %w", target, err)
		}
		context.AfterFunc(ctx, func() {
			l.all.Wait()
			_ = conn.Close()
		})
		l.every(ctx, interval, interval*time.Duration(i)/time.Duration(connections), func() (string, error) {
			ctx, cancel := context.WithTimeout(context.Background(), timeout)
			defer cancel()
			return triton.Infer(ctx, conn, model)
		})
	}
	return l, nil
}

func newLoad() (*Load, context.Context) {
	ctx, cancel := context.WithCancel(context.Background())
	return &Load{stop: cancel, result: Result{Pods: map[string]int{}}}, ctx
}

// every sends a request at each interval after an offset, until the context is done.
func (l *Load) every(ctx context.Context, interval, offset time.Duration, send func() (pod string, err error)) {
	l.all.Go(func() {
		ticker := time.NewTimer(offset)
		defer ticker.Stop()
		for next := time.Now().Add(offset); ; {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			l.all.Go(func() { l.count(send()) })
			next = next.Add(interval)
			ticker.Reset(time.Until(next))
		}
	})
}

func (l *Load) count(pod string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.result.Requests++
	if err != nil {
		l.result.Failures = append(l.result.Failures, err)
		return
	}
	l.result.Pods[pod]++
}

// Take returns the result since the last call of Take.
func (l *Load) Take() Result {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.result
	l.result = Result{Pods: map[string]int{}}
	return r
}

// Stop ends the load, waits for the requests in flight, and returns the result since the
// last call of Take.
func (l *Load) Stop() Result {
	l.stop()
	l.all.Wait()
	return l.Take()
}

// infer sends a request over HTTP, and returns the name of the pod that served it.
func infer(client *http.Client, url string) (string, error) {
	response, err := client.Post(url, "application/json", strings.NewReader(`{"inputs":[]}`))
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", response.Status, text)
	}
	var answer struct{ Outputs []struct{ Data []string } }
	if err := json.Unmarshal(text, &answer); err != nil {
		return "", err
	}
	if len(answer.Outputs) != 1 || len(answer.Outputs[0].Data) != 1 {
		return "", fmt.Errorf("the answer has no pod: %s", text)
	}
	return answer.Outputs[0].Data[0], nil
}
