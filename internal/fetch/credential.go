package fetch

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/triton-leases/tms/internal/limitread"
)

// Credential is a Secret for the URIs that match a target.
type Credential struct {
	// Target is the targetUri as it was given.
	Target string
	// Folder is where the Secret is mounted. It need not exist.
	Folder string

	host string
	port string // empty for all ports
	path []string
}

// ParseCredential parses TARGET_URI=FOLDER.
func ParseCredential(text string) (Credential, error) {
	i := strings.LastIndex(text, "=")
	if i <= 0 || i == len(text)-1 {
		return Credential{}, errors.New("must be TARGET_URI=FOLDER, such as models.example.com/vision=/var/run/secrets/vision")
	}
	c := Credential{Target: text[:i], Folder: text[i+1:]}
	address := strings.TrimPrefix(c.Target, "https://")
	u, err := url.Parse("https://" + address)
	if err != nil || strings.Contains(address, "://") || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !plainPath(u.Path) {
		return Credential{}, fmt.Errorf("targetUri %q: must be HOST[:PORT][/PATH], with or without https://", c.Target)
	}
	c.host, c.port, c.path = canonicalHost(u), u.Port(), segments(u.Path)
	return c, nil
}

func canonicalHost(u *url.URL) string { return strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")) }

// canonicalPort returns the port of an https:// URI.
func canonicalPort(u *url.URL) string {
	if port := u.Port(); port != "" {
		return port
	}
	return "443"
}

// segments splits a path. The slash at its end has no meaning.
func segments(path string) []string {
	path = strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

// matches reports whether the credential is for a URI: the labels of the domain are compared
// right to left, so that example.com matches models.example.com. An IP address matches only
// itself. The path matches by prefix, in whole segments. The port matters if it is given.
func (c Credential) matches(u *url.URL) bool {
	if c.port != "" && c.port != canonicalPort(u) {
		return false
	}
	host, path := canonicalHost(u), segments(u.Path)
	if len(path) < len(c.path) || !slices.Equal(path[:len(c.path)], c.path) {
		return false
	}
	if own, err := netip.ParseAddr(c.host); err == nil {
		other, err := netip.ParseAddr(host)
		return err == nil && own.Unmap() == other.Unmap()
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	return host == c.host || strings.HasSuffix(host, "."+c.host)
}

// compare orders two credentials that match the same URI. The longer domain is the longer
// match, then the longer path, then the one with a port.
func (c Credential) compare(other Credential) int {
	if d := len(c.host) - len(other.host); d != 0 {
		return d
	}
	if d := len(c.path) - len(other.path); d != 0 {
		return d
	}
	return len(c.port) - len(other.port)
}

// match returns the credential with the longest match for a URI, and nil if none matches.
// Of two with the same target it is the last one.
func match(credentials []Credential, u *url.URL) *Credential {
	var best *Credential
	for i := range credentials {
		if c := &credentials[i]; c.matches(u) && (best == nil || c.compare(*best) >= 0) {
			best = c
		}
	}
	return best
}

// caKey is the key of a Secret that holds certificates of authorities, in PEM format.
const caKey = "ca.crt"

// secret is the content of a Secret. No message holds it.
type secret struct {
	header string // of Authorization; empty if no key is usable
	roots  *x509.CertPool
}

// read reads the Secret. A Secret that is absent is empty.
func (c Credential) read() (secret, error) {
	keys := map[string]string{}
	entries, err := os.ReadDir(c.Folder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return secret{}, c.errorf("%w", err)
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "..") { // the kubelet's own
			continue
		}
		text, err := limitread.File(filepath.Join(c.Folder, entry.Name()), limitread.Config)
		if err != nil {
			return secret{}, c.errorf("%w", err)
		}
		keys[entry.Name()] = string(text)
	}
	var s secret
	if ca, ok := keys[caKey]; ok {
		if s.roots, err = x509.SystemCertPool(); err != nil {
			s.roots = x509.NewCertPool() // the image has its own
		}
		if !s.roots.AppendCertsFromPEM([]byte(ca)) {
			return secret{}, c.errorf("the key %s holds no certificate in PEM format", caKey)
		}
		delete(keys, caKey)
	}
	s.header = header(keys)
	if strings.ContainsFunc(s.header, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return secret{}, c.errorf("the value for the Authorization header holds a line break or another control character")
	}
	return s, nil
}

// header returns the Authorization header of the keys of a Secret.
func header(keys map[string]string) string {
	for name, value := range keys {
		keys[name] = strings.TrimRight(value, "\r\n") // of kubectl create secret --from-file
	}
	user, hasUser := keys["username"]
	password, hasPassword := keys["password"]
	switch {
	case keys["authorization"] != "":
		return strings.TrimSpace(keys["authorization"])
	case keys["token"] != "":
		return "Bearer " + strings.TrimSpace(keys["token"])
	case hasUser && hasPassword:
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	case len(keys) != 1 || hasUser || hasPassword:
		return ""
	}
	for _, value := range keys {
		return strings.TrimSpace(value)
	}
	return ""
}

func (c Credential) errorf(format string, arguments ...any) error {
	return fmt.Errorf("the Secret of targetUri %s: %w", c.Target, fmt.Errorf(format, arguments...))
}

// hint says which Secret was used for a request that the server refused.
func hint(c *Credential, s secret) string {
	switch {
	case c == nil:
		return "no targetUri matches, and fetch sent no Authorization header: check the URI, or add its server to server.modelRepositories.https"
	case s.header == "":
		return fmt.Sprintf("the Secret of targetUri %s is missing in the namespace of the lease, or has no usable key (authorization, token, or username and password)", c.Target)
	}
	return fmt.Sprintf("fetch sent the Authorization header of the Secret of targetUri %s: check the URI, the Secret, and the rights of its account", c.Target)
}
