#!/usr/bin/env bash
# bins.sh builds the components that the scenarios run, all from Go modules that
# are pinned in go.mod and bins/<name>/go.mod, and prints the folder they are in.
#
# The folder is keyed by a hash of everything that decides what comes out: the
# module files, the flags below and the source of kubestack. What is there
# already is not built again. E2E_BINS overrides the folder.
#
# The flags that compile (-trimpath, -tags) are the same for all builds of a
# module, and for go test (see Makefile): otherwise Go's build cache would hold
# each package twice, and a cold build take twice as long.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

KUBERNETES=v1.37.2
OPERATOR=v0.85.0
PROMETHEUS=3.16.0

key=$(cat bins.sh go.mod go.sum cmd/kubestack/*.go bins/*/go.mod bins/*/go.sum | sha256sum | cut -c1-16)
out=${E2E_BINS:-${XDG_CACHE_HOME:-$HOME/.cache}/tms-e2e/$key}
if [[ ${1:-} == --where ]]; then echo "$out"; exit; fi
mkdir -p "$out"
exec 9> "$out/.lock"
flock 9 # two builds at once would only be slower

# build <file> <module folder> <package> <link flags> [tags]
build() {
	local file=$1 module=$2 package=$3 link=$4 tags=${5:-} start=$SECONDS
	[[ -f $out/$file ]] && return
	echo "building $file" >&2
	(cd "$module" && CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -trimpath -tags "$tags" \
		-ldflags "-s -w $link" -o "$out/$file.tmp" "$package") >&2
	mv "$out/$file.tmp" "$out/$file"
	echo "built $file in $((SECONDS - start)) s" >&2
}

version=k8s.io/component-base/version
build kubestack . ./cmd/kubestack \
	"-X $version.gitVersion=$KUBERNETES -X $version.gitMajor=1 -X $version.gitMinor=37 -X k8s.io/client-go/pkg/version.gitVersion=$KUBERNETES"
common=github.com/prometheus/common/version
operator=github.com/prometheus-operator/prometheus-operator/cmd
build prometheus-operator bins/operator $operator/operator "-X $common.Version=${OPERATOR#v}"
build prometheus-config-reloader bins/operator $operator/prometheus-config-reloader "-X $common.Version=${OPERATOR#v}"
build prometheus bins/prometheus github.com/prometheus/prometheus/cmd/prometheus \
	"-X $common.Version=$PROMETHEUS" remove_all_sd,enable_kubernetes_sd
build adapter bins/adapter sigs.k8s.io/prometheus-adapter/cmd/adapter ""
build config-gen bins/adapter sigs.k8s.io/prometheus-adapter/cmd/config-gen ""
build metrics-server bins/metrics-server sigs.k8s.io/metrics-server/cmd/metrics-server ""
build kube-state-metrics bins/kube-state-metrics k8s.io/kube-state-metrics/v2 ""
build versitygw bins/versitygw github.com/versity/versitygw/cmd/versitygw ""

# The operator's own manifest, with its CustomResourceDefinitions.
if [[ ! -s $out/bundle.yaml ]]; then
	cp "$(cd bins/operator && go list -m -f '{{.Dir}}' github.com/prometheus-operator/prometheus-operator)/bundle.yaml" "$out/bundle.yaml.tmp"
	chmod u+w "$out/bundle.yaml.tmp" && mv "$out/bundle.yaml.tmp" "$out/bundle.yaml"
fi
echo "$out"
