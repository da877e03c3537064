//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/test/e2e/triton"
)

// TestAPIFaults runs forty clients that acquire leases at the same time, while it kills
// servers repeatedly. A client that retries gets one lease; a client that disconnects gets
// none.
func TestAPIFaults(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "api-faults")
	a := s.ownAPI(3, "server: {apiService: {callsPerSecond: 500}}")
	const seed, retrying, commands, leaving, maxKills = 7, 26, 6, 8, 14
	random := rand.New(rand.NewPCG(seed, 0))
	s.step("the seed is %d", seed)
	me := a.user("me", allVerbs...)
	a.waitAuthorized(me, "List", fields{"namespace": a.namespace})
	// Models load slowly, so that kills interrupt calls.
	for i := range retrying + commands + leaving {
		h.Fleet.Change(fmt.Sprintf("%s/%s", a.namespace, objectName(clientName(i))), func(b *triton.Behavior) {
			b.LoadTime = time.Duration(random.IntN(8000)) * time.Millisecond
		})
	}
	ctx, cancel := context.WithTimeout(s.Context(), limit)
	defer cancel()
	var clients sync.WaitGroup
	var lock sync.Mutex
	got, tries, left := map[string]string{}, 0, retrying+commands
	done := func(client, id string) {
		lock.Lock()
		defer lock.Unlock()
		got[client] = id
		left--
	}
	for i := range retrying {
		c := a.caller(clientName(i), me.token)
		clients.Go(func() {
			id, attempts, err := c.acquireOwn(ctx)
			lock.Lock()
			tries += attempts
			lock.Unlock()
			if err != nil {
				s.Errorf("%s: %v", c.name, err)
			}
			done(c.name, id)
		})
	}
	for i := range commands {
		name := clientName(retrying + i)
		clients.Go(func() {
			out, err := me.run(ctx, "tmsctl", "lease", "create", "-n", a.namespace, "--name", name, "--request-id", name, "-z", "-m", "name=m,uri=s3://a/b", "--timeout", "4m")
			if err != nil {
				s.Errorf("%s: %v", name, err)
			}
			done(name, strings.TrimSpace(out))
		})
	}
	for i := range leaving { // they disconnect, some of them at once
		c := a.caller(clientName(retrying+commands+i), me.token)
		stays := time.Duration(random.IntN(3000)) * time.Millisecond
		h.Fleet.Change(fmt.Sprintf("%s/%s", a.namespace, objectName(c.name)), func(b *triton.Behavior) { b.LoadTime = time.Hour })
		clients.Go(func() {
			within, leave := context.WithTimeout(ctx, time.Minute)
			defer leave()
			time.AfterFunc(stays, leave)
			_, _ = c.acquire(within, a.acquireRequest(fields{"name": c.name, "request_id": c.name}), nil)
		})
	}
	kills := 0
	for ; kills < maxKills; kills++ {
		s.pause(time.Duration(500+random.IntN(4000)) * time.Millisecond)
		lock.Lock()
		waiting := left
		lock.Unlock()
		if waiting == 0 {
			break
		}
		a.kill(random)
	}
	clients.Wait()
	s.step("%d clients have a lease, after %d kills; those that retry called Acquire %d times", len(got), kills, tries)
	var want []string
	for client, id := range got {
		if client != id {
			s.Errorf("%s got the lease %q", client, id)
		}
		want = append(want, client)
	}
	slices.Sort(want)
	s.eventually("each client has one lease, and there are no others", func() (bool, string) {
		names, err := a.names(s.Context())
		slices.Sort(names)
		return err == nil && slices.Equal(names, want), fmt.Sprintf("%d leases of %d, %v", len(names), len(want), err)
	})
	for _, name := range want {
		if a.serves(name).Spec.AcquireBy != nil {
			s.fatal("spec.acquireBy of %s is still set", name)
		}
	}
	s.eventually("there are no objects without a lease", func() (bool, string) {
		orphans, err := a.orphans(s.Context())
		return err == nil && orphans == "", fmt.Sprint(orphans, err)
	})
}

func clientName(i int) string { return fmt.Sprintf("client-%02d", i) }

// acquireOwn acquires a lease with the caller's name, and retries with the same request id
// while no server is available.
func (c *caller) acquireOwn(ctx context.Context) (id string, tries int, err error) {
	return c.acquireWithRetries(ctx, c.acquireRequest(fields{"name": c.name, "request_id": c.name}))
}

func (c *caller) acquireWithRetries(ctx context.Context, request fields) (id string, tries int, err error) {
	for ; ctx.Err() == nil; tries++ {
		var lease apiLease
		lease, err = c.acquire(ctx, request, nil)
		code, _ := codeOf(err)
		if code != "unavailable" {
			return lease.ID, tries + 1, err
		}
		h.Log.Detail(c.api.name, "%s retries: %v", c.name, err)
		select {
		case <-ctx.Done():
		case <-time.After(300 * time.Millisecond):
		}
	}
	return "", tries, err
}

// kill kills the leader, another server, or all of them.
func (a *api) kill(random *rand.Rand) {
	pods, err := a.serverPods(a.Context())
	a.must(err)
	leader, _, err := a.leader(a.Context())
	a.must(err)
	choice := random.IntN(3)
	for name := range pods {
		if choice == 2 || (name == leader.pod()) == (choice == 0) {
			if h.Node.CrashContainer(a.release.Namespace, name, "tms-server") == nil {
				a.step("killed %s, leader: %t", name, name == leader.pod())
			}
		}
	}
}

// TestAPILate checks that a lease is released if it is not ready in time, and if its client
// disconnects.
func TestAPILate(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "api-late")
	a := s.api()
	me := a.user("me", allVerbs...)
	a.waitAuthorized(me, "List", fields{"namespace": a.namespace})
	for _, name := range []string{"jammed", "away", "deadline"} {
		h.Fleet.Change(a.namespace+"/"+objectName(name), func(b *triton.Behavior) { b.LoadTime = time.Hour })
	}
	within := func(d time.Duration, request fields, onUpdate func(apiLease)) error {
		ctx, cancel := context.WithTimeout(s.Context(), d+20*time.Second)
		defer cancel()
		c := *me
		c.http = a.httpClient("")
		c.http.Transport = deadlineTransport{c.http.Transport, d}
		_, err := c.acquire(ctx, request, onUpdate)
		return err
	}
	s.step("a lease with models that do not load")
	var states []string
	err := within(12*time.Second, a.acquireRequest(fields{"name": "jammed"}), func(l apiLease) { states = append(states, l.State+" "+l.Message) })
	if code, _ := codeOf(err); code != "deadline_exceeded" || !strings.Contains(err.Error(), "is released again: 0 of 1 replicas serve") {
		s.fatal("Acquire of a lease that does not load: %v", err)
	}
	s.step("%v, after %q", err, states)
	a.gone("jammed")

	s.step("a lease with a pod that cannot be created")
	request := a.acquireRequest(fields{"name": "forbidden"})
	a.kubectl("create", "quota", "none", "-n", a.namespace, "--hard=pods=0")
	err = within(12*time.Second, request, nil)
	if code, _ := codeOf(err); code != "deadline_exceeded" {
		s.fatal("Acquire of a lease without pods: %v", err)
	}
	s.step("%v", err)
	a.gone("forbidden")
	a.kubectl("delete", "quota", "none", "-n", a.namespace)

	s.step("a client that disconnects while it waits")
	ctx, leave := context.WithTimeout(s.Context(), 15*time.Second)
	_, _ = me.acquire(ctx, a.acquireRequest(fields{"name": "away", "request_id": "away"}), func(apiLease) { time.AfterFunc(time.Second, leave) })
	leave()
	lease := a.mustGet("away")
	if lease.Spec.AcquireBy == nil {
		s.fatal("spec.acquireBy is not set on the lease of a client that disconnected")
	}
	s.step("its spec.acquireBy is %s", lease.Spec.AcquireBy)
	a.gone("away")

	s.step("tmsctl with a timeout that expires")
	out, err := me.run(s.Context(), "tmsctl", "lease", "create", "-n", a.namespace, "--name", "deadline", "-m", "name=m,uri=s3://a/b", "--timeout", "5s")
	if err == nil || !strings.Contains(err.Error(), "fatal: the lease did not serve within 5s") {
		s.fatal("tmsctl prints %s %v", out, err)
	}
	s.step("%v", err)
	a.gone("deadline")
	if events, err := a.events("away"); err != nil || events["Released"]+events["Expired"] == "" {
		s.step("no event reports the reason of the release: %v (%v)", events, err)
	}
	a.apply("other", "{"+vision+"}") // no client waits for a lease of kubectl
	a.serves("other")
	a.consistently("a lease of kubectl is not released", 3*time.Second, func() (bool, string) {
		lease, err := a.get("other")
		return err == nil && lease.DeletionTimestamp == nil && lease.condition("Ready").Status == metav1.ConditionTrue, fmt.Sprint(err)
	})
}
