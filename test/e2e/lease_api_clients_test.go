//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestAPIClients checks that third-party clients can use the whole API, through reflection
// if they support it.
func TestAPIClients(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "api-clients")
	a := s.api()
	me := a.user("me", allVerbs...)
	a.waitAuthorized(me, "List", fields{"namespace": a.namespace})
	authorization := "authorization: Bearer " + me.token
	grpcurl := func(method, body string) (string, error) {
		return me.run(s.Context(), "grpcurl", "-cacert", a.file, "-H", authorization, "-d", body, a.host+":30345", "tms.v1.LeaseService/"+method)
	}
	buf := func(protocol string) client {
		return func(method, body string) (string, error) {
			return me.run(s.Context(), "buf", "curl", "--cacert", a.file, "--protocol", protocol, "-H", authorization, "--reflect-header", "*", "-d", body, a.url+"/tms.v1.LeaseService/"+method)
		}
	}
	curl := func(method, body string) (string, error) {
		if method == "Acquire" { // a stream; curl does not frame its messages
			return buf("connect")(method, body)
		}
		return me.run(s.Context(), "curl", "--silent", "--show-error", "--fail-with-body", "--cacert", a.file,
			"--header", authorization, "--json", body, a.url+"/tms.v1.LeaseService/"+method)
	}
	list := func(options ...string) (string, error) {
		return me.run(s.Context(), "grpcurl", append(append([]string{"-cacert", a.file}, options...), a.host+":30345", "list")...)
	}
	out, err := list()
	if err == nil || !strings.Contains(err.Error(), "Unauthenticated") {
		s.fatal("reflection without a token: %s %v", out, err)
	}
	out, err = list("-H", authorization)
	s.must(err)
	for _, service := range []string{"tms.v1.LeaseService", "tms.v1.AllowlistService", "tms.v1.LeaseNameService", "grpc.health.v1.Health"} {
		if !strings.Contains(out, service) {
			s.fatal("reflection does not list %s: %s", service, out)
		}
	}
	check := func(method string) (string, error) { // grpcurl finds the types with reflection
		return me.run(s.Context(), "grpcurl", "-cacert", a.file, "-reflect-header", authorization, a.host+":30345", method)
	}
	out, err = check("grpc.health.v1.Health/Check")
	s.must(err)
	if !strings.Contains(out, `"SERVING"`) {
		s.fatal("the health of the server is %s", out)
	}
	s.step("health works without a token, reflection does not")
	_, err = check("tms.v1.LeaseService/List")
	if err == nil || !strings.Contains(err.Error(), "Code: Unauthenticated") {
		s.fatal("grpcurl without a token: %v", err)
	}

	for name, call := range map[string]client{
		"grpcurl": grpcurl, "buf-grpc": buf("grpc"), "buf-grpcweb": buf("grpcweb"), "buf-connect": buf("connect"), "curl": curl,
	} {
		a.exercise(name, call)
	}
	if out := me.tmsctl("lease", "create", "--name", "tmsctl", "-m", "name=resnet50,uri=s3://models/vision", "--no-wait"); out != "Lease tmsctl\n" {
		s.fatal("tmsctl lease create: %q", out)
	}
	for args, want := range map[string]string{"lease list": "tmsctl", "lease status tmsctl": "s3://models/vision"} {
		if out := me.tmsctl(strings.Fields(args)...); !strings.Contains(out, want) {
			s.fatal("tmsctl %s: %q", args, out)
		}
	}
	a.has("tmsctl", plainKinds)
	me.tmsctl("lease", "release", "tmsctl")
	a.gone("tmsctl")
	a.noLeases()
}

// client calls a method of LeaseService with JSON, and returns JSON.
type client func(method, body string) (string, error)

// exercise calls every method of LeaseService with a client.
func (a *api) exercise(name string, call client) {
	a.Helper()
	must := func(method, body string, into any) {
		a.Helper()
		out, err := call(method, body)
		if err == nil && into != nil {
			err = json.Unmarshal([]byte(out), into)
		}
		if err != nil {
			a.fatal("%s: %s: %v: %s", name, method, err, out)
		}
	}
	one := fmt.Sprintf(`{"namespace": %q, "id": %q}`, a.namespace, name)
	var acquired struct {
		Lease    apiLease
		Complete bool
	}
	must("Acquire", fmt.Sprintf(`{"namespace": %q, "name": %q, "no_wait": true, "spec": {"models": [{"name": "resnet50", "uri": "s3://models/vision"}],
  "autoscaling": {"max_replicas": 50}}}`, a.namespace, name), &acquired)
	if acquired.Lease.ID != name || !acquired.Complete {
		a.fatal("%s: Acquire: %+v", name, acquired)
	}
	a.has(name, scaledKinds)
	var list struct{ Leases []apiLease }
	must("List", fmt.Sprintf(`{"namespace": %q}`, a.namespace), &list)
	found := false
	for _, lease := range list.Leases {
		found = found || lease.ID == name
	}
	if !found {
		a.fatal("%s: List: %+v", name, list)
	}
	a.eventually(name+" gets the adjustment", func() (bool, string) {
		var status struct{ Lease apiLease }
		must("Status", one, &status)
		granted := status.Lease.Granted
		return granted != nil && granted.MaxReplicas == "4" && len(granted.Adjustments) == 1 &&
			strings.HasPrefix(granted.Adjustments[0].Message, "spec.autoscaling.max_replicas: asked 50, granted 4"), fmt.Sprintf("%+v", granted)
	})
	must("Renew", one, nil)
	must("Release", one, nil)
	a.gone(name)
	must("Release", one, nil) // Release is idempotent
	if out, err := call("Status", one); err == nil || !strings.Contains(strings.ToLower(strings.ReplaceAll(out+err.Error(), "_", "")), "notfound") {
		a.fatal("%s: Status of a released lease: %s %v", name, out, err)
	}
	a.step("%s: Acquire, List, Status, Renew and Release work", name)
}
