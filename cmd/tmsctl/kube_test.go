package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	apiproxy "k8s.io/apimachinery/pkg/util/proxy"
	"k8s.io/apiserver/pkg/util/proxy"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
	"sigs.k8s.io/yaml"
)

// kube is an API server with the Service tms-system/tms-server, whose pod forwards its port
// to a fake tms-server, and with two pods of a lease that have logs.
type kube struct {
	// backend is the address of the fake tms-server, and kubelet the URL that forwards to it.
	backend string
	kubelet *url.URL

	mu        sync.Mutex
	spdyOnly  bool
	forbidden string // the end of a path that is forbidden
	notReady  bool
	forwards  map[string]int // by protocol: WebSocket or SPDY
	// objects are other responses, by path.
	objects map[string]any
}

// kubeToken is the token of the users of the kubeconfig file.
const kubeToken = "kube-token"

func (k *kube) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case r.Header.Get("Authorization") != "Bearer "+kubeToken && len(r.TLS.PeerCertificates) == 0:
		k.refuse(w, http.StatusUnauthorized, "Unauthorized")
	case k.forbidden != "" && strings.HasSuffix(r.URL.Path, k.forbidden):
		k.refuse(w, http.StatusForbidden, k.forbidden+" is forbidden")
	default:
		k.serve(w, r)
	}
}

func (k *kube) serve(w http.ResponseWriter, r *http.Request) {
	const namespace = "/api/v1/namespaces/tms-system/"
	switch r.URL.Path {
	case namespace + "services/tms-server":
		k.write(w, http.StatusOK, &corev1.Service{Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": "tms-server"},
			Ports:    []corev1.ServicePort{{Port: 30345, TargetPort: intstr.FromString("api")}},
		}})
	case namespace + "pods":
		status := corev1.ConditionTrue
		if k.notReady {
			status = corev1.ConditionFalse
		}
		pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "tms-server-0"}}
		pod.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "api", ContainerPort: 8443}}}}
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}
		stopped := *pod.DeepCopy()
		stopped.Name, stopped.Status.Conditions = "tms-server-1", nil
		k.write(w, http.StatusOK, &corev1.PodList{Items: []corev1.Pod{stopped, pod}})
	case namespace + "pods/tms-server-0/portforward":
		k.portForward(w, r)
	case "/api/v1/namespaces/vision/pods":
		names := map[string][]string{"tms.triton-leases.dev/lease=one": {"one-0"}, "tms.triton-leases.dev/lease=two": {"two-0", "two-1"}, "tms.triton-leases.dev/lease=long": {"long-0"}}
		pods := new(corev1.PodList)
		for _, name := range names[r.URL.Query().Get("labelSelector")] {
			pods.Items = append(pods.Items, corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}})
		}
		k.write(w, http.StatusOK, pods)
	case "/api/v1/namespaces/vision/pods/one-0/log", "/api/v1/namespaces/vision/pods/two-0/log", "/api/v1/namespaces/vision/pods/two-1/log":
		_, _ = fmt.Fprintf(w, "started\x1b[2J\n%s\n", r.URL.RawQuery)
	case "/api/v1/namespaces/vision/pods/long-0/log":
		_, _ = fmt.Fprintln(w, strings.Repeat("x", 1<<20)+"the end")
	case "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews":
		k.write(w, http.StatusCreated, map[string]any{"status": map[string]any{"allowed": true}})
	default:
		if object, found := k.objects[r.URL.Path]; found {
			k.write(w, http.StatusOK, selected(object, r.URL.Query().Get("labelSelector")))
			return
		}
		k.refuse(w, http.StatusNotFound, "not found")
	}
}

// selected returns a list without the items whose labels do not match a selector. Items
// without labels match.
func selected(object any, selector string) any {
	list, _ := object.(map[string]any)
	items, isList := list["items"].([]any)
	parsed, err := labels.Parse(selector)
	if !isList || err != nil {
		return object
	}
	matching := []any{}
	for _, item := range items {
		metadata, _, _ := unstructured.NestedStringMap(item.(map[string]any), "metadata", "labels")
		if len(metadata) == 0 || parsed.Matches(labels.Set(metadata)) {
			matching = append(matching, item)
		}
	}
	return map[string]any{"items": matching}
}

func (k *kube) write(w http.ResponseWriter, code int, object any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(object)
}

func (k *kube) refuse(w http.ResponseWriter, code int, message string) {
	k.write(w, code, &metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Code: int32(code), Message: message,
	})
}

// portForward serves SPDY, also over WebSocket, as an API server does.
func (k *kube) portForward(w http.ResponseWriter, r *http.Request) {
	location := *k.kubelet
	upgrade := apiproxy.NewUpgradeAwareHandler(&location, http.DefaultTransport, false, true, proxyError{})
	protocol, handler := "SPDY", http.Handler(upgrade)
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		protocol, handler = "WebSocket", proxy.NewTunnelingHandler(upgrade)
		if k.spdyOnly {
			k.refuse(w, http.StatusBadRequest, "no WebSocket")
			return
		}
	}
	k.forwards[protocol]++
	k.mu.Unlock() // the connection stays open
	defer k.mu.Lock()
	handler.ServeHTTP(w, r)
}

// proxyError implements apiproxy.ErrorResponder.
type proxyError struct{}

func (proxyError) Error(w http.ResponseWriter, _ *http.Request, err error) {
	http.Error(w, err.Error(), http.StatusBadGateway)
}

// forward serves SPDY as a kubelet does.
func (k *kube) forward(w http.ResponseWriter, r *http.Request) {
	if _, err := httpstream.Handshake(r, w, []string{portforward.PortForwardProtocolV1Name}); err != nil {
		return
	}
	streams := make(chan httpstream.Stream, 2)
	connection := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(stream httpstream.Stream, replied <-chan struct{}) error {
		go func() { <-replied; streams <- stream }()
		return nil
	})
	if connection == nil {
		return
	}
	defer func() { _ = connection.Close() }()
	errorStream, data := <-streams, <-streams
	if data.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
		errorStream, data = data, errorStream
	}
	k.mu.Lock()
	backend := k.backend
	k.mu.Unlock()
	target, err := net.Dial("tcp", backend)
	if port := data.Headers().Get(corev1.PortHeader); err == nil && port != "8443" {
		err = fmt.Errorf("port %s", port)
	}
	if err != nil {
		_, _ = fmt.Fprintln(errorStream, "connection refused in the pod")
		_ = errorStream.Close()
		_ = data.Close()
		<-connection.CloseChan()
		return
	}
	defer func() { _ = target.Close() }()
	_ = errorStream.Close()
	go func() { _, _ = io.Copy(target, data); _ = target.Close() }()
	go func() { _, _ = io.Copy(data, target); _ = data.Close() }()
	<-connection.CloseChan()
}

// startKube starts an API server, and writes a kubeconfig file with a context for each kind
// of user.
func startKube(ts *testscript.TestScript, backend string) *kube {
	k := &kube{backend: backend, forwards: map[string]int{}}
	kubelet := httptest.NewServer(http.HandlerFunc(k.forward))
	ts.Defer(kubelet.Close)
	ts.Defer(kubelet.CloseClientConnections)
	var err error
	k.kubelet, err = url.Parse(kubelet.URL)
	ts.Check(err)
	server := httptest.NewUnstartedServer(k)
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	ts.Defer(server.Close)
	ts.Defer(server.CloseClientConnections)

	certificate := server.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	ts.Check(err)
	certificatePEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: server.URL, CertificateAuthorityData: certificatePEM}
	config.AuthInfos["token"] = &clientcmdapi.AuthInfo{Token: kubeToken}
	config.AuthInfos["cert"] = &clientcmdapi.AuthInfo{
		ClientCertificateData: certificatePEM, ClientKeyData: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	}
	config.AuthInfos["plugin"] = &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
		APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: clientcmdapi.NeverExecInteractiveMode, Command: "sh",
		Args: []string{"-c", `echo '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "` + kubeToken + `"}}'`},
	}}
	credential, err := json.Marshal(map[string]any{
		"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
		"status": map[string]any{
			"clientCertificateData": string(certificatePEM),
			"clientKeyData":         string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
		},
	})
	ts.Check(err)
	config.AuthInfos["certplugin"] = &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
		APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
		Command: "printf", Args: []string{"%s", string(credential)},
	}}
	config.AuthInfos["as"] = &clientcmdapi.AuthInfo{Token: kubeToken, Impersonate: "alice"}
	config.AuthInfos["stranger"] = &clientcmdapi.AuthInfo{Token: "wrong"}
	for user := range config.AuthInfos {
		config.Contexts[user] = &clientcmdapi.Context{Cluster: "test", AuthInfo: user}
	}
	config.Contexts["token"].Namespace = "vision"
	config.CurrentContext = "token"
	text, err := clientcmd.Write(*config)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("kubeconfig"), text, 0o600))
	ts.Setenv("KUBECONFIG", ts.MkAbs("kubeconfig"))
	return k
}

// kubeCommand controls the API server:
//
//	kube start            start it, with a fake tms-server whose authority is in ca.pem
//	kube spdy             refuse WebSocket
//	kube forbid <path>    forbid requests of paths with this end, or none
//	kube ready <bool>     whether the pod of tms-server is ready
//	kube down             the pod of tms-server refuses connections
//	kube healthy          serve a lease that scales, inference/resnet50, with all that it needs
//	kube serve <file>     add the responses of a file, by path
//	kube forwarded <name> check that all connections since the last check used WebSocket or SPDY
func kubeCommand(ts *testscript.TestScript, _ bool, args []string) {
	if args[0] == "start" {
		server(ts, false, []string{"tls"})
		*ts.Value("kube").(**kube) = startKube(ts, strings.TrimPrefix(ts.Getenv("TLS_URL"), "https://"))
		return
	}
	k := *ts.Value("kube").(**kube)
	k.mu.Lock()
	defer k.mu.Unlock()
	switch args[0] {
	case "spdy":
		k.spdyOnly = true
	case "forbid":
		k.forbidden = strings.Join(args[1:], "")
	case "ready":
		k.notReady = args[1] != "true"
	case "down":
		k.backend = "127.0.0.1:1"
	case "healthy":
		text, err := os.ReadFile("../../internal/doctor/testdata/healthy.yaml")
		ts.Check(err)
		ts.Check(yaml.Unmarshal(text, &k.objects))
	case "serve":
		ts.Check(yaml.Unmarshal([]byte(ts.ReadFile(args[1])), &k.objects))
	case "forwarded":
		if k.forwards[args[1]] == 0 || len(k.forwards) > 1 {
			ts.Fatalf("connections used %v", k.forwards)
		}
		clear(k.forwards)
	default:
		ts.Fatalf("unknown command: kube %v", args)
	}
}
