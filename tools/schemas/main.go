// Schemas writes the JSON schemas with which kubeconform checks the rendered manifests. Its
// only sources are five pinned Go modules:
//
//	go run . DIR
//
// DIR must not exist. It is complete if it exists, so that it can be a target of make. To
// refresh it, remove it first.
//
// There is one file for each kind, named like Kubernetes' own published schemas
// after the kind, the first label of the API group (none for the core group)
// and the version: pod-v1.json, deployment-apps-v1.json,
// podmonitor-monitoring-v1.json. Every file stands alone. kubeconform finds
// them with
//
//	kubeconform -strict -schema-location 'DIR/{{ .ResourceKind }}{{ .KindSuffix }}.json'
//
// The built-in kinds come from Kubernetes' OpenAPI document, the monitoring kinds from the
// CRDs of prometheus-operator, Certificate from those of cert-manager, routes from those
// of the Gateway API, and ScaledObject from those of KEDA. The schemas do
// not check enumerations of the built-in kinds (Kubernetes documents them only in prose),
// uniqueness of list keys, and CEL rules.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// A source is a Go module that has files we need. It is not a requirement in go.mod: "go
// mod tidy" drops a module if no package of it is imported, and Kubernetes cannot be
// required, because it depends on its own replace directives. So its checksum is here
// instead of in go.sum.
type source struct{ path, version, sum string }

var (
	kubernetes = source{
		"k8s.io/kubernetes", "v1.37.2",
		"h1:A2VDEiObzkYqFTKhSsn0ZEb0RlLEXpHWj93gi2HqEwE=",
	}
	operator = source{
		"github.com/prometheus-operator/prometheus-operator", "v0.85.0",
		"h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
	}
	certManager = source{
		"github.com/cert-manager/cert-manager", "v1.19.1",
		"h1:Txh8L/nLWTDcb7ZnXuXbTe15BxQnLbLirXmbNk0fGgY=",
	}
	gateway = source{
		"sigs.k8s.io/gateway-api", "v1.5.1",
		"h1:RqVRIlkhLhUO8wOHKTLnTJA6o/1un4po4/6M1nRzdd0=",
	}
	keda = source{
		"github.com/kedacore/keda/v2", "v2.21.0",
		"h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
	}
)

// resources are the CRDs of the custom resources that the chart renders, or that an
// administrator may add, by the folder of a module.
var resources = []struct {
	source source
	folder string
	files  []string
}{
	{operator, "example/prometheus-operator-crd", []string{
		"monitoring.coreos.com_podmonitors.yaml", "monitoring.coreos.com_prometheusrules.yaml", "monitoring.coreos.com_servicemonitors.yaml",
	}},
	{certManager, "deploy/crds", []string{"cert-manager.io_certificates.yaml"}},
	{gateway, "config/crd/standard", []string{
		"gateway.networking.k8s.io_httproutes.yaml", "gateway.networking.k8s.io_grpcroutes.yaml",
	}},
	{keda, "config/crd/bases", []string{"keda.sh_scaledobjects.yaml"}},
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: schemas DIR")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "schemas:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	kubernetesDir, err := kubernetes.download()
	if err != nil {
		return err
	}

	all, err := readOpenAPI(filepath.Join(kubernetesDir, "api", "openapi-spec", "swagger.json"))
	if err != nil {
		return err
	}
	kinds := all.kinds()
	for _, resource := range resources {
		dir, err := resource.source.download()
		if err != nil {
			return err
		}
		for _, file := range resource.files {
			custom, err := readCRD(filepath.Join(dir, filepath.FromSlash(resource.folder), file))
			if err != nil {
				return err
			}
			kinds = append(kinds, custom...)
		}
	}
	return write(dir, all, kinds)
}

// download returns the directory of the module in the module cache.
func (s source) download() (string, error) {
	// Inside a module, "go mod download" would add the checksum to that module's
	// go.sum, so it runs where there is none.
	nowhere, err := os.MkdirTemp("", "schemas-")
	if err != nil {
		return "", fmt.Errorf("making a directory outside any module: %w", err)
	}
	defer func() { _ = os.RemoveAll(nowhere) }()

	cmd := exec.Command("go", "mod", "download", "-json", s.path+"@"+s.version)
	cmd.Dir = nowhere
	cmd.Env = append(cmd.Environ(), "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, runErr := cmd.Output()

	// go reports a failed download in the JSON, and other errors on stderr.
	var module struct{ Dir, Sum, Error string }
	if err := json.Unmarshal(stdout, &module); err != nil {
		return "", fmt.Errorf("downloading %s: %w: %s", s.path, errors.Join(runErr, err), stderr.String())
	}
	if module.Error != "" {
		return "", fmt.Errorf("downloading %s: %s", s.path, module.Error)
	}
	if runErr != nil {
		return "", fmt.Errorf("downloading %s: %w: %s", s.path, runErr, stderr.String())
	}
	if module.Sum != s.sum {
		return "", fmt.Errorf("checksum of %s %s is %s, want %s", s.path, s.version, module.Sum, s.sum)
	}
	return module.Dir, nil
}

// readOpenAPI reads the schemas of all types that the API server knows.
func readOpenAPI(file string) (definitions, error) {
	var document struct{ Definitions definitions }
	if err := read(file, &document); err != nil {
		return nil, err
	}
	if len(document.Definitions) == 0 {
		return nil, fmt.Errorf("no definitions in %s", file)
	}
	return document.Definitions, nil
}

// readCRD reads the kind that a CustomResourceDefinition defines, in each
// version that the API server serves.
func readCRD(file string) ([]kind, error) {
	var crd struct {
		Spec struct {
			Group    string
			Names    struct{ Kind string }
			Versions []struct {
				Name   string
				Served bool
				Schema struct{ OpenAPIV3Schema schema }
			}
		}
	}
	if err := read(file, &crd); err != nil {
		return nil, err
	}
	var kinds []kind
	for _, version := range crd.Spec.Versions {
		if !version.Served {
			continue
		}
		root := version.Schema.OpenAPIV3Schema
		properties, ok := root["properties"].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("version %s in %s has no properties", version.Name, file)
		}
		// A CRD does not define metadata: it is the same for all kinds.
		properties["metadata"] = map[string]any{"$ref": refPrefix + objectMeta}
		kinds = append(kinds, kind{crd.Spec.Group, version.Name, crd.Spec.Names.Kind, root})
	}
	if len(kinds) == 0 {
		return nil, fmt.Errorf("no served version in %s", file)
	}
	return kinds, nil
}

// read decodes a JSON or YAML file. Numbers keep their digits: some limits do not fit in a
// float64.
func read(file string, into any) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if strings.HasSuffix(file, ".yaml") {
		if data, err = yaml.YAMLToJSON(data); err != nil {
			return fmt.Errorf("parsing %s: %w", file, err)
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("parsing %s: %w", file, err)
	}
	return nil
}
