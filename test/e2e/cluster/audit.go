package cluster

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	auditPolicyFile = "audit-policy.yaml"
	auditLog        = "audit.log"
)

// auditPolicy logs every request of service accounts, except for those of Kubernetes
// and of the monitoring.
const auditPolicy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
  - {level: None, userGroups: ["system:serviceaccounts:kube-system", "system:serviceaccounts:monitoring"]}
  - {level: Metadata, userGroups: ["system:serviceaccounts"]}
  - {level: None}
`

// Call is a completed request of a service account to the API server.
type Call struct {
	Time      time.Time `json:"stageTimestamp"`
	Stage     string    `json:"stage"`
	Verb      string    `json:"verb"`
	URI       string    `json:"requestURI"`
	UserAgent string    `json:"userAgent"`
	User      struct {
		Username string `json:"username"`
	} `json:"user"`
	Object struct {
		Resource, Subresource, Namespace, Name string
	} `json:"objectRef"`
	Status struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

// Writes reports whether the call changes something, or tries to.
func (c Call) Writes() bool {
	switch c.Verb {
	case "get", "list", "watch":
		return false
	}
	return true
}

// String returns a summary of the call.
func (c Call) String() string {
	resource := c.Object.Resource
	if c.Object.Subresource != "" {
		resource += "/" + c.Object.Subresource
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s %s/%s: %d", c.Verb, resource, c.Object.Namespace, c.Object.Name, c.Status.Code))
}

// Mark is a position in the audit log.
type Mark int64

// Now returns the current end of the audit log.
func (c *Cluster) Now() Mark {
	info, err := os.Stat(filepath.Join(c.config.Dir, auditLog))
	if err != nil {
		return 0
	}
	return Mark(info.Size())
}

// Calls returns the calls of a service account, <namespace>:<name>, that were logged
// after a mark. The API server logs a call before it sends the response.
func (c *Cluster) Calls(account string, since Mark) ([]Call, error) {
	file, err := os.Open(filepath.Join(c.config.Dir, auditLog))
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.NewSectionReader(file, int64(since), 1<<40))
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	user := []byte("system:serviceaccount:" + account + `"`)
	var calls []Call
	for line := range bytes.Lines(text) {
		if !bytes.Contains(line, user) || line[len(line)-1] != '\n' {
			continue
		}
		var call Call
		if err := json.Unmarshal(line, &call); err != nil {
			return nil, fmt.Errorf("audit log: %w", err)
		}
		if call.User.Username == "system:serviceaccount:"+account {
			calls = append(calls, call)
		}
	}
	return calls, nil
}
