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

// TestAPIFaults: forty clients acquire leases at once while servers are killed under
// them, again and again. Who keeps trying has one lease; who goes away, none.
func TestAPIFaults(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "api-faults")
	a := s.ownAPI(3, "server: {apiService: {callsPerSecond: 500}}")
	const seed, steady, commands, fickle, most = 7, 26, 6, 8, 14
	random := rand.New(rand.NewPCG(seed, 0))
	s.step("the seed is %d", seed)
	me := a.user("me", allVerbs...)
	a.waitAuthorized(me, "List", fields{"namespace": a.namespace})
	// Models take their time, so that there is something to be interrupted.
	for i := range steady + commands + fickle {
		h.Fleet.Change(fmt.Sprintf("%s/%s", a.namespace, objectName(clientName(i))), func(b *triton.Behavior) {
			b.LoadTime = time.Duration(random.IntN(8000)) * time.Millisecond
		})
	}
	ctx, cancel := context.WithTimeout(s.Context(), limit)
	defer cancel()
	var clients sync.WaitGroup
	var lock sync.Mutex
	got, tries, left := map[string]string{}, 0, steady+commands
	done := func(client, id string) {
		lock.Lock()
		defer lock.Unlock()
		got[client] = id
		left--
	}
	for i := range steady {
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
		name := clientName(steady + i)
		clients.Go(func() {
			out, err := me.run(ctx, "tmsctl", "lease", "create", "-n", a.namespace, "--name", name, "--request-id", name, "-z", "-m", "name=m,uri=s3://a/b", "--timeout", "4m")
			if err != nil {
				s.Errorf("%s: %v", name, err)
			}
			done(name, strings.TrimSpace(out))
		})
	}
	for i := range fickle { // who go away, some at once
		c := a.caller(clientName(steady+commands+i), me.token)
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
	for ; kills < most; kills++ {
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
	s.step("%d clients have a lease, after %d kills; the steady ones of them tried %d times", len(got), kills, tries)
	var want []string
	for client, id := range got {
		if client != id {
			s.Errorf("%s has got the lease %q", client, id)
		}
		want = append(want, client)
	}
	slices.Sort(want)
	s.eventually("each client has one lease, and nobody else has", func() (bool, string) {
		names, err := a.names(s.Context())
		slices.Sort(names)
		return err == nil && slices.Equal(names, want), fmt.Sprintf("%d leases of %d, %v", len(names), len(want), err)
	})
	for _, name := range want {
		if a.serves(name).Spec.AcquireBy != nil {
			s.fatal("%s is not kept", name)
		}
	}
	s.eventually("nothing is there that no lease owns", func() (bool, string) {
		orphans, err := a.orphans(s.Context())
		return err == nil && orphans == "", fmt.Sprint(orphans, err)
	})
}

func clientName(i int) string { return fmt.Sprintf("client-%02d", i) }

// insists acquires a lease of the caller's name, and tries again with the same
// request id until it has it.
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
		h.Log.Detail(c.api.name, "%s tries again: %v", c.name, err)
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
	dice := random.IntN(3)
	for name := range pods {
		if dice == 2 || (name == leader.pod()) == (dice == 0) {
			if h.Node.CrashContainer(a.release.Namespace, name, "tms-server") == nil {
				a.step("killed %s, which led: %t", name, name == leader.pod())
			}
		}
	}
}

// TestAPILate: a lease that does not serve in time is released again, and so is that
// of a client who went away.
func TestAPILate(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "api-late")
	a := s.api()
	me := a.user("me", allVerbs...)
	a.waitAuthorized(me, "List", fields{"namespace": a.namespace})
	for _, name := range []string{"jammed", "away", "deadline"} {
		h.Fleet.Change(a.namespace+"/"+objectName(name), func(b *triton.Behavior) { b.LoadTime = time.Hour })
	}
	within := func(d time.Duration, request fields, told func(apiLease)) error {
		ctx, cancel := context.WithTimeout(s.Context(), d+20*time.Second)
		defer cancel()
		c := *me
		c.http = a.httpClient("")
		c.http.Transport = deadlineTransport{c.http.Transport, d}
		_, err := c.acquire(ctx, request, told)
		return err
	}
	s.step("models that do not load")
	var states []string
	err := within(12*time.Second, a.acquireRequest(fields{"name": "jammed"}), func(l apiLease) { states = append(states, l.State+" "+l.Message) })
	if code, _ := codeOf(err); code != "deadline_exceeded" || !strings.Contains(err.Error(), "is released again: 0 of 1 replicas serve") {
		s.fatal("a lease that does not load ends with %v", err)
	}
	s.step("%v, after %q", err, states)
	a.gone("jammed")

	s.step("a pod that cannot be made")
	request := a.acquireRequest(fields{"name": "forbidden"})
	a.kubectl("create", "quota", "none", "-n", a.namespace, "--hard=pods=0")
	err = within(12*time.Second, request, nil)
	if code, _ := codeOf(err); code != "deadline_exceeded" {
		s.fatal("a lease without pods ends with %v", err)
	}
	s.step("%v", err)
	a.gone("forbidden")
	a.kubectl("delete", "quota", "none", "-n", a.namespace)

	s.step("a client that goes away while it waits")
	ctx, leave := context.WithTimeout(s.Context(), 15*time.Second)
	_, _ = me.acquire(ctx, a.acquireRequest(fields{"name": "away", "request_id": "away"}), func(apiLease) { time.AfterFunc(time.Second, leave) })
	leave()
	lease := a.mustGet("away")
	if lease.Spec.AcquireBy == nil {
		s.fatal("the lease of a client that went away has no end")
	}
	s.step("it is gone by %s", lease.Spec.AcquireBy)
	a.gone("away")

	s.step("tmsctl whose time is over")
	out, err := me.run(s.Context(), "tmsctl", "lease", "create", "-n", a.namespace, "--name", "deadline", "-m", "name=m,uri=s3://a/b", "--timeout", "5s")
	if err == nil || !strings.Contains(err.Error(), "fatal: the lease did not serve within 5s") {
		s.fatal("tmsctl says %s %v", out, err)
	}
	s.step("%v", err)
	a.gone("deadline")
	if told, err := a.events("away"); err != nil || told["Released"]+told["Expired"] == "" {
		s.step("nobody is told why it went: %v (%v)", told, err)
	}
	a.apply("other", "{"+vision+"}") // a lease of kubectl has nobody who waits for it
	a.serves("other")
	a.consistently("a lease of kubectl stays", 3*time.Second, func() (bool, string) {
		lease, err := a.get("other")
		return err == nil && lease.DeletionTimestamp == nil && lease.condition("Ready").Status == metav1.ConditionTrue, fmt.Sprint(err)
	})
}
