#!/usr/bin/env bash
# bins.sh builds KEDA's operator and metrics adapter from their Go module, which is pinned in
# go.mod, and prints the folder they are in, with KEDA's CustomResourceDefinitions and roles.
# It is like ../bins.sh, and apart from it: KEDA has the modules of all its scalers, and only
# make e2e-keda needs it. KEDA_BINS overrides the folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

module=github.com/kedacore/keda/v2
key=$(cat bins.sh go.mod go.sum | sha256sum | cut -c1-16)
out=${KEDA_BINS:-${XDG_CACHE_HOME:-$HOME/.cache}/tms-e2e/keda-$key}
if [[ ${1:-} == --where ]]; then echo "$out"; exit; fi
mkdir -p "$out"
exec 9> "$out/.lock"
flock 9 # two builds at once would only be slower

for name in operator adapter; do
	[[ -f $out/keda-$name ]] && continue
	echo "building keda-$name" >&2
	start=$SECONDS
	CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -trimpath -ldflags "-s -w" -o "$out/keda-$name.tmp" $module/cmd/$name >&2
	mv "$out/keda-$name.tmp" "$out/keda-$name"
	echo "built keda-$name in $((SECONDS - start)) s" >&2
done

# manifests <file> <path in config/>...
manifests() {
	local file=$1 config
	shift
	[[ -s $out/$file ]] && return
	config=$(go list -m -f '{{.Dir}}' $module)/config
	for part in "$@"; do echo ---; cat "$config"/$part; echo; done > "$out/$file.tmp"
	mv "$out/$file.tmp" "$out/$file"
}
manifests crds.yaml $(cd "$(go list -m -f '{{.Dir}}' $module)/config" && ls crd/bases/*.yaml)
manifests rbac.yaml service_account/service_account.yaml rbac/role.yaml rbac/role_binding.yaml metrics-server/role.yaml metrics-server/role_binding.yaml
echo "$out"
