package render

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/values"
)

// The ports that Kubernetes gives to nodes, unless its API server was told others.
const lowestNodePort, highestNodePort = 30000, 32767

// checkAPI refuses an API that would not be served as it is said. The service is the
// name of its Service.
func checkAPI(server *values.Server, service string) policy.Refusal {
	api := &server.APIService
	if !api.Enabled {
		return nil
	}
	var reasons policy.Refusal
	path := field.NewPath("server", "apiService")
	if !server.Enabled {
		reasons = append(reasons, field.Invalid(path.Child("enabled"), true, "needs server.enabled, which installs tms-server"))
	}
	if !objectName.MatchString(service) {
		reasons = append(reasons, field.Invalid(path, service,
			"the Service of the API would have this name, which must be a DNS label of at most 63 characters that begins with a letter; "+
				"change the name of the release, or set fullnameOverride"))
	}
	if port := path.Child("port"); api.Port == 0 {
		reasons = append(reasons, field.Required(port, "the port of the Service"))
	} else if api.Type == "NodePort" && (api.Port < lowestNodePort || api.Port > highestNodePort) {
		reasons = append(reasons, field.Invalid(port, api.Port, "must be from 30000 to 32767 with the type NodePort, where it is the port of the nodes, too"))
	}
	reasons = append(reasons, checkTLS(path.Child("tls"), &api.TLS)...)
	if api.AcquireTimeout != "" && api.AcquireTimeout.Value() == 0 {
		reasons = append(reasons, field.Invalid(path.Child("acquireTimeout"), string(api.AcquireTimeout), "must be longer than 0"))
	}
	return reasons
}

// checkTLS wants exactly one of the three choices: none of them is a default, because
// one needs a secret, one cert-manager, and one shows tokens to others.
func checkTLS(path *field.Path, tls *values.APITLS) policy.Refusal {
	bySecret, byIssuer := tls.SecretName != "", tls.CertManager.IssuerRef.Name != ""
	off := tls.Enabled != nil && !*tls.Enabled
	var reasons policy.Refusal
	if bySecret && byIssuer {
		reasons = append(reasons, field.Invalid(path.Child("secretName"), tls.SecretName,
			"must be empty beside certManager.issuerRef.name, which has cert-manager keep a secret of its own"))
	}
	switch {
	case off && (bySecret || byIssuer):
		reasons = append(reasons, field.Invalid(path.Child("enabled"), false, "must be true where secretName or certManager.issuerRef.name is set"))
	case !off && !bySecret && !byIssuer:
		reasons = append(reasons, field.Required(path,
			"one of secretName, a secret with the certificate of the API; certManager.issuerRef.name, who signs one; and enabled: false, "+
				"which serves the API without TLS, so that tokens can be read on their way"))
	}
	return reasons
}
