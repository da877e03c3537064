//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// hostile has strings that are special to a shell, a terminal, a log, YAML, a template or
// Prometheus.
var hostile = map[string]string{
	"escape":   "a\x1b[31;1mred\x1b[0m\x1b]0;title\x07",
	"newline":  "a\n{\"level\":\"INFO\",\"msg\":\"e2e-forged\"}\n",
	"yaml":     "a\nspec: {replicas: 99}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: e2e-forged}\n",
	"template": `{{ .Values }}{{ range $i := until 9 }}x{{ end }}`,
	"promql":   `a"} or vector(1e9) or {b="`,
	"argument": "a --model-repository=/etc $(HOSTNAME) `id` ; id",
	"path":     "../../../etc/passwd",
	"long":     strings.Repeat("long", 2560),
	"bidi":     "a\u202eexe.txt\u2028b\u0085c",
	"nul":      "a\x00b",
	"space":    " ",
}

// TestAPIStrings checks that hostile strings in every field are refused, or stored
// unchanged.
func TestAPIStrings(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "api-strings")
	a := s.api()
	me := a.user("me", allVerbs...)
	a.kubectl("create", "rolebinding", "editor", "-n", a.release.Namespace, "--role=tms-server-allowlist-editor", "--serviceaccount="+a.namespace+":me")
	a.waitAuthorized(me, "List", fields{"namespace": a.namespace})
	a.waitAuthorized(me, "AllowlistService/List", fields{})
	spec := func(changes fields) fields {
		spec := fields{"models": []fields{{"name": "resnet50", "uri": "s3://models/vision"}}, "autoscaling": fields{"max_replicas": 2}}
		for key, value := range changes {
			spec[key] = value
		}
		return a.acquireRequest(fields{"no_wait": true, "spec": spec})
	}
	requests := map[string]func(text string) (method string, request fields){
		"namespace": func(x string) (string, fields) {
			return "Acquire", a.acquireRequest(fields{"namespace": x, "no_wait": true})
		},
		"name": func(x string) (string, fields) {
			return "Acquire", a.acquireRequest(fields{"name": x, "no_wait": true})
		},
		"request_id": func(x string) (string, fields) {
			return "Acquire", a.acquireRequest(fields{"request_id": x, "no_wait": true})
		},
		"triton_image": func(x string) (string, fields) { return "Acquire", spec(fields{"triton_image": x}) },
		"model": func(x string) (string, fields) {
			return "Acquire", spec(fields{"models": []fields{{"name": x, "uri": "s3://a/b"}}})
		},
		"uri": func(x string) (string, fields) {
			return "Acquire", spec(fields{"models": []fields{{"name": "m", "uri": "s3://a/" + x}}})
		},
		"scheme": func(x string) (string, fields) {
			return "Acquire", spec(fields{"models": []fields{{"name": "m", "uri": x}}})
		},
		"cpus":       func(x string) (string, fields) { return "Acquire", spec(fields{"resources": fields{"cpus": x}}) },
		"memory":     func(x string) (string, fields) { return "Acquire", spec(fields{"resources": fields{"memory": x}}) },
		"status":     func(x string) (string, fields) { return "Status", a.id(x) },
		"renew":      func(x string) (string, fields) { return "Renew", a.id(x) },
		"release":    func(x string) (string, fields) { return "Release", a.id(x) },
		"list":       func(x string) (string, fields) { return "List", fields{"namespace": x} },
		"page_token": func(x string) (string, fields) { return "List", fields{"namespace": a.namespace, "page_token": x} },
		"append":     func(x string) (string, fields) { return "AllowlistService/Append", allowlistRequest("Append", x) },
		"remove":     func(x string) (string, fields) { return "AllowlistService/Remove", allowlistRequest("Remove", x) },
	}
	granted, refused := 0, 0
	for field, newRequest := range requests {
		for kind, text := range hostile {
			method, request := newRequest(text)
			var err error
			s.eventually(fmt.Sprintf("%s with %s is accepted or refused", field, kind), func() (bool, string) {
				var code string
				code, err = codeOf(me.call(s.Context(), method, request, nil))
				return code != "resource_exhausted", code
			})
			code, _ := codeOf(err)
			switch code {
			case "ok":
				granted++
				s.step("%s: %s is accepted", field, kind)
			case "invalid_argument", "failed_precondition", "not_found", "permission_denied":
				refused++
				checkPrintable(s, field+": "+kind, err.Error())
				if len(err.Error()) > 2000 {
					s.Errorf("%s: %s: the answer has %d bytes", field, kind, len(err.Error()))
				}
			default:
				s.Errorf("%s: %s: %v", field, kind, err)
			}
		}
	}
	s.step("%d are granted, %d refused", granted, refused)
	a.checkCluster()

	var all struct{ Leases []apiLease }
	s.must(me.call(s.Context(), "List", fields{"namespace": a.namespace, "page_size": 500}, &all))
	out := me.tmsctl("lease", "list")
	checkPrintable(s, "tmsctl lease list", out)
	for _, lease := range all.Leases {
		checkPrintable(s, "tmsctl lease status", me.tmsctl("lease", "status", lease.ID))
	}
	for kind, text := range hostile {
		if strings.Contains(text, "\x00") {
			continue // an argument of a command cannot contain it
		}
		out, err := me.run(s.Context(), "tmsctl", "lease", "create", "-n", a.namespace, "--no-wait", "--name", text, "-m", "name=m,uri=s3://a/b")
		if err == nil {
			s.fatal("tmsctl acquires a lease with the name %s: %s", kind, out)
		}
		checkPrintable(s, "tmsctl lease create, "+kind, out+err.Error())
	}
	for _, lease := range all.Leases {
		s.must(me.call(s.Context(), "Release", a.id(lease.ID), nil))
	}
	a.noLeases()
}

// checkPrintable checks that a text has no characters that are unsafe on a terminal.
func checkPrintable(s *scenario, what, text string) {
	s.Helper()
	for _, r := range text {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) && !unicode.IsSpace(r) || r == '\r' || r == '\u2028' || r == '\u0085' {
			s.Errorf("%s has the character %U: %q", what, r, text)
			s.step("FAILED: %s has the character %U: %q", what, r, text)
			return
		}
	}
}

// checkCluster checks the leases, their objects, the events and the logs of the servers
// after the hostile requests.
func (a *api) checkCluster() {
	a.Helper()
	var list struct {
		Items []struct {
			tritonLease
			Spec struct{ Models []struct{ Name, URI string } }
		}
	}
	a.must(a.read(a.Context(), "/apis/tms.triton-leases.dev/v1alpha1/namespaces/"+a.namespace+"/tritonleases", &list))
	for _, lease := range list.Items {
		a.is(lease.Name, "Granted", metav1.ConditionTrue, "Granted")
		a.eventually(lease.Name+" has its objects", func() (bool, string) {
			objects, err := a.objectsOf(lease.Name)
			return err == nil && (kindsOf(objects) == plainKinds || kindsOf(objects) == scaledKinds), fmt.Sprint(kindsOf(objects), err)
		})
		d, err := a.cluster.Client.AppsV1().Deployments(a.namespace).Get(a.Context(), objectName(lease.Name), metav1.GetOptions{})
		a.must(err)
		unchanged := 0
		for _, argument := range append(d.Spec.Template.Spec.Containers[0].Command, d.Spec.Template.Spec.Containers[0].Args...) {
			for _, model := range lease.Spec.Models {
				if argument == "--load-model="+model.Name || argument == "--model-repository="+model.URI {
					unchanged++
				}
			}
		}
		a.step("%s is granted with the models %q; Triton has %d unchanged arguments for them", lease.Name, lease.Spec.Models, unchanged)
		for _, c := range a.mustGet(lease.Name).Status.Conditions {
			checkPrintable(a.scenario, "condition of "+lease.Name, c.Message)
		}
	}
	a.eventually("there are no objects without a lease", func() (bool, string) {
		orphans, err := a.orphans(a.Context())
		return err == nil && orphans == "", fmt.Sprint(orphans, err)
	})
	for _, namespace := range []string{a.namespace, a.release.Namespace, "default"} {
		maps, err := a.cluster.Client.CoreV1().ConfigMaps(namespace).List(a.Context(), metav1.ListOptions{})
		a.must(err)
		for _, m := range maps.Items {
			if strings.Contains(m.Name, "forged") {
				a.fatal("the ConfigMap %s exists", m.Name)
			}
			if m.Name == "tms-server-allowlist" && strings.TrimSpace(m.Data["images"]) != "" {
				a.step("the allowlist is %q", m.Data)
			}
		}
		events, err := a.cluster.Client.CoreV1().Events(namespace).List(a.Context(), metav1.ListOptions{})
		a.must(err)
		for _, event := range events.Items {
			if strings.HasPrefix(event.Source.Component, "tms") || event.ReportingController == "tms-server" {
				checkPrintable(a.scenario, "event "+event.Name, event.Message)
			}
		}
	}
	pods, err := a.serverPods(a.Context())
	a.must(err)
	for name, pod := range pods {
		a.checkServerLog(name, pod)
	}
}

// checkServerLog checks that each line of a server's log is a log entry of its own.
func (a *api) checkServerLog(name string, pod corev1.Pod) {
	a.Helper()
	text, err := os.ReadFile(filepath.Join(h.Logs(), fmt.Sprintf("pod-%s-%s-tms-server.log", pod.Namespace, name)))
	a.must(err)
	for line := range bytes.Lines(text) {
		var entry struct{ Msg string }
		if json.Unmarshal(line, &entry) != nil || entry.Msg == "" || strings.Contains(entry.Msg, "e2e-forged") {
			a.fatal("the log of %s has the line %q", name, line)
		}
	}
	checkPrintable(a.scenario, "the log of "+name, string(text))
	if pod.Status.ContainerStatuses[0].RestartCount > 0 {
		a.fatal("%s was restarted", name)
	}
	a.step("%s wrote %d lines, all of them log entries", name, bytes.Count(text, []byte("\n")))
}
