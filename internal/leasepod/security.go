package leasepod

import (
	"fmt"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/pod-security-admission/api"
	podsecurity "k8s.io/pod-security-admission/policy"

	"github.com/triton-leases/tms/pkg/policy"
)

// podChecks are the Pod Security Standards of the library's version of Kubernetes.
var podChecks = sync.OnceValue(func() podsecurity.Evaluator {
	checks, err := podsecurity.NewEvaluator(podsecurity.DefaultChecks(), nil)
	if err != nil {
		panic(err) // DefaultChecks are valid
	}
	return checks
})

// checkSecurity refuses a pod that does not meet server.leases.podSecurityStandard.
func checkSecurity(bounds *policy.LeaseBounds, triton *field.Path, template *corev1.PodTemplateSpec) field.ErrorList {
	standard := api.LevelVersion{Level: api.Level(bounds.PodSecurityStandard()), Version: api.LatestVersion()}
	var reasons field.ErrorList
	for _, result := range podChecks().EvaluatePod(standard, &template.ObjectMeta, &template.Spec) {
		if result.Allowed {
			continue
		}
		found := result.ForbiddenReason
		if result.ForbiddenDetail != "" {
			found += " (" + result.ForbiddenDetail + ")"
		}
		reasons = append(reasons, field.Forbidden(triton, fmt.Sprintf(
			"%s: change %s: the pod must meet the Pod Security Standard %s, also with the defaults of triton (server.leases.podSecurityStandard); %s",
			found, keysToChange(triton, result.ForbiddenReason), standard.Level, policy.AdministratorSets)))
	}
	return reasons
}

// keysOfReasons are the keys of triton that a reason of the library is about.
var keysOfReasons = map[string][]string{
	"host namespaces":         {"hostIPC", "podTemplate.spec"},
	"hostPath volumes":        {"volumes"},
	"restricted volume types": {"volumes"},
	"hostPort":                {"podTemplate.spec"},
	"probe or lifecycle host": {"probes", "lifecycle"},
	"forbidden sysctls":       {"podSecurityContext.sysctls"},

	"allowPrivilegeEscalation != false": {"securityContext"},
	"non-default capabilities":          {"securityContext"},
	"unrestricted capabilities":         {"securityContext"},
	"privileged":                        {"securityContext"},
	"procMount":                         {"securityContext"},
}

// keysToChange returns the keys that a user can change for a reason of the library. Other
// reasons are about the two security contexts.
func keysToChange(triton *field.Path, reason string) string {
	var keys []string
	for _, key := range keysOfReasons[reason] {
		keys = append(keys, triton.Child(key).String())
	}
	if keys == nil {
		keys = []string{triton.Child("podSecurityContext").String(), triton.Child("securityContext").String()}
	}
	return strings.Join(keys, " or ")
}
