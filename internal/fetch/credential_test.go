package fetch

import (
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMatch checks the rule of TMS for targetUri.
func TestMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ targets, uri, want string }{
		// The labels of a domain are compared right to left.
		{"example.com", "https://example.com/a", "example.com"},
		{"example.com", "https://models.example.com/a", "example.com"},
		{"example.com", "https://a.b.models.example.com/", "example.com"},
		{"com", "https://models.example.com/", "com"},
		{"example.com", "https://badexample.com/a", ""},
		{"example.com", "https://example.com.evil.org/a", ""},
		{"models.example.com", "https://example.com/a", ""},
		{"Example.COM", "https://Models.EXAMPLE.com./a", "Example.COM"},
		// An IP address must be equal.
		{"192.0.2.1", "https://192.0.2.1/a", "192.0.2.1"},
		{"2.1", "https://192.0.2.1/a", ""},
		{"192.0.2.1", "https://192.0.2.10/a", ""},
		{"192.0.2.1", "https://x.192.0.2.1/a", ""},
		{"[2001:db8::1]", "https://[2001:db8:0::1]/a", "[2001:db8::1]"},
		{"[2001:db8::1]:8443/a", "https://[2001:db8::1]:8443/a/b", "[2001:db8::1]:8443/a"},
		// The path is compared by prefix, in whole segments.
		{"models.example.com/vision", "https://models.example.com/vision", "models.example.com/vision"},
		{"models.example.com/vision", "https://models.example.com/vision/resnet50.zip", "models.example.com/vision"},
		{"models.example.com/vision/", "https://models.example.com/vision/resnet50.zip", "models.example.com/vision/"},
		{"models.example.com/vision", "https://models.example.com/visions/resnet50.zip", ""},
		{"models.example.com/vision", "https://models.example.com/Vision/resnet50.zip", ""},
		{"models.example.com/vision", "https://models.example.com/", ""},
		{"models.example.com/vision/a", "https://models.example.com/vision", ""},
		{"example.com/vision", "https://models.example.com/vision/a", "example.com/vision"},
		{"https://example.com/vision", "https://models.example.com/vision/a", "https://example.com/vision"},
		// The port must be equal if it is given.
		{"example.com", "https://example.com:8443/a", "example.com"},
		{"example.com:8443", "https://example.com:8443/a", "example.com:8443"},
		{"example.com:8443", "https://example.com/a", ""},
		{"example.com:443", "https://example.com/a", "example.com:443"},
		{"example.com", "https://example.com:443/a", "example.com"},
		// The longest match wins: first the domain, then the path, then the port.
		{"com example.com models.example.com", "https://models.example.com/a", "models.example.com"},
		{"models.example.com/a/b models.example.com models.example.com/a", "https://models.example.com/a/b/c", "models.example.com/a/b"},
		{"models.example.com/a/b models.example.com models.example.com/a", "https://models.example.com/a/c", "models.example.com/a"},
		{"example.com/a/b/c/d/e models.example.com", "https://models.example.com/a/b/c/d/e", "models.example.com"},
		{"example.com example.com:8443", "https://example.com:8443/a", "example.com:8443"},
		{"example.com:8443 example.com/a", "https://example.com:8443/a", "example.com/a"},
		{"example.com other.org", "https://third.net/a", ""},
		{"", "https://example.com/", ""},
	} {
		var texts []string
		for _, target := range strings.Fields(c.targets) {
			texts = append(texts, target+"=/secret")
		}
		u, err := url.Parse(c.uri)
		require.NoError(t, err)
		credential := match(credentialsOf(t, texts...), u)
		if c.want == "" {
			require.Nil(t, credential, "%v", c)
		} else {
			require.NotNil(t, credential, "%v", c)
			require.Equal(t, c.want, credential.Target, "%v", c)
		}
	}
	u := &url.URL{Scheme: "https", Host: "example.com"}
	require.Equal(t, "/last", match(credentialsOf(t, "example.com=/first", "https://example.com/=/last"), u).Folder)
}

func TestParseCredential(t *testing.T) {
	t.Parallel()
	require.Equal(t, "a.example/x=y", credentialsOf(t, "a.example/x=y=/folder")[0].Target)
	for _, text := range []string{"", "example.com", "=/folder", "example.com="} {
		_, err := ParseCredential(text)
		require.ErrorContains(t, err, "must be TARGET_URI=FOLDER", text)
	}
	for _, target := range []string{"http://example.com", "s3://bucket", "https://", "/vision", "user@example.com", "example.com?x", "example.com#x", "example.com/a/../b", "a b"} {
		_, err := ParseCredential(target + "=/folder")
		require.ErrorContains(t, err, "must be HOST[:PORT][/PATH]", target)
	}
}

// TestSecret checks the formats of Secrets.
func TestSecret(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		keys map[string]string
		want string
	}{
		{map[string]string{"authorization": "ApiKey x\n", "token": "t"}, "ApiKey x"},
		{map[string]string{"token": "t\n", "username": "u", "password": "p"}, "Bearer t"},
		{map[string]string{"username": "u\n", "password": " p\r\n"}, "Basic dTogcA=="},
		{map[string]string{"username": "u", "password": ""}, "Basic dTo="},
		{map[string]string{"NGC_KEY": "Bearer x\n"}, "Bearer x"},
		{map[string]string{"a": "x", "b": "y"}, ""},
		{map[string]string{"username": "u"}, ""},
		{map[string]string{"password": "p"}, ""},
		{map[string]string{"..data": "x"}, ""},
		{nil, ""},
	} {
		credential := credentialsOf(t, "example.com="+folderOf(t, c.keys))[0]
		secret, err := credential.read()
		require.NoError(t, err)
		require.Equal(t, c.want, secret.header, "%v", c.keys)
		require.Nil(t, secret.roots)
	}
	missing, err := credentialsOf(t, "example.com="+filepath.Join(t.TempDir(), "none"))[0].read()
	require.NoError(t, err)
	require.Equal(t, secret{}, missing)
	for want, keys := range map[string]map[string]string{
		"the Secret of targetUri a%20b.example: the key ca.crt holds no certificate in PEM format": {caKey: "x"},
		"holds a line break": {"token": "s3cret\nX-Other: y"},
	} {
		_, err := Credential{Target: "a%20b.example", Folder: folderOf(t, keys)}.read()
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "s3cret")
	}
}

func TestParseModel(t *testing.T) {
	t.Parallel()
	digest := strings.Repeat("aB", 32)
	parsed := modelsOf(t, "resnet50=https://models.example.com:8443/a/b.zip?sig=x=y#sha256="+digest)[0]
	require.Equal(t, "resnet50", parsed.Name)
	require.Equal(t, "https://models.example.com:8443/a/b.zip?sig=x=y", parsed.URI.String())
	require.Equal(t, "https://models.example.com:8443/a/b.zip", parsed.String())
	require.Equal(t, strings.ToLower(digest), parsed.Digest)
	for text, want := range map[string]string{
		"resnet50":                             "must be NAME=URI",
		"=https://example.com/a":               `name "": must be the name of a folder`,
		".tms=https://example.com/a":           `name ".tms": must be`,
		"a/b=https://example.com/a":            `name "a/b": must be`,
		"a=http://example.com/a":               "the URI must be https://",
		"a=https:///a":                         "the URI must be https://",
		"a=https:example.com":                  "the URI must be https://",
		"a=https://user:s3cret@example.com/a":  "must not hold a user",
		"a=https://example.com/%zz?sig=s3cret": "the URI is not valid",
		"a=https://example.com/v/../private":   "must not hold a backslash, or . or ..",
		"a=https://example.com/v/%2e%2e/p":     "must not hold a backslash, or . or ..",
		"a=https://example.com/v%2f..%2fp":     "must not hold a backslash, or . or ..",
		"a=https://example.com/v/..;x/p":       "must not hold a backslash, or . or ..",
		`a=https://example.com/v/..\p`:         "must not hold a backslash, or . or ..",
		"a=https://example.com/a#latest":       "the fragment of the URI must be #sha256=",
		"a=https://example.com/a#sha256=00":    "the fragment of the URI must be #sha256=",
	} {
		_, err := ParseModel(text)
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), "s3cret")
	}
	require.EqualError(t, CheckModels(nil), "at least one model is required")
	require.EqualError(t, CheckModels(modelsOf(t, "a=https://x.example/", "*=https://x.example/", "a=https://y.example/")),
		"a: is given twice\n*: must be the only model, because it fills the whole repository")
}

// TestCheckRedirect checks that the header stays on its host, whatever the path back is.
func TestCheckRedirect(t *testing.T) {
	t.Parallel()
	for chain, keeps := range map[string]bool{
		"https://a.example/1 https://a.example/2":                         true,
		"https://a.example/1 https://A.example:443/2":                     true,
		"https://a.example/1 https://b.example/2":                         false,
		"https://a.example/1 https://sub.a.example/2":                     false,
		"https://a.example/1 https://a.example:8443/2":                    false,
		"https://a.example/1 https://b.example/2 https://a.example/3":     false,
		"https://a.example/1 https://a.example:1/2 https://a.example/3/4": false,
	} {
		var requests []*http.Request
		for _, uri := range strings.Fields(chain) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, uri, nil)
			require.NoError(t, err)
			request.Header.Set("Authorization", "x")
			requests = append(requests, request)
		}
		last := requests[len(requests)-1]
		require.NoError(t, checkRedirect(last, requests[:len(requests)-1]))
		require.Equal(t, keeps, last.Header.Get("Authorization") != "", chain)
	}
}
