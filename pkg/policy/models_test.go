package policy_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
)

func TestModelWarnings(t *testing.T) {
	t.Parallel()
	for uri, above := range map[string]string{
		"s3://models/vision/resnet50":  "s3://models/vision",
		"s3://models/resnet50/":        "s3://models",
		"gs://models/resnet50":         "gs://models",
		"pvc://models/vision/resnet50": "pvc://models/vision",
		"/opt/models/resnet50":         "/opt/models",
		"s3://models/vision":           "",
		"s3://models/my-resnet50":      "",
		"s3://models/resnet50/1":       "",
		"s3://resnet50":                "", // a bucket of this name
		"pvc://resnet50":               "", // a claim of this name
		"/resnet50":                    "", // a repository in the root
		"resnet50":                     "",
	} {
		models := []v1alpha1.Model{{Name: "other", URI: "s3://models"}, {Name: "resnet50", URI: uri}}
		warnings := policy.ModelWarnings(field.NewPath("spec"), models, policy.ModelRepositories{})
		if above == "" {
			require.Empty(t, warnings, uri)
			continue
		}
		require.Equal(t, []string{`spec.models[1].uri: "` + uri + `" ends in the name of the model, but must be the model repository, ` +
			`which contains the folder of the model: if it is the folder of the model, set "` + above + `"`}, sentences(warnings))
	}
}
