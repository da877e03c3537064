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

// auditPolicy has the API server write down every call of service accounts that
// are neither Kubernetes' own nor the monitoring's.
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

// Call is one call of the API that is over, by a service account.
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

// Writes tells whether the call changes something, or tries to.
func (c Call) Writes() bool {
	switch c.Verb {
	case "get", "list", "watch":
		return false
	}
	return true
}

// String is the gist of the call.
func (c Call) String() string {
	resource := c.Object.Resource
	if c.Object.Subresource != "" {
		resource += "/" + c.Object.Subresource
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s %s/%s: %d", c.Verb, resource, c.Object.Namespace, c.Object.Name, c.Status.Code))
}

// Mark is a moment in the log of calls.
type Mark int64

// Now returns the present moment.
func (c *Cluster) Now() Mark {
	info, err := os.Stat(filepath.Join(c.config.Dir, auditLog))
	if err != nil {
		return 0
	}
	return Mark(info.Size())
}

// Calls returns the calls of a service account, <namespace>:<name>, that ended
// since a moment. Every call is in the log before its answer is sent.
func (c *Cluster) Calls(account string, since Mark) ([]Call, error) {
	file, err := os.Open(filepath.Join(c.config.Dir, auditLog))
	if err != nil {
		return nil, fmt.Errorf("log of calls: %w", err)
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.NewSectionReader(file, int64(since), 1<<40))
	if err != nil {
		return nil, fmt.Errorf("log of calls: %w", err)
	}
	user := []byte("system:serviceaccount:" + account + `"`)
	var calls []Call
	for line := range bytes.Lines(text) {
		if !bytes.Contains(line, user) || line[len(line)-1] != '\n' {
			continue
		}
		var call Call
		if err := json.Unmarshal(line, &call); err != nil {
			return nil, fmt.Errorf("log of calls: %w", err)
		}
		if call.User.Username == "system:serviceaccount:"+account {
			calls = append(calls, call)
		}
	}
	return calls, nil
}
