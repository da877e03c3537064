//go:build e2e

package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// api is a server that serves the API, and the leases in one of its namespaces.
type api struct {
	*leases
	*authority
	// host is the DNS name of its Service; url is the URL of the API.
	host, url string
}

// apiSecret is the Secret with the certificate.
const apiSecret = "tms-api"

// apiValues enables the API with the certificate of apiSecret.
const apiValues = `server: {apiService: {enabled: true, tls: {secretName: ` + apiSecret + `}}}`

// sharedAPI is the server of the API scenarios that do not install their own.
var sharedAPI = struct {
	sync.Once
	*server
	*authority
	scenarios []string
}{scenarios: []string{"api-story", "api-clients", "api-rights", "api-rights-other", "api-strings", "api-late", "lease-names"}}

// api returns the shared server, and the leases of this scenario's namespace.
func (s *scenario) api() *api {
	s.Helper()
	s.sharedServer() // installs the CustomResourceDefinition
	sharedAPI.Do(func() {
		var namespaces []string
		for _, scenario := range sharedAPI.scenarios {
			name := "e2e-" + scenario
			namespaces = append(namespaces, name)
			s.must(h.Cluster.Apply(s.Context(), restrictedNamespace(name, nil)))
		}
		const own = "e2e-tms-api"
		s.must(h.Cluster.Apply(s.Context(), restrictedNamespace(own, nil)))
		sharedAPI.authority = s.newAuthority(own)
		s.certify(sharedAPI.authority, own)
		sharedAPI.server = s.installServer(4, own, apiValues,
			fmt.Sprintf("server: {namespaces: [%s], crd: {enabled: false}}", strings.Join(namespaces, ", ")))
	})
	if sharedAPI.server == nil {
		s.fatal("the shared server of the API is not installed")
	}
	return newAPI(s.leasesIn(sharedAPI.server, "e2e-"+s.name), sharedAPI.authority)
}

// ownAPI installs a server in a namespace of this scenario. The server manages that
// namespace, and serves the API.
func (s *scenario) ownAPI(version int, values ...string) *api {
	s.Helper()
	namespace := s.namespace("", nil)
	authority := s.newAuthority(namespace)
	s.certify(authority, namespace)
	s.sharedServer() // installs the CustomResourceDefinition
	own := fmt.Sprintf("server: {namespaces: [%s], crd: {enabled: false}}", namespace)
	server := s.installServer(version, namespace, append([]string{own, apiValues}, values...)...)
	return newAPI(s.leasesIn(server, namespace), authority)
}

func newAPI(l *leases, authority *authority) *api {
	host := "tms-server." + l.release.Namespace + ".svc"
	return &api{leases: l, authority: authority, host: host, url: "https://" + host + ":30345"}
}

// authority is a certificate authority.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	// file is the path of its own certificate.
	file string
	pool *x509.CertPool
}

func (s *scenario) newAuthority(name string) *authority {
	s.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of " + name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	s.must(err)
	certificate, err := x509.ParseCertificate(der)
	s.must(err)
	a := &authority{certificate: certificate, key: key, file: filepath.Join(h.Dir, "authority-"+name+".crt"), pool: x509.NewCertPool()}
	a.pool.AddCert(certificate)
	s.must(os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return a
}

// issue returns a new certificate for DNS names, and its key.
func (s *scenario) issue(a *authority, names ...string) (serial *big.Int, certificate, key []byte) {
	s.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.must(err)
	serial, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	s.must(err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(12 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, a.certificate, private.Public(), a.key)
	s.must(err)
	text, err := x509.MarshalPKCS8PrivateKey(private)
	s.must(err)
	return serial, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})
}

// certify writes a new certificate for the server of a namespace into apiSecret, and
// returns its serial number.
func (s *scenario) certify(a *authority, namespace string) *big.Int {
	s.Helper()
	host := "tms-server." + namespace + ".svc"
	serial, certificate, key := s.issue(a, host, host+".cluster.local")
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: apiSecret, Namespace: namespace}, Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{corev1.TLSCertKey: certificate, corev1.TLSPrivateKeyKey: key},
	}
	secrets := h.Cluster.Client.CoreV1().Secrets(namespace)
	_, err := secrets.Create(s.Context(), secret, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = secrets.Update(s.Context(), secret, metav1.UpdateOptions{})
	}
	s.must(err)
	return serial
}

// resource is the resource of TritonLeases in RBAC rules.
const resource = "tritonleases.tms.triton-leases.dev"

// allVerbs are the verbs on leases that the API checks.
var allVerbs = []string{"create", "delete", "get", "list", "update"}

// user creates a service account with rights on the leases of the namespace, and returns
// a caller with its token.
func (a *api) user(name string, verbs ...string) *caller {
	a.Helper()
	a.kubectl("create", "serviceaccount", name, "-n", a.namespace)
	if len(verbs) > 0 {
		a.kubectl("create", "role", name, "-n", a.namespace, "--verb="+strings.Join(verbs, ","), "--resource="+resource)
		a.kubectl("create", "rolebinding", name, "-n", a.namespace, "--role="+name, "--serviceaccount="+a.namespace+":"+name)
	}
	return a.caller(name, a.kubectl("create", "token", name, "-n", a.namespace))
}

// kubectl runs kubectl and returns its output. The command must succeed.
func (a *api) kubectl(args ...string) string {
	a.Helper()
	out, err := a.cluster.Kubectl(a.Context(), "", args...)
	a.must(err)
	return strings.TrimSpace(out.Stdout)
}

// waitAuthorized waits until a call is authorized: a new RoleBinding takes effect with a
// delay.
func (a *api) waitAuthorized(c *caller, method string, request any) {
	a.Helper()
	a.eventually(fmt.Sprintf("%s may call %s", c.name, method), func() (bool, string) {
		code, err := codeOf(c.call(a.Context(), method, request, nil))
		return code != "permission_denied" && code != "unauthenticated", fmt.Sprint(code, " ", err)
	})
}

// expectCode waits until a call returns a code.
func (a *api) expectCode(c *caller, method string, request any, want string) error {
	a.Helper()
	var last error
	a.eventually(fmt.Sprintf("%s by %s returns %q", method, c.name, want), func() (bool, string) {
		var code string
		code, last = codeOf(c.call(a.Context(), method, request, nil))
		return code == want, fmt.Sprint(code, " ", last)
	})
	return last
}

// noLeases waits until the namespace has no leases and no objects of leases.
func (a *api) noLeases() {
	a.Helper()
	a.eventually("there are no leases and no objects of leases", func() (bool, string) {
		names, err := a.names(a.Context())
		objects, failed := a.all(a.Context())
		return err == nil && failed == nil && len(names) == 0 && len(objects) == 0, fmt.Sprint(names, kindsOf(objects), err, failed)
	})
}

// names returns the names of the leases in the namespace.
func (a *api) names(ctx context.Context) ([]string, error) {
	var list struct{ Items []tritonLease }
	err := a.read(ctx, "/apis/tms.triton-leases.dev/v1alpha1/namespaces/"+a.namespace+"/tritonleases", &list)
	var names []string
	for _, lease := range list.Items {
		names = append(names, lease.Name)
	}
	return names, err
}
