// Package supportmatrix writes docs/support-matrix.md from the versions that the project pins.
package supportmatrix

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/internal/reference"
	"github.com/triton-leases/tms/internal/testing/golden"
)

const project = "../.."

// find returns the first group of a pattern in a file of the project.
func find(t *testing.T, file, pattern string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(project, file))
	require.NoError(t, err)
	match := regexp.MustCompile("(?m)" + pattern).FindSubmatch(text)
	require.NotNil(t, match, "%s has no %s", file, pattern)
	return string(match[1])
}

// module returns the version of a module in the go.mod file of a folder, without the v.
func module(t *testing.T, folder, path string) string {
	t.Helper()
	return find(t, filepath.Join(folder, "go.mod"), `^(?:require)?\s*`+regexp.QuoteMeta(path)+` v(\S+)`)
}

// prometheus returns the version of Prometheus in a folder: 3.16.0 is the module version
// 0.316.0.
func prometheus(t *testing.T, folder string) string {
	t.Helper()
	var minor, patch int
	_, err := fmt.Sscanf(module(t, folder, "github.com/prometheus/prometheus"), "0.%d.%d", &minor, &patch)
	require.NoError(t, err)
	return fmt.Sprintf("%d.%d.%d", minor/100, minor%100, patch)
}

// component is a row of the matrix.
type component struct{ name, needed, tested, how string }

const (
	e2e     = "`make e2e` runs it"
	conform = "`make conform`"
)

func components(t *testing.T) []component {
	t.Helper()
	schema := func(variable string) string {
		return find(t, "tools/schemas/main.go", variable+` += source\{\n.*"v([0-9.]+)"`)
	}
	kubernetes, operator := module(t, "test/e2e", "k8s.io/kubernetes"), module(t, "test/e2e/bins/operator", "github.com/prometheus-operator/prometheus-operator")
	return []component{
		{
			"Kubernetes", find(t, "charts/tms/Chart.yaml", `^kubeVersion: ">=(\d+\.\d+)\.0-0`) + " or later", kubernetes,
			e2e + ": API server, controllers and garbage collector, without containers. " + conform + " validates the manifests against the schemas of " + schema("kubernetes") + ". `make simulate` runs its HPA controller",
		},
		{"etcd", "that of Kubernetes", module(t, "test/e2e", "go.etcd.io/etcd/server/v3"), e2e},
		{
			"Triton Inference Server", "see [signals.md](signals.md#limits)", "none",
			"the default image is `" + find(t, "charts/tms/values.yaml", `^  triton: (\S+)`) + "`. No test runs Triton: a simulation exports its metrics and answers its probes",
		},
		{"Helm 3", "3", module(t, "tools/helm3", "helm.sh/helm/v3"), conform + " renders all cases; `make e2e` installs, upgrades, tests and uninstalls the chart"},
		{"Helm 4", "4", module(t, "tools/helm4", "helm.sh/helm/v4"), conform + " renders all cases; `make e2e` installs, upgrades, tests and uninstalls the chart"},
		{"Prometheus Operator", "for autoscaled leases", operator, e2e + ". " + conform + " validates PodMonitors and PrometheusRules against its schemas of " + schema("operator")},
		{"Prometheus", "for autoscaled leases", prometheus(t, "test/e2e/bins/prometheus"), e2e + ". " + conform + " tests the rules with promtool " + prometheus(t, "tools/promtool")},
		{"prometheus-adapter", "for autoscaled leases", module(t, "test/e2e/bins/adapter", "sigs.k8s.io/prometheus-adapter"), e2e},
		{
			"KEDA", find(t, "docs/install.md", `KEDA\]\(https://keda\.sh\) (\S+ or later)`) + ", in place of prometheus-adapter", module(t, "test/e2e/keda", "github.com/kedacore/keda/v2"),
			"`make e2e-keda` runs it. " + conform + " validates ScaledObjects against its schema of " + schema("keda"),
		},
		{"metrics-server", "for `cpuUtilization`", module(t, "test/e2e/bins/metrics-server", "sigs.k8s.io/metrics-server"), e2e},
		{
			"kube-state-metrics", find(t, "docs/install.md", `kube-state-metrics (\S+ or later)`) + ", optional",
			module(t, "test/e2e/bins/kube-state-metrics", "k8s.io/kube-state-metrics/v2"), e2e,
		},
		{"cert-manager", "optional", schema("certManager"), conform + " validates the Certificate against its schemas. No test runs it"},
		{"Gateway API", "optional", schema("gateway"), conform + " validates routes against its schemas. No test runs a gateway"},
		{"S3", "optional", "versitygw " + module(t, "test/e2e/bins/versitygw", "github.com/versity/versitygw"), e2e + " as the server of models"},
		{"Go", find(t, "go.mod", `^go (\d+\.\d+)`) + " or later, to build or to use the libraries", find(t, "go.mod", `^toolchain go(\S+)`), "`make test`"},
	}
}

// TestReference checks docs/support-matrix.md.
func TestReference(t *testing.T) {
	t.Parallel()
	page := reference.New("Support matrix", "test/supportmatrix")
	page.Text("This page is for the administrator. It lists the versions with which this version of TMS is tested, and how. Other versions should work if they meet the column *needed*, but no test runs them.")
	var rows [][]string
	for _, c := range components(t) {
		rows = append(rows, []string{c.name, c.needed, c.tested, c.how})
	}
	page.Table([]string{"component", "needed", "tested", "how"}, rows)
	page.Text("An optional feature can need a newer Kubernetes than the chart: its guide names the version.")
	page.Text("[install.md](install.md#prerequisites) explains why TMS needs each component. [CHANGELOG.md](../CHANGELOG.md) lists changes of the needed versions.")
	golden.Equal(t, project+"/docs/support-matrix.md", page.String())
}

// TestPins checks that the versions that are written twice are equal.
func TestPins(t *testing.T) {
	t.Parallel()
	require.Equal(t, module(t, "test/e2e", "k8s.io/kubernetes"), find(t, "test/e2e/bins.sh", `^KUBERNETES=v(\S+)`))
	require.Equal(t, module(t, "whatif", "k8s.io/kubernetes"), find(t, "test/e2e/bins.sh", `^KUBERNETES=v(\S+)`))
	require.Equal(t, module(t, "test/e2e/bins/operator", "github.com/prometheus-operator/prometheus-operator"), find(t, "test/e2e/bins.sh", `^OPERATOR=v(\S+)`))
	require.Equal(t, prometheus(t, "test/e2e/bins/prometheus"), find(t, "test/e2e/bins.sh", `^PROMETHEUS=(\S+)`))
}
