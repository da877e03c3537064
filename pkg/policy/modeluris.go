package policy

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

const allowedModelURIs = "server.leases.allowedModelUris"

// checkModels refuses models with URIs that server.leases.allowedModelUris does not allow,
// and named repositories that are for other namespaces.
func (b *LeaseBounds) checkModels(path *field.Path, request LeaseRequest) field.ErrorList {
	var reasons field.ErrorList
	for i, model := range request.Models {
		at := path.Child("models").Index(i).Child("uri")
		if !slices.ContainsFunc(b.config.AllowedModelURIs, func(prefix string) bool { return coversURI(prefix, model.URI) }) {
			reasons = append(reasons, field.Forbidden(at, fmt.Sprintf("a TritonLease may not use %q: %s allows %s; %s",
				model.URI, allowedModelURIs, listOrNone(b.config.AllowedModelURIs), AdministratorSets)))
		}
		name := repositoryOf(model.URI)
		if namespaces := request.Repositories.Named[name].Namespaces; len(namespaces) > 0 && !slices.Contains(namespaces, request.Namespace) {
			reasons = append(reasons, field.Forbidden(at, fmt.Sprintf(
				"a TritonLease of the namespace %s may not use %q: server.modelRepositories.%s.namespaces allows %s; %s",
				request.Namespace, model.URI, name, strings.Join(namespaces, ", "), AdministratorSets)))
		}
	}
	return reasons
}

func listOrNone(texts []string) string {
	if len(texts) == 0 {
		return "none"
	}
	return strings.Join(texts, ", ")
}

// coversURI reports whether a prefix allows a URI. It ends at a part of the path, or with
// the slash that it has itself.
func coversURI(prefix, uri string) bool {
	if prefix == "*" {
		return true
	}
	if strings.HasPrefix(uri, downloadScheme) || strings.HasPrefix(uri, namedScheme) {
		uri, _, _ = strings.Cut(uri, "#")
	}
	prefix, uri = lowerHost(prefix), lowerHost(uri)
	rest, has := strings.CutPrefix(uri, prefix)
	return has && (rest == "" || strings.HasSuffix(prefix, "/") || rest[0] == '/')
}

// lowerHost returns an https:// URI with its host in lower case.
func lowerHost(uri string) string {
	rest, is := strings.CutPrefix(uri, downloadScheme)
	if !is {
		return uri
	}
	host, path, hasPath := strings.Cut(rest, "/")
	host = strings.ToLower(host)
	if hasPath {
		host += "/"
	}
	return downloadScheme + host + path
}

// fetchContainer is the init container that downloads models.
const fetchContainer = "fetch-models"

// checkCredentials refuses that other containers mount the credentials of repositories, that
// a volume replaces them, and that a pod template changes the container that reads them.
func (b *LeaseBounds) checkCredentials(pod podRequest) field.ErrorList {
	var reasons field.ErrorList
	for _, container := range pod.containers {
		for mount := range itemsOf(container.path.Child("volumeMounts"), container.value["volumeMounts"]) {
			if name, _ := mount.value["name"].(string); isCredentials(name) {
				reasons = append(reasons, field.Forbidden(mount.path.Child("name"), fmt.Sprintf(
					"a TritonLease may not mount %q: it holds the credentials of a model repository", name)))
			}
		}
	}
	for volume := range pod.items("volumes") {
		if name, _ := volume.value["name"].(string); isCredentials(name) {
			reasons = append(reasons, field.Forbidden(volume.path.Child("name"), fmt.Sprintf(
				"a TritonLease may not have a volume %q: the credentials of model repositories have this name", name)))
		}
	}
	for _, key := range []string{"containers", "initContainers"} {
		for container := range pod.items(key) {
			if container.value["name"] == fetchContainer {
				reasons = append(reasons, field.Forbidden(container.path.Child("name"), fmt.Sprintf(
					"a TritonLease may not have a container %q, which downloads models with credentials", fetchContainer)))
			}
		}
	}
	return reasons
}

// isCredentials reports whether a volume of the chart with this name holds credentials.
func isCredentials(volume string) bool {
	return strings.HasPrefix(volume, "fetch-credentials-") || volume == "cloud-credentials" || volume == "gs-credentials"
}
