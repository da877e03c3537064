//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/test/e2e/helm"
)

// TestAPIAllowlist checks that images which users append through the API take effect at
// once, and survive upgrades and a reinstall of the release.
func TestAPIAllowlist(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "api-allowlist")
	a := s.ownAPI(3)
	const more, most = "nvcr.io/nvidia/tritonserver:26.06-py3", "nvcr.io/nvidia/tritonserver:26.05-py3"
	scientist := a.user("scientist", allVerbs...)
	editor := a.user("editor")
	a.kubectl("create", "rolebinding", "editor", "-n", a.namespace, "--role=tms-server-allowlist-editor", "--serviceaccount="+a.namespace+":editor")
	viewer := a.user("viewer")
	a.kubectl("create", "role", "viewer", "-n", a.namespace, "--verb=get", "--resource=configmaps", "--resource-name=tms-server-allowlist")
	a.kubectl("create", "rolebinding", "viewer", "-n", a.namespace, "--role=viewer", "--serviceaccount="+a.namespace+":viewer")
	a.expectCode(viewer, "AllowlistService/List", fields{}, "ok")
	a.expectCode(editor, "AllowlistService/List", fields{}, "ok")
	for c, methods := range map[*caller][]string{viewer: {"Append", "Remove"}, scientist: {"Append", "Remove", "List"}} {
		for _, method := range methods {
			a.expectCode(c, "AllowlistService/"+method, allowlistRequest(method, more), "permission_denied")
		}
	}

	servers := a.serverRestarts()
	named := func(name, image string) fields {
		request := a.acquireRequest(fields{"name": name, "no_wait": true})
		request["spec"].(fields)["triton_image"] = image
		return request
	}
	a.expectCode(scientist, "Acquire", named("first", more), "failed_precondition")
	s.must(editor.call(s.Context(), "AllowlistService/Append", allowlistRequest("Append", more), nil))
	s.step("appended %s", more)
	a.expectCode(scientist, "Acquire", named("first", more), "ok")
	a.serves("first")
	if d, err := h.Cluster.Client.AppsV1().Deployments(a.namespace).Get(s.Context(), objectName("first"), metav1.GetOptions{}); err != nil || d.Spec.Template.Spec.Containers[0].Image != more {
		s.fatal("the lease does not run %s: %v", more, err)
	}
	podsUnchanged := a.snapshotPods("first")
	out := editor.tmsctl("allowlist", "rm", more, "-z")
	if out != more+"\n" {
		s.fatal("tmsctl allowlist rm prints %q", out)
	}
	a.expectCode(scientist, "Acquire", named("second", more), "failed_precondition")
	podsUnchanged()
	s.must(editor.call(s.Context(), "AllowlistService/Append", fields{"images": []string{more, most, more}}, nil))
	s.must(editor.call(s.Context(), "AllowlistService/Append", fields{"images": []string{most}}, nil))
	listed := func(c *caller) (images []string, err error) {
		var response struct {
			Images []struct {
				Image    string
				InValues bool
			}
		}
		err = c.call(s.Context(), "AllowlistService/List", fields{}, &response)
		for _, image := range response.Images {
			if !image.InValues {
				images = append(images, image.Image)
			}
		}
		return images, err
	}
	same := func(after string) {
		s.Helper()
		s.eventually("the list is unchanged after "+after, func() (bool, string) {
			images, err := listed(editor)
			return err == nil && slices.Equal(images, []string{more, most}), fmt.Sprint(images, err)
		})
	}
	same("the changes")
	if now := a.serverRestarts(); now != servers {
		s.fatal("servers were restarted: before %s, now %s", servers, now)
	}
	s.step("no server was restarted")

	release := a.release
	upgrade := func(version int) {
		s.Helper()
		_, err := h.Helm(version).Upgrade(s.Context(), release, append([]string{shortened}, append(a.values, "server: {logLevel: debug}", fmt.Sprintf("server: {apiService: {callsPerSecond: %d}}", 20+version))...)...)
		s.must(err)
		same(fmt.Sprintf("helm%d upgrade", version))
	}
	upgrade(3)
	upgrade(4)
	a.permitted()
	s.must(h.Helm(4).Uninstall(s.Context(), release))
	a.eventually("the release is deleted, and the list exists", func() (bool, string) {
		pods, err := a.serverPods(s.Context())
		_, failed := h.Cluster.Client.CoreV1().ConfigMaps(a.namespace).Get(s.Context(), "tms-server-allowlist", metav1.GetOptions{})
		return err == nil && failed == nil && len(pods) == 0, fmt.Sprint(len(pods), err, failed)
	})
	for _, version := range []int{3, 4} {
		s.must(a.reinstall(version, release))
		same(fmt.Sprintf("helm%d install", version))
		a.since = h.Cluster.Now()
		a.expectCode(scientist, "Acquire", named(fmt.Sprintf("again%d", version), most), "ok")
		if version == 3 {
			s.must(h.Helm(version).Uninstall(s.Context(), release))
		}
	}
	podsUnchanged()
}

// reinstall installs a release that was uninstalled.
func (a *api) reinstall(version int, release helm.Release) error {
	release.Flags = nil
	_, err := h.Helm(version).Install(a.Context(), release, append([]string{shortened}, a.values...)...)
	a.step("helm%d install", version)
	return err
}

// serverRestarts returns the names of the server pods and their restart counts.
func (a *api) serverRestarts() string {
	a.Helper()
	pods, err := a.serverPods(a.Context())
	a.must(err)
	var restarts []string
	for name, pod := range pods {
		restarts = append(restarts, fmt.Sprintf("%s/%d", name, pod.Status.ContainerStatuses[0].RestartCount))
	}
	slices.Sort(restarts)
	return fmt.Sprint(restarts)
}
