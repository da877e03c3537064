//go:build e2e

package e2e

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestAPIRights checks that callers have the rights that RBAC grants them, and that errors
// do not reveal which leases exist.
func TestAPIRights(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "api-rights")
	a := s.api()
	other := *a
	other.leases = s.leasesIn(a.server, "e2e-api-rights-other")
	scientist := a.user("scientist", allVerbs...)
	stranger := a.user("stranger")
	list := fields{"namespace": a.namespace}
	a.waitAuthorized(scientist, "List", list)
	a.apply("secret", "{"+vision+", triton: {replicas: 0}}")
	other.apply("secret", "{"+vision+", triton: {replicas: 0}}")

	refused := func(c *caller, in *api) {
		s.Helper()
		for _, method := range []string{"Status", "Renew", "Release", "Acquire", "List"} {
			messages := map[string]bool{}
			for _, name := range []string{"secret", "absent"} {
				request := in.id(name)
				switch method {
				case "Acquire":
					request = in.acquireRequest(fields{"name": name, "no_wait": true})
				case "List":
					request = fields{"namespace": in.namespace}
				}
				code, err := codeOf(c.call(s.Context(), method, request, nil))
				if code != "permission_denied" {
					s.fatal("%s calls %s of %s in %s: %v", c.name, method, name, in.namespace, err)
				}
				messages[err.Error()] = true
			}
			if len(messages) != 1 {
				s.fatal("%s has different errors for leases that exist and that do not: %v", method, slices.Collect(maps.Keys(messages)))
			}
		}
		for _, method := range []string{"Append", "Remove", "List"} {
			if code, err := codeOf(c.call(s.Context(), "AllowlistService/"+method, allowlistRequest(method, allowed), nil)); code != "permission_denied" {
				s.fatal("%s calls %s of the allowlist: %v", c.name, method, err)
			}
		}
		s.step("%s has no rights in %s, and gets the same errors for leases that exist and that do not", c.name, in.namespace)
	}
	refused(stranger, a)
	refused(stranger, &other)
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
		s.fatal("the list of all namespaces has leases of %v", seen)
	}
	a.expectCode(reader, "Status", a.id("secret"), "permission_denied")
	s.step("List of all namespaces needs a cluster-wide right to list, and does not include Status")

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
				s.fatal("a user with only the verb %s calls %s: %v", verb, method, err)
			}
		}
	}
	s.step("each method needs its own verb")
	a.delete("only-create")
	a.checkRevoked(scientist)
}

// checkRevoked checks that invalid and revoked tokens, and revoked rights, are refused.
func (a *api) checkRevoked(scientist *caller) {
	a.Helper()
	list := fields{"namespace": a.namespace}
	a.kubectl("create", "secret", "generic", "bound", "-n", a.namespace)
	bound := a.caller("bound", a.kubectl("create", "token", "scientist", "-n", a.namespace, "--bound-object-kind=Secret", "--bound-object-name=bound"))
	a.expectCode(bound, "List", list, "ok")
	a.kubectl("delete", "secret", "bound", "-n", a.namespace)
	a.expectCode(bound, "List", list, "unauthenticated")
	a.expectCode(scientist, "List", list, "ok")

	a.step("a deleted RoleBinding takes effect")
	a.kubectl("delete", "rolebinding", "scientist", "-n", a.namespace)
	a.expectCode(scientist, "List", list, "permission_denied")

	foreign := a.caller("of-another-audience", a.kubectl("create", "token", "scientist", "-n", a.namespace, "--audience=another"))
	parts := strings.Split(scientist.token, ".")
	messages := map[string]bool{}
	for name, token := range map[string]string{
		"none": "", "garbage": "garbage", "forged": parts[0] + "." + parts[1] + ".AAAA", "long": strings.Repeat("a", 20<<10),
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
			messages[err.Error()] = true
		}
	}
	if len(messages) != 1 {
		a.fatal("invalid tokens have different errors: %v", slices.Collect(maps.Keys(messages)))
	}
	a.step("invalid tokens are refused, all with the same error")
}

func allowlistRequest(method, image string) fields {
	if method == "List" {
		return fields{}
	}
	return fields{"images": []string{image}}
}
