package triton

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// s3Pattern matches a repository on an S3 server with an endpoint, as Triton's pattern
// does: the scheme, the host and port, the bucket and the path.
var s3Pattern = regexp.MustCompile(`^s3://(?:(https?)://)?([0-9a-zA-Z.-]+:[0-9]+)/([0-9a-z.-]+)((?:/[0-9a-zA-Z._-]+)*)/*$`)

// s3Repository is a repository on an S3 server.
type s3Repository struct {
	uri              string
	secure           bool
	endpoint, bucket string
	path             string // without slashes at its ends
}

// parseS3 reports false for a repository that is not on an S3 server with an endpoint. The
// files of those on AWS are not simulated.
func parseS3(uri string) (s3Repository, bool) {
	found := s3Pattern.FindStringSubmatch(uri)
	if found == nil {
		return s3Repository{}, false
	}
	return s3Repository{uri, found[1] == "https", found[2], found[3], strings.Trim(found[4], "/")}, true
}

// s3Credential is a credential in the file of TRITON_CLOUD_CREDENTIAL_PATH.
type s3Credential struct {
	KeyID  string `json:"key_id"`
	Secret string `json:"secret_key"`
	Token  string `json:"session_token"`
	Region string `json:"region"`
}

// credential returns the credential of a repository: the one of the longest prefix in the
// file of TRITON_CLOUD_CREDENTIAL_PATH, or without such a file that of the AWS variables.
func (s s3Repository) credential(environment map[string]string, locate func(string) (string, bool)) (s3Credential, error) {
	path := environment["TRITON_CLOUD_CREDENTIAL_PATH"]
	if path == "" {
		return s3Credential{
			environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"], environment["AWS_SESSION_TOKEN"], environment["AWS_DEFAULT_REGION"],
		}, nil
	}
	file, ok := locate(path)
	if !ok {
		return s3Credential{}, fmt.Errorf("the credential file %s is not in a volume", path)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return s3Credential{}, fmt.Errorf("the credential file %s cannot be read", path)
	}
	var all struct {
		S3 map[string]s3Credential `json:"s3"`
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return s3Credential{}, fmt.Errorf("the credential file %s: %w", path, err)
	}
	longest, matched := "", false
	for prefix := range all.S3 {
		if strings.HasPrefix(s.uri, prefix) && len(prefix) >= len(longest) {
			longest, matched = prefix, true
		}
	}
	if !matched {
		return s3Credential{}, fmt.Errorf("Cannot match credential for path %s", s.uri)
	}
	return all.S3[longest], nil
}

// copy copies the files of a repository to a folder. It does not create the folder if the
// repository does not exist.
func (s s3Repository) copy(ctx context.Context, c s3Credential, folder string) error {
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	client, err := minio.New(s.endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(c.KeyID, c.Secret, c.Token), Secure: s.secure, Region: c.Region, BucketLookup: minio.BucketLookupPath, MaxRetries: 1,
	})
	if err != nil {
		return fmt.Errorf("S3 client of %s: %w", s.uri, err)
	}
	exists, err := client.BucketExists(ctx, s.bucket)
	if err == nil && !exists {
		err = errors.New("the bucket does not exist")
	}
	if err != nil {
		return fmt.Errorf("Unable to create S3 filesystem client. Check account credentials. (%s: %w)", s.uri, err)
	}
	prefix := ""
	if s.path != "" {
		prefix = s.path + "/"
	}
	for object := range client.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if object.Err != nil {
			return fmt.Errorf("list %s: %w", s.uri, object.Err)
		}
		if strings.HasSuffix(object.Key, "/") { // the mark of a folder
			continue
		}
		if err := client.FGetObject(ctx, s.bucket, object.Key, filepath.Join(folder, strings.TrimPrefix(object.Key, prefix)), minio.GetObjectOptions{}); err != nil {
			return fmt.Errorf("read %s of %s: %w", object.Key, s.uri, err)
		}
	}
	return nil
}
