package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/triton-leases/tms/test/e2e/call"
)

// acquired is the result of many concurrent calls of Acquire.
type acquired struct {
	calls int
	// latencies are the times until the calls were answered, with their retries.
	latencies latencies
	// all is the time until the last call was answered.
	all   time.Duration
	tries int
	kills int
	// settled is the work until the server was idle. It is not measured if servers are
	// killed.
	settled      step
	before, peak float64
}

// connections is the number of connections to the servers.
const connections = 10

// acquire measures concurrent calls of Acquire on a new control plane. With waits, the
// calls wait until their lease is ready. With kill, servers are killed meanwhile.
func (o options) acquire(ctx context.Context, calls int, waits, kill bool) (r acquired, err error) {
	logf := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%d calls, wait: %t, kill servers: %t: %s\n", calls, waits, kill, fmt.Sprintf(format, args...))
	}
	r.calls = calls
	o.serveAPI, o.servers = true, 1
	if kill {
		o.servers = 2
	}
	e, err := o.start(ctx)
	if e != nil {
		defer func() { err = errors.Join(err, e.stop(err != nil)) }()
	}
	if err != nil {
		return r, err
	}
	token, err := e.token(ctx)
	if err != nil {
		return r, err
	}
	if _, err := waitFor(ctx, 0, func(samples) bool { return true }); err != nil {
		return r, err
	}
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()
	if waits {
		background.Go(func() { e.markReady(stop) })
	}
	if kill {
		if err := e.callWhileKilled(ctx, &r, e.callers(token, o.servers)); err != nil {
			return r, err
		}
	} else {
		if _, err := e.waitIdle(ctx, 0); err != nil {
			return r, err
		}
		empty, err := scrape(ctx, 0)
		if err != nil {
			return r, err
		}
		r.before = empty.memory()
		r.settled, err = e.measure(ctx, 0, calls, 0, func() error { return r.call(ctx, e.callers(token, o.servers), waits) })
		if err != nil {
			return r, err
		}
		r.peak = peakMemory(e.servers[0].Pid())
	}
	logf("p50 %s, p99 %s, worst %s, %d tries, %d kills; %s", r.latencies.median(), r.latencies.percentile(99), r.latencies.worst(), r.tries, r.kills, r.settled.Calls)
	for i := range calls {
		e.namespaces[namespace(i)] = true
	}
	if !kill {
		if err := e.checkObjects(ctx, calls); err != nil {
			return r, err
		}
	}
	return r, e.checkAcquired(ctx, calls)
}

// call starts all calls at once, and waits for their answers.
func (r *acquired) call(ctx context.Context, callers callers, waits bool) error {
	begin := time.Now()
	r.latencies = make(latencies, r.calls)
	failed := make([]error, r.calls)
	var tries atomic.Int64
	var all sync.WaitGroup
	for i := range r.calls {
		all.Go(func() {
			begin := time.Now()
			var n int
			n, failed[i] = callers.acquire(ctx, i, waits)
			tries.Add(int64(n))
			r.latencies[i] = time.Since(begin)
		})
	}
	all.Wait()
	r.all, r.tries = time.Since(begin), int(tries.Load())
	return errors.Join(failed...)
}

// callWhileKilled starts all calls, which wait, and kills servers until all have their
// answers.
func (e *environment) callWhileKilled(ctx context.Context, r *acquired, callers callers) error {
	var killing sync.WaitGroup
	over, end := context.WithCancel(ctx)
	killing.Go(func() { r.kills = e.crashServers(over) })
	err := r.call(ctx, callers, true)
	end()
	killing.Wait()
	return err
}

// token returns the token of a new service account with rights on leases in all
// namespaces.
func (e *environment) token(ctx context.Context) (string, error) {
	for _, args := range [][]string{
		{"create", "serviceaccount", "caller", "-n", "default"},
		{"create", "clusterrole", "caller", "--verb=create,get,list,delete", "--resource=tritonleases.tms.triton-leases.dev"},
		{"create", "clusterrolebinding", "caller", "--clusterrole=caller", "--serviceaccount=default:caller"},
	} {
		if _, err := e.Kubectl(ctx, "", args...); err != nil {
			return "", err
		}
	}
	granted, err := e.Client.CoreV1().ServiceAccounts("default").CreateToken(ctx, "caller", new(authenticationv1.TokenRequest), metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return granted.Status.Token, nil
}

func apiAddress(server int) string { return fmt.Sprintf("127.0.0.1:%d", 30345+server) }

type callers struct {
	token   string
	clients []call.Caller
}

// callers returns clients with one connection each, to the servers in turn.
func (e *environment) callers(token string, servers int) callers {
	c := callers{token: token}
	for i := range connections {
		protocols := new(http.Protocols)
		protocols.SetUnencryptedHTTP2(true)
		c.clients = append(c.clients, call.Caller{URL: "http://" + apiAddress(i%servers), Token: token, HTTP: &http.Client{Transport: &http.Transport{
			Protocols: protocols, DialContext: new(net.Dialer).DialContext,
		}}})
	}
	return c
}

// acquire acquires a lease. While a server is unavailable, it retries on the next one with
// the same request id.
func (c callers) acquire(ctx context.Context, i int, waits bool) (tries int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	request := map[string]any{
		"namespace": namespace(i), "name": fmt.Sprintf("lease-%05d", i), "request_id": fmt.Sprint("request ", i), "no_wait": !waits,
		"spec": map[string]any{
			"models":      []map[string]any{{"name": fmt.Sprintf("model-%d", i), "uri": fmt.Sprintf("s3://models/%d", i)}},
			"autoscaling": map[string]any{"max_replicas": 1 + i%9},
		},
	}
	for {
		err = c.clients[(i+tries)%len(c.clients)].Acquire(ctx, request, func(json.RawMessage) error { return nil })
		tries++
		if call.Code(err) != "unavailable" || ctx.Err() != nil {
			return tries, err
		}
		if err := sleep(ctx, 100*time.Millisecond+rand.N(100*time.Millisecond)); err != nil {
			return tries, err
		}
	}
}

// markReady acts as the Deployment controller: it reports a ready replica for each
// Deployment.
func (e *environment) markReady(ctx context.Context) {
	for ctx.Err() == nil {
		watch, err := e.Client.AppsV1().Deployments("").Watch(ctx, metav1.ListOptions{})
		if err != nil {
			_ = sleep(ctx, 100*time.Millisecond)
			continue
		}
		var patches sync.WaitGroup
		for event := range watch.ResultChan() {
			d, ok := event.Object.(*appsv1.Deployment)
			if !ok || d.Status.ObservedGeneration == d.Generation || d.DeletionTimestamp != nil {
				continue
			}
			patches.Go(func() {
				status := fmt.Appendf(nil, `{"status":{"observedGeneration":%d,"replicas":1,"readyReplicas":1,"updatedReplicas":1,"availableReplicas":1}}`, d.Generation)
				_, _ = e.Client.AppsV1().Deployments(d.Namespace).Patch(ctx, d.Name, types.MergePatchType, status, metav1.PatchOptions{}, "status")
			})
		}
		patches.Wait()
	}
}

// crashServers kills random servers until it has killed enough or the context is done. It
// returns the number of kills.
func (e *environment) crashServers(ctx context.Context) (kills int) {
	const enough = 6
	random := rand.New(rand.NewPCG(1, 0))
	for kills < enough && sleep(ctx, time.Duration(500+random.IntN(5000))*time.Millisecond) == nil {
		if e.servers[random.IntN(len(e.servers))].Crash() == nil {
			kills++
		}
	}
	return kills
}

// checkAcquired checks the number of leases, and that none is still pending: spec.acquireBy
// is removed when the caller has the answer.
func (e *environment) checkAcquired(ctx context.Context, calls int) error {
	var list struct {
		Items []struct {
			Spec struct{ AcquireBy *metav1.Time }
		}
	}
	text, err := e.api.Get().Resource("tritonleases").DoRaw(ctx)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	if len(list.Items) != calls {
		return fmt.Errorf("there are %d leases for %d callers", len(list.Items), calls)
	}
	for _, lease := range list.Items {
		if lease.Spec.AcquireBy != nil {
			return errors.New("spec.acquireBy of an acquired lease is still set")
		}
	}
	return nil
}
