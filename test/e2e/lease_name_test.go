//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/triton-leases/tms/test/e2e/requests"
	"github.com/triton-leases/tms/test/e2e/triton"
)

// TestLeaseNames switches a name from one lease to another one under load, and releases the
// first lease: no request fails, neither of clients that connect for each request nor of
// those that keep their connections, and all requests then reach the second lease. It also
// checks the rights on names, and that Services that are not names do not change.
func TestLeaseNames(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-names")
	a := s.api()
	owner, viewer, leaser := a.user("owner"), a.user("viewer"), a.user("leaser", allVerbs...)
	for account, role := range map[string]string{"owner": "edit", "viewer": "view"} {
		a.kubectl("create", "rolebinding", account, "-n", a.namespace, "--clusterrole="+role, "--serviceaccount="+a.namespace+":"+account)
	}
	s.must(h.Cluster.Apply(s.Context(), fmt.Sprintf(
		"{apiVersion: v1, kind: Service, metadata: {name: mine, namespace: %s}, spec: {selector: {app: mine}, ports: [{port: 80}]}}", a.namespace)))
	foreign := a.kubectl("get", "service", "mine", "-n", a.namespace, "-o", "json")
	for _, lease := range []string{"blue", "green"} {
		h.Fleet.Change(a.namespace+"/"+objectName(lease), func(b *triton.Behavior) { b.Service, b.Instances, b.QueueSize = time.Second, 1000, 0 })
		a.apply(lease, "{"+vision+", triton: {replicas: 2}}")
	}
	a.serves("blue")
	a.serves("green")

	const service = "LeaseNameService/"
	create := fields{"namespace": a.namespace, "name": "vision", "lease_id": "blue"}
	a.waitAuthorized(owner, service+"Create", create)
	a.waitAuthorized(viewer, service+"List", fields{"namespace": a.namespace})
	remove := fields{"namespace": a.namespace, "name": "vision"}
	for _, c := range []*caller{viewer, leaser} {
		a.expectCode(c, service+"Create", create, "permission_denied")
		a.expectCode(c, service+"Create", fields{"namespace": a.namespace, "name": "vision", "lease_id": "green", "replace": true}, "permission_denied")
		a.expectCode(c, service+"Delete", remove, "permission_denied")
	}
	a.expectCode(leaser, service+"List", fields{"namespace": a.namespace}, "permission_denied")
	a.expectCode(owner, service+"List", fields{"namespace": "-"}, "permission_denied")
	for _, method := range []string{"Create", "Delete"} {
		want := map[string]string{"Create": "already_exists", "Delete": "failed_precondition"}[method]
		for _, name := range []string{"mine", objectName("blue")} {
			a.expectCode(owner, service+method, fields{"namespace": a.namespace, "name": name, "lease_id": "green", "replace": method == "Create"}, want)
		}
	}
	s.step("names need rights of their own, and Services that are not names are refused")

	owner.tmsctl("lease", "name", "create", "vision", "--lease", "blue")
	var address []string
	s.eventually("the name resolves", func() (bool, string) {
		address = h.Network.Resolve("vision." + a.namespace + ".svc")
		return len(address) == 1, fmt.Sprint(address)
	})
	s.eventually("the name has endpoints", func() (bool, string) {
		out := a.kubectl("get", "endpointslices", "-n", a.namespace, "-l", "kubernetes.io/service-name=vision", "-o", "jsonpath={.items[*].endpoints[*].conditions.ready}")
		return out == "true true", out
	})
	s.eventually("the network routes the name to its endpoints", func() (bool, string) {
		for _, port := range []string{"8000", "8001"} {
			connection, err := net.DialTimeout("tcp", net.JoinHostPort(address[0], port), time.Second)
			if err != nil {
				return false, err.Error()
			}
			_ = connection.Close()
		}
		return true, ""
	})
	connecting := requests.HTTP(address[0]+":8000", served, 20)
	defer connecting.Stop()
	keeping, err := requests.GRPC("passthrough:///"+address[0]+":8001", served, 20, 1)
	s.must(err)
	defer keeping.Stop()
	loads := map[string]*requests.Load{"clients that connect for each request": connecting, "clients that keep connections": keeping}
	reach := func(lease string) {
		s.Helper()
		for name, load := range loads {
			load.Take()
			s.eventually(name+" reach only "+lease, func() (bool, string) {
				r := load.Take()
				if len(r.Failures) > 0 {
					s.fatal("%s: requests failed: %v", name, r)
				}
				for pod := range r.Pods {
					if !strings.HasPrefix(pod, objectName(lease)+"-") {
						return false, r.String()
					}
				}
				return r.Requests > 10 && len(r.Pods) == 2, r.String()
			})
		}
	}
	reach("blue")

	if out, err := owner.run(s.Context(), "tmsctl", "lease", "name", "create", "vision", "--lease", "green", "-n", a.namespace); err == nil || !strings.Contains(err.Error(), `points to lease "blue"`) {
		s.fatal("a switch without --replace: %s %v", out, err)
	}
	reach("blue")
	if out := owner.tmsctl("lease", "name", "create", "vision", "--lease", "green", "--replace"); !strings.Contains(out, "green, and no longer to lease blue") {
		s.fatal("tmsctl lease name create --replace prints %q", out)
	}
	reach("green")
	owner.tmsctl("lease", "release", "blue")
	a.gone("blue")
	reach("green")
	a.expectCode(owner, service+"Create", create, "not_found")
	for name, load := range loads {
		r := load.Stop()
		s.step("%s: %v", name, r)
		if len(r.Failures) > 0 {
			s.fatal("%s: requests failed: %v", name, r)
		}
	}

	// The name outlives its lease, until it is deleted.
	a.listsName(viewer, "serving")
	owner.tmsctl("lease", "release", "green")
	a.gone("green")
	a.listsName(viewer, "not-found")
	owner.tmsctl("lease", "name", "delete", "vision")
	s.eventually("the Service of the name is deleted", func() (bool, string) {
		out := a.kubectl("get", "services", "-n", a.namespace, "-o", "name")
		return out == "service/mine", out
	})
	if now := a.kubectl("get", "service", "mine", "-n", a.namespace, "-o", "json"); now != foreign {
		s.fatal("the Service that is not a name has changed: %s, before: %s", now, foreign)
	}
	a.noLeases()
	a.quiet(5 * time.Second)
}

// listsName waits until tmsctl lists the name vision of the lease green with a state.
func (a *api) listsName(c *caller, state string) {
	a.Helper()
	a.eventually("tmsctl lists the name with the state "+state, func() (bool, string) {
		out, err := c.run(a.Context(), "tmsctl", "lease", "name", "list", "-z", "-n", a.namespace)
		return err == nil && strings.HasPrefix(out, "vision\t"+a.namespace+"\tgreen\t"+state+"\t") && strings.Count(out, "\n") == 1, fmt.Sprint(out, err)
	})
}
