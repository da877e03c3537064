package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// authority is a certificate authority. Its own certificate is <name>.crt in the folder.
type authority struct {
	folder, name string
	certificate  *x509.Certificate
	key          *ecdsa.PrivateKey
}

func newAuthority(folder, name string) (*authority, error) {
	key, err := newKey(filepath.Join(folder, name+".key"))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	a := &authority{folder: folder, name: name, key: key}
	a.certificate, err = sign(filepath.Join(folder, name+".crt"), template, template, key, key)
	return a, err
}

// subject is the subject of a certificate.
type subject struct {
	file, user string
	groups     []string
	dns        []string
	ips        []net.IP
}

func (a *authority) issue(s subject) error {
	key, err := newKey(filepath.Join(a.folder, s.file+".key"))
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: s.user, Organization: s.groups}, DNSNames: s.dns, IPAddresses: s.ips,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	_, err = sign(filepath.Join(a.folder, s.file+".crt"), template, a.certificate, key, a.key)
	return err
}

func sign(path string, template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		return nil, fmt.Errorf("serial number: %w", err)
	}
	template.SerialNumber = serial
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(240*time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", path, err)
	}
	if err := writePEM(path, "CERTIFICATE", der, 0o644); err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func newKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate a key: %w", err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("marshal a key: %w", err)
	}
	return key, writePEM(path, "EC PRIVATE KEY", der, 0o600)
}

func writePEM(path, kind string, der []byte, mode os.FileMode) error {
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// makePKI creates the certificates and keys of the control plane and its clients.
func makePKI(folder, nodeIP, apiServiceIP string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("folder of certificates: %w", err)
	}
	root, err := newAuthority(folder, "ca")
	if err != nil {
		return err
	}
	front, err := newAuthority(folder, "front-proxy-ca")
	if err != nil {
		return err
	}
	addresses := []net.IP{net.ParseIP(nodeIP), net.ParseIP("127.0.0.1"), net.ParseIP(apiServiceIP)}
	for _, s := range []subject{
		{
			file: "apiserver", user: "kube-apiserver", ips: addresses,
			dns: []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		},
		{file: "kubelet", user: "system:node:" + nodeIP, ips: addresses},
		{file: "admin", user: "admin", groups: []string{"system:masters"}},
		{file: "kube-controller-manager", user: "system:kube-controller-manager"},
		{file: "kube-scheduler", user: "system:kube-scheduler"},
		{file: "keda", user: "keda", dns: []string{"keda-operator.keda.svc", "keda-metrics-apiserver.keda.svc"}},
	} {
		if err := root.issue(s); err != nil {
			return err
		}
	}
	if err := front.issue(subject{file: "front-proxy", user: "front-proxy-client"}); err != nil {
		return err
	}
	accounts, err := newKey(filepath.Join(folder, "sa.key"))
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(&accounts.PublicKey)
	if err != nil {
		return fmt.Errorf("public key of service accounts: %w", err)
	}
	return writePEM(filepath.Join(folder, "sa.pub"), "PUBLIC KEY", der, 0o644)
}
