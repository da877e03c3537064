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
	"slices"
	"sync"
	"sync/atomic"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/triton-leases/tms/test/e2e/call"
)

// acquired is what many calls of Acquire at once took.
type acquired struct {
	calls int
	// took is how long each took, all of its tries together, in order.
	took []time.Duration
	// all is how long it took until the last one had its answer.
	all   time.Duration
	tries int
	kills int
	// settled is what the server did until nothing changed any more. It is not known
	// where the server was killed.
	settled      cost
	before, most float64
}

// connections are how many there are to the servers.
const connections = 10

// acquire measures so many calls of Acquire at once, on a control plane of its own.
// Where waits is so, they wait until the lease serves; where kill is so, servers are killed meanwhile.
func (p places) acquire(ctx context.Context, calls int, waits, kill bool) (r acquired, err error) {
	say := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%d calls, which wait: %t, servers are killed: %t: %s\n", calls, waits, kill, fmt.Sprintf(format, args...))
	}
	r.calls = calls
	p.api, p.servers = true, 1
	if kill {
		p.servers = 2
	}
	a, err := p.start(ctx)
	if a != nil {
		defer func() { err = errors.Join(err, a.stop(err != nil)) }()
	}
	if err != nil {
		return r, err
	}
	token, err := a.token(ctx)
	if err != nil {
		return r, err
	}
	var empty samples
	if !kill { // servers that elect a leader never rest
		if empty, err = a.rest(ctx); err != nil {
			return r, err
		}
	} else if err := await(ctx, func(samples) bool { return true }); err != nil {
		return r, err
	}
	r.before = empty.memory()
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	var beside sync.WaitGroup
	defer beside.Wait()
	defer cancel()
	if waits {
		beside.Go(func() { a.serveAll(stop) })
	}
	beside.Go(func() {
		for stop.Err() == nil {
			if s, err := look(stop); err == nil {
				r.most = max(r.most, s.memory())
			}
			_ = sleep(stop, 200*time.Millisecond)
		}
	})
	var killing sync.WaitGroup
	over, end := context.WithCancel(ctx)
	defer end()
	if kill {
		killing.Go(func() { r.kills = a.killServers(over) })
	}

	begin := time.Now()
	took := make([]time.Duration, calls)
	failed := make([]error, calls)
	var tries atomic.Int64
	var all sync.WaitGroup
	callers := a.callers(token, p.servers)
	for i := range calls {
		all.Go(func() {
			begin := time.Now()
			var n int
			n, failed[i] = callers.insist(ctx, i, waits)
			tries.Add(int64(n))
			took[i] = time.Since(begin)
		})
	}
	all.Wait()
	r.all, r.tries = time.Since(begin), int(tries.Load())
	end()
	killing.Wait()
	if err := errors.Join(failed...); err != nil {
		return r, err
	}
	slices.Sort(took)
	r.took = took
	say("p50 %s, p99 %s, worst %s, %d tries, %d kills", r.percentile(50), r.percentile(99), took[calls-1], r.tries, r.kills)
	if kill {
		return r, a.kept(ctx, calls)
	}
	full, err := a.rest(ctx)
	if err != nil {
		return r, err
	}
	r.settled = since(empty, full)
	say("settled: %+v, %.0f MiB", r.settled, full.memory()/mebi)
	if err := a.complete(ctx, calls); err != nil {
		return r, err
	}
	return r, a.kept(ctx, calls)
}

func (r acquired) percentile(percent int) time.Duration {
	return r.took[min(len(r.took)-1, len(r.took)*percent/100)]
}

// token makes a user who may have leases everywhere.
func (a *place) token(ctx context.Context) (string, error) {
	for _, args := range [][]string{
		{"create", "serviceaccount", "caller", "-n", "default"},
		{"create", "clusterrole", "caller", "--verb=create,get,list,delete", "--resource=tritonleases.tms.triton-leases.dev"},
		{"create", "clusterrolebinding", "caller", "--clusterrole=caller", "--serviceaccount=default:caller"},
	} {
		if _, err := a.Kubectl(ctx, "", args...); err != nil {
			return "", err
		}
	}
	granted, err := a.Client.CoreV1().ServiceAccounts("default").CreateToken(ctx, "caller", new(authenticationv1.TokenRequest), metav1.CreateOptions{})
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

// callers returns clients of the servers, in turn. Each has a connection.
func (a *place) callers(token string, servers int) callers {
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

// insist acquires a lease, and tries again with the same request id, elsewhere, until
// it has it.
func (c callers) insist(ctx context.Context, i int, waits bool) (tries int, err error) {
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

// serveAll stands in for all that makes a Deployment ready: it says that each one is.
func (a *place) serveAll(ctx context.Context) {
	for ctx.Err() == nil {
		watch, err := a.Client.AppsV1().Deployments("").Watch(ctx, metav1.ListOptions{})
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
				_, _ = a.Client.AppsV1().Deployments(d.Namespace).Patch(ctx, d.Name, types.MergePatchType, status, metav1.PatchOptions{}, "status")
			})
		}
		patches.Wait()
	}
}

// killServers kills servers at random, until there were enough or the context ends,
// and returns how often.
func (a *place) killServers(ctx context.Context) (kills int) {
	const enough = 6
	random := rand.New(rand.NewPCG(1, 0))
	for kills < enough && sleep(ctx, time.Duration(500+random.IntN(5000))*time.Millisecond) == nil {
		if a.servers[random.IntN(len(a.servers))].Crash() == nil {
			kills++
		}
	}
	return kills
}

// kept checks that there are so many leases, and that their callers keep them.
func (a *place) kept(ctx context.Context, calls int) error {
	var list struct {
		Items []struct {
			Spec struct{ AcquireBy *metav1.Time }
		}
	}
	text, err := a.api.Get().Resource("tritonleases").DoRaw(ctx)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	if len(list.Items) != calls {
		return fmt.Errorf("there are %d leases of %d callers", len(list.Items), calls)
	}
	for _, lease := range list.Items {
		if lease.Spec.AcquireBy != nil {
			return errors.New("a lease whose caller has it is not kept")
		}
	}
	return nil
}
