package triton

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseS3(t *testing.T) {
	for uri, want := range map[string]s3Repository{
		"s3://http://s3.example.com:7070/models/vision/": {"", false, "s3.example.com:7070", "models", "vision"},
		"s3://https://s3.example.com:443/models":         {"", true, "s3.example.com:443", "models", ""},
		"s3://10.0.0.1:9000/models/a_b/c-d":              {"", false, "10.0.0.1:9000", "models", "a_b/c-d"},
		"s3://models/vision":                             {},
		"s3://http://s3.example.com/models":              {},
		"s3://http://s3.example.com:7070":                {},
		"gs://models/vision":                             {},
		"/mnt/fetched-models":                            {},
	} {
		got, ok := parseS3(uri)
		got.uri = ""
		if got != want || ok != (want != s3Repository{}) {
			t.Errorf("%s: %+v, %v", uri, got, ok)
		}
	}
}

func TestS3Credential(t *testing.T) {
	file := filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(file, []byte(`{"s3": {"s3://http://a:1": {"key_id": "a"}, "s3://http://a:1/b": {"key_id": "b", "secret_key": "s"}}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	locate := func(path string) (string, bool) { return file, path == "/secret/credentials.json" }
	aws := map[string]string{"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "s", "AWS_DEFAULT_REGION": "r"}
	for _, c := range []struct {
		uri         string
		environment map[string]string
		want        s3Credential
		failure     string
	}{
		{"s3://http://a:1/b", aws, s3Credential{KeyID: "id", Secret: "s", Region: "r"}, ""},
		{"s3://http://a:1/b", map[string]string{"TRITON_CLOUD_CREDENTIAL_PATH": "/secret/credentials.json"}, s3Credential{KeyID: "b", Secret: "s"}, ""},
		{"s3://http://a:1/c", map[string]string{"TRITON_CLOUD_CREDENTIAL_PATH": "/secret/credentials.json"}, s3Credential{KeyID: "a"}, ""},
		{"s3://http://c:1/b", map[string]string{"TRITON_CLOUD_CREDENTIAL_PATH": "/secret/credentials.json"}, s3Credential{}, "Cannot match credential"},
		{"s3://http://a:1/b", map[string]string{"TRITON_CLOUD_CREDENTIAL_PATH": "/other"}, s3Credential{}, "not in a volume"},
	} {
		repository, _ := parseS3(c.uri)
		got, err := repository.credential(c.environment, locate)
		if got != c.want || (err == nil) != (c.failure == "") || err != nil && !strings.Contains(err.Error(), c.failure) {
			t.Errorf("%s with %v: %+v, %v", c.uri, c.environment, got, err)
		}
	}
}
