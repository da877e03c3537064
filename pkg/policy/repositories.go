package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// ModelRepositories are where models come from: the values key server.modelRepositories.
type ModelRepositories struct {
	// HTTPS are the credentials of https:// URIs.
	HTTPS []HTTPSRepository
	// Named are the repositories that a lease names as repo://<name>/<path>.
	Named map[string]ModelRepository
	// Ignored are the keys of other lists, sorted. NVIDIA TMS has such keys.
	Ignored []string
}

// HTTPSRepository is the Secret with the credentials of https:// URIs.
type HTTPSRepository struct {
	SecretName string `json:"secretName"`
	TargetURI  string `json:"targetUri"`
}

// ModelRepository is a named repository.
type ModelRepository struct {
	URI                string   `json:"uri"`
	SecretName         string   `json:"secretName,omitempty"`
	CredentialFile     string   `json:"credentialFile,omitempty"`
	ServiceAccountName string   `json:"serviceAccountName,omitempty"`
	Namespaces         []string `json:"namespaces,omitempty"`
}

const httpsKey = "https"

// UnmarshalJSON decodes the key https as a list, and each other key as a named repository,
// unless it is a list, too.
func (r *ModelRepositories) UnmarshalJSON(text []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	*r = ModelRepositories{Named: map[string]ModelRepository{}}
	for name, value := range all {
		if name == httpsKey {
			if err := json.Unmarshal(value, &r.HTTPS); err != nil {
				return err
			}
			continue
		}
		if strings.HasPrefix(string(value), "[") {
			r.Ignored = append(r.Ignored, name)
			continue
		}
		var repository ModelRepository
		if err := json.Unmarshal(value, &repository); err != nil {
			return err
		}
		r.Named[name] = repository
	}
	slices.Sort(r.Ignored)
	return nil
}

// ResolvedModel is the repository of a model.
type ResolvedModel struct {
	// URI is that of the model, with the URI of its named repository in place of repo://.
	URI string
	// Repository is the name of its named repository, or empty.
	Repository string
}

const (
	claimScheme    = "pvc://"
	imageScheme    = "oci://"
	downloadScheme = "https://"
	namedScheme    = "repo://"
)

// Resolve resolves the URI of a model. The URI of an unknown repository stays as it is.
// The template tms.models does the same.
func (r ModelRepositories) Resolve(uri string) ResolvedModel {
	name := repositoryOf(uri)
	repository, known := r.Named[name]
	if !known {
		return ResolvedModel{URI: uri}
	}
	rest, digest := strings.TrimPrefix(uri, namedScheme+name), ""
	if i := strings.IndexByte(rest, '#'); i >= 0 {
		rest, digest = rest[:i], rest[i:]
	}
	resolved := repository.URI
	if path := strings.TrimPrefix(rest, "/"); path != "" {
		separator := "/"
		if image, isImage := strings.CutPrefix(repository.URI, imageScheme); isImage && !strings.Contains(image, "//") {
			separator = "//"
		}
		resolved = strings.TrimSuffix(repository.URI, "/") + separator + path
	}
	return ResolvedModel{URI: resolved + digest, Repository: name}
}

// repositoryOf returns the name in a repo:// URI, or "" for another URI.
func repositoryOf(uri string) string {
	rest, isNamed := strings.CutPrefix(uri, namedScheme)
	if !isNamed {
		return ""
	}
	if i := strings.IndexAny(rest, "/#"); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

// Downloads reports whether an init container downloads the model.
func (m ResolvedModel) Downloads() bool { return strings.HasPrefix(m.URI, downloadScheme) }

// isFile reports whether the last part of the URI is not a folder: it names an archive or
// an image.
func (m ResolvedModel) isFile() bool {
	return m.Downloads() || strings.HasPrefix(m.URI, imageScheme)
}

// Mount is a mount of the Triton container that the chart adds.
type Mount struct {
	Volume, Path string
	// Secret reports whether it is a Secret that only Triton may mount.
	Secret bool
}

// Storage is what the chart adds to the pod for the models of a lease.
type Storage struct {
	// Downloads reports whether the pod has the init container fetch-models.
	Downloads bool
	// Mounts are the mounts of the Triton container, without shared memory.
	Mounts []Mount
	// FetchCredentials is the number of volumes that only fetch-models mounts.
	FetchCredentials int
}

// Storage returns what the template tms.repositories adds to the pod.
func (r ModelRepositories) Storage(models []ResolvedModel) Storage {
	var s Storage
	var images, secrets []Mount
	seen := map[string]bool{}
	once := func(kind, text string) bool {
		is := !seen[kind+" "+text]
		seen[kind+" "+text] = true
		return is
	}
	credentials, claims := 0, 0
	for _, model := range models {
		if rest, is := strings.CutPrefix(model.URI, claimScheme); is {
			if claim, _, _ := strings.Cut(rest, "/"); once("claim", claim) {
				s.Mounts = append(s.Mounts, Mount{Volume: fmt.Sprintf("models-%d", claims), Path: "/mnt/models/" + claim})
				claims++
			}
		} else if rest, is := strings.CutPrefix(model.URI, imageScheme); is {
			if image, _, _ := strings.Cut(rest, "//"); once("image", image) {
				images = append(images, Mount{Volume: fmt.Sprintf("model-images-%d", len(images)), Path: fmt.Sprintf("/mnt/model-images/%d", len(images))})
			}
		}
		s.Downloads = s.Downloads || model.Downloads()
		repository := r.Named[model.Repository]
		switch kind := repository.secretKind(); {
		case kind == "https" && once("secret", repository.URI):
			credentials++
		case kind == "file" && once("secret", kind):
			secrets = append(secrets, secretMount("cloud-credentials"))
		case kind == "gs" && once("secret", kind):
			secrets = append(secrets, secretMount("gs-credentials"))
		}
	}
	s.Mounts = append(s.Mounts, images...)
	if s.Downloads {
		s.Mounts = append(s.Mounts, Mount{Volume: "fetched-models", Path: "/mnt/fetched-models"})
		s.FetchCredentials = len(r.HTTPS) + credentials
	}
	s.Mounts = append(s.Mounts, secrets...)
	return s
}

func secretMount(volume string) Mount {
	return Mount{Volume: volume, Path: "/var/run/secrets/tms/" + volume, Secret: true}
}

// secretKind returns what the secret of a repository becomes: file for a credential file,
// otherwise the scheme of its URI; "" if there is no secret.
func (r ModelRepository) secretKind() string {
	switch {
	case r.SecretName == "":
		return ""
	case r.CredentialFile != "":
		return "file"
	}
	scheme, _, _ := strings.Cut(r.URI, ":")
	return scheme
}

// RepositoryCheck is what CheckRepositories needs to know besides the models.
type RepositoryCheck struct {
	// ServerImage reports whether images.server is set.
	ServerImage bool
	// ImageVolumes reports whether Kubernetes mounts images as volumes.
	ImageVolumes bool
	// ServiceAccount is triton.serviceAccountName of the lease.
	ServiceAccount string
}

// CheckRepositories refuses models that Triton cannot get. The path is that of the lease.
func (r ModelRepositories) CheckRepositories(lease *field.Path, models []v1alpha1.Model, with RepositoryCheck) field.ErrorList {
	var reasons field.ErrorList
	resolved := r.ResolveAll(models)
	file := slices.ContainsFunc(resolved, func(m ResolvedModel) bool { return r.Named[m.Repository].CredentialFile != "" })
	account, secrets := with.ServiceAccount, map[string]string{}
	for i, model := range models {
		refuse := func(format string, arguments ...any) {
			reasons = append(reasons, field.Invalid(lease.Child("models").Index(i).Child("uri"), model.URI, fmt.Sprintf(format, arguments...)))
		}
		m := resolved[i]
		repository := r.Named[m.Repository]
		switch {
		case strings.HasPrefix(model.URI, namedScheme) && m.Repository == "":
			refuse("server.modelRepositories has no repository %q: %s", repositoryOf(model.URI), r.names())
		case m.Downloads():
			if !with.ServerImage {
				refuse("set images.server: a program of the image of tms-server downloads https:// models")
			}
		case m.Repository != "" && strings.Contains(model.URI, "#"):
			refuse("must not have a digest, because only https:// models have one: the repository %q is %s", m.Repository, repository.URI)
		case strings.HasPrefix(m.URI, imageScheme) && !with.ImageVolumes:
			refuse("needs Kubernetes 1.33 or later, which mounts images as volumes")
		}
		if needed := repository.ServiceAccountName; needed != "" {
			if account != "" && needed != account {
				refuse("needs the service account %q, but the lease already has %q: a pod has one service account", needed, account)
			}
			account = needed
		}
		if secret := repository.SecretName; secret != "" && !m.Downloads() {
			kind := ""
			if !file {
				kind = repository.secretKind()
			}
			if repository.CredentialFile != "" {
				secret += "/" + repository.CredentialFile
			}
			if other, has := secrets[kind]; has && other != secret {
				refuse("needs the secret %q, but another model of the lease has %q: Triton reads one secret for each kind of URI, or one credential file for all", secret, other)
			}
			secrets[kind] = secret
		}
	}
	return reasons
}

// ResolveAll resolves the URIs of all models.
func (r ModelRepositories) ResolveAll(models []v1alpha1.Model) []ResolvedModel {
	resolved := make([]ResolvedModel, len(models))
	for i, model := range models {
		resolved[i] = r.Resolve(model.URI)
	}
	return resolved
}

// names says which named repositories there are.
func (r ModelRepositories) names() string {
	if len(r.Named) == 0 {
		return "it has no named repository"
	}
	return "it has " + strings.Join(slices.Sorted(maps.Keys(r.Named)), ", ")
}
