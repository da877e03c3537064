//go:build e2e

package e2e

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestAPIRights: who calls may what Kubernetes lets him, and learns nothing of what
// he may not see.
func TestAPIRights(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "api-rights")
	a := s.api()
	other := *a
	other.leases = s.leasesIn(a.server, "e2e-api-rights-other")
	scientist := a.user("scientist", allVerbs...)
	nobody := a.user("nobody")
	list := fields{"namespace": a.namespace}
	a.waitAuthorized(scientist, "List", list)
	a.apply("secret", "{"+vision+", triton: {replicas: 0}}")
	other.apply("secret", "{"+vision+", triton: {replicas: 0}}")

	refused := func(c *caller, where *api) {
		s.Helper()
		for _, method := range []string{"Status", "Renew", "Release", "Acquire", "List"} {
			told := map[string]bool{}
			for _, name := range []string{"secret", "absent"} {
				request := where.id(name)
				switch method {
				case "Acquire":
					request = where.acquireRequest(fields{"name": name, "no_wait": true})
				case "List":
					request = fields{"namespace": where.namespace}
				}
				code, err := codeOf(c.call(s.Context(), method, request, nil))
				if code != "permission_denied" {
					s.fatal("%s calls %s of %s in %s: %v", c.name, method, name, where.namespace, err)
				}
				told[err.Error()] = true
			}
			if len(told) != 1 {
				s.fatal("%s of a lease that is there and one that is not: %v", method, slices.Collect(maps.Keys(told)))
			}
		}
		for _, method := range []string{"Append", "Remove", "List"} {
			if code, err := codeOf(c.call(s.Context(), "AllowlistService/"+method, allowlistRequest(method, allowed), nil)); code != "permission_denied" {
				s.fatal("%s calls %s of the allowlist: %v", c.name, method, err)
			}
		}
		s.step("%s may do nothing in %s, and is told the same of what is there and what is not", c.name, where.namespace)
	}
	refused(nobody, a)
	refused(nobody, &other)
	refused(scientist, &other)
	a.mustGet("secret")
	other.mustGet("secret")

	everywhere := fields{"namespace": "-"}
	a.expectCode(scientist, "List", everywhere, "permission_denied")
	const auditor = "e2e-api-auditor"
	reader := a.user("auditor")
	a.kubectl("create", "clusterrole", auditor, "--verb=list", "--resource="+resource)
	a.kubectl("create", "clusterrolebinding", auditor, "--clusterrole="+auditor, "--serviceaccount="+a.namespace+":auditor")
	a.expectCode(reader, "List", everywhere, "ok")
	var all struct{ Leases []apiLease }
	s.must(reader.call(s.Context(), "List", everywhere, &all))
	seen := map[string]bool{}
	for _, lease := range all.Leases {
		seen[lease.Namespace] = true
	}
	if !seen[a.namespace] || !seen[other.namespace] {
		s.fatal("the list of all namespaces has those of %v", seen)
	}
	a.expectCode(reader, "Status", a.id("secret"), "permission_denied")
	s.step("to list all namespaces takes rights in the whole cluster, and is another right than to look")

	for verb, method := range map[string]string{"get": "Status", "update": "Renew", "list": "List", "create": "Acquire", "delete": "Release"} {
		c := a.user("only-"+verb, verb)
		requests := map[string]fields{
			"Status": a.id("secret"), "Renew": a.id("secret"), "List": list, "Release": a.id("absent"),
			"Acquire": a.acquireRequest(fields{"name": "only-create", "no_wait": true}),
		}
		a.expectCode(c, method, requests[method], "ok")
		delete(requests, method)
		for method, request := range requests {
			if code, err := codeOf(c.call(s.Context(), method, request, nil)); code != "permission_denied" {
				s.fatal("who may %s, and nothing else, calls %s: %v", verb, method, err)
			}
		}
	}
	s.step("each method needs its own right")
	a.delete("only-create")
	a.checkRevoked(scientist)
}

// revoked checks who is not, or no longer, known.
func (a *api) checkRevoked(scientist *caller) {
	a.Helper()
	list := fields{"namespace": a.namespace}
	a.kubectl("create", "secret", "generic", "bound", "-n", a.namespace)
	bound := a.caller("bound", a.kubectl("create", "token", "scientist", "-n", a.namespace, "--bound-object-kind=Secret", "--bound-object-name=bound"))
	a.expectCode(bound, "List", list, "ok")
	a.kubectl("delete", "secret", "bound", "-n", a.namespace)
	a.expectCode(bound, "List", list, "unauthenticated")
	a.expectCode(scientist, "List", list, "ok")

	a.step("rights that are taken away are gone")
	a.kubectl("delete", "rolebinding", "scientist", "-n", a.namespace)
	a.expectCode(scientist, "List", list, "permission_denied")

	foreign := a.caller("of-another-audience", a.kubectl("create", "token", "scientist", "-n", a.namespace, "--audience=somebody-else"))
	parts := strings.Split(scientist.token, ".")
	told := map[string]bool{}
	for name, token := range map[string]string{
		"none": "", "garbage": "garbage", "forged": parts[0] + "." + parts[1] + ".AAAA", "long": strings.Repeat("a", 40<<10),
		"unsigned": "eyJhbGciOiJub25lIn0." + parts[1] + ".", "foreign": foreign.token, "two": scientist.token + " " + scientist.token,
	} {
		for _, method := range []string{"List", "Status", "AllowlistService/List"} {
			request := a.id("secret")
			if strings.HasSuffix(method, "List") {
				request = fields{}
			}
			code, err := codeOf(a.caller(name, token).call(a.Context(), method, request, nil))
			if code != "unauthenticated" {
				a.fatal("%s with the token %q: %v", method, name, err)
			}
			told[err.Error()] = true
		}
	}
	if len(told) != 1 {
		a.fatal("it tells apart who is not known: %v", slices.Collect(maps.Keys(told)))
	}
	a.step("without a good token nobody is anybody")
}

func allowlistRequest(method, image string) fields {
	if method == "List" {
		return fields{}
	}
	return fields{"images": []string{image}}
}
