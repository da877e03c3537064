# make help lists the targets. Everything is built from Go modules: the tools are
# pinned in tools/<name>/go.mod and built into bin/.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

BIN := $(CURDIR)/bin
# Programs are static, as in a release, and all targets share the compiled packages.
export CGO_ENABLED := 0
# The race detector needs a C compiler. Without one the tests run without it.
RACE := $(if $(shell command -v $$(CGO_ENABLED=1 go env CC)),-race)
FUZZ ?= 10
IMAGE_COMMAND ?= ./cmd/tms-server

# Build flags of the tools that need some. $(call version,MODULE) is the version in the
# tool's go.mod. The linker sets the Kubernetes version of Helm 3 to that of client-go.
# Without these flags, Helm 3 assumes 1.20.
version = $$(go list -m -f '{{.Version}}' $(1))
MINOR = $$(go list -m -f '{{.Version}}' k8s.io/client-go | cut -d. -f2)
helm3_FLAGS = -ldflags "-s -w -X helm.sh/helm/v3/internal/version.version=$(call version,helm.sh/helm/v3) \
	-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=$(MINOR) \
	-X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor=$(MINOR)"
helm4_FLAGS = -ldflags "-s -w -X helm.sh/helm/v4/internal/version.version=$(call version,helm.sh/helm/v4)"
promtool_FLAGS = -tags remove_all_sd -ldflags "-s -w"
helm-docs_FLAGS = -ldflags "-s -w -X main.version=$$(go list -m -f '{{slice .Version 1}}' github.com/norwoodj/helm-docs)"

##@ Development

help: ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z0-9-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/tms-render and bin/tmsctl
	go build -trimpath -o $(BIN)/tms-render ./cmd/tms-render
	go build -trimpath -o $(BIN)/tmsctl ./cmd/tmsctl

# go test keeps the results of packages that did not change, unless it shuffles.
test: ## run the tests, which need only Go, of packages that changed; SHUFFLE=on runs all of them in random order
	go test $(SHUFFLE:%=-shuffle=%) ./...

# The race detector makes rendering slow, so only tests of concurrent code use it.
race: export CGO_ENABLED := $(if $(RACE),1,0)
race: ## run the tests of concurrent code with the race detector
	go test -short -shuffle=on $(RACE) ./internal/auth ./internal/config ./internal/controller ./internal/fetch ./internal/server/... ./internal/valuesfile ./pkg/client
	go test -shuffle=on $(RACE) -run 'Concurrent|Objects|Fleet' ./pkg/render

golden: ## rewrite the golden files and the expectations of scripts
	go test ./internal/crd ./internal/doctor ./pkg/policy -run Golden -update
	go test ./pkg/render ./internal/helmchart -run 'Golden|Notes' -update
	UPDATE_SCRIPTS=1 go test ./cmd/tms-render ./cmd/tms-server ./cmd/tmsctl

lint: $(BIN)/golangci-lint ## lint Go, and check formatting
	$(BIN)/golangci-lint run ./...
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "run gofmt -w" $$unformatted; exit 1; } # also of the other modules

# A number of inputs, not a time: go test can fail with "context deadline exceeded" when the
# time is over. A target that renders takes a hundred times as long as the others.
fuzz: ## fuzz the policy, the chart against Go, the shapes, the parsers, the archives of models and the controller; FUZZ=100 tries ten times as many inputs
	go test ./internal/controller -count=1 -run '^TestModel$$' -sequences 1000
	for target in FuzzAgreement FuzzGrantedAgain FuzzShapes; do \
	  go test ./pkg/render -run '^$$' -fuzz $$target -fuzztime $$((200 * $(FUZZ)))x -fuzzminimizetime 10x; done
	for target in pkg/policy:FuzzGrant internal/valuesfile:FuzzRead internal/fieldpath:FuzzParse; do \
	  go test ./$${target%:*} -run '^$$' -fuzz $${target#*:} -fuzztime $$((20000 * $(FUZZ)))x -fuzzminimizetime 10x; done
	go test ./internal/fetch -run '^$$' -fuzz FuzzUnpack -fuzztime $$((2000 * $(FUZZ)))x -fuzzminimizetime 10x

cover: ## show the functions that tests do not cover fully
	go test -coverpkg=./pkg/...,./internal/...,./cmd/... -coverprofile=coverage.out ./...
	go tool cover -func=coverage.out | awk '$$NF != "100.0%"'

##@ Checks with real tools

CONFORM_TOOLS := helm3 helm4 ct kubeconform promtool
conform: build $(CONFORM_TOOLS:%=$(BIN)/%) $(BIN)/schemas yamllint curltools ## check the manifests with Helm 3 and 4, ct, kubeconform and promtool, and the queries of the dashboards
	TOOLS=$(BIN) go test -count=1 -timeout 45m -tags conform ./test/conform
	cd tools/dashboards && go test -count=1 ./...

chart: $(BIN)/helm3 ## package the chart into dist/
	$(BIN)/helm3 package charts/tms --destination dist

image: $(BIN)/image ## build the image of tms-server and its SBOMs into dist/
	$(BIN)/image build -command $(IMAGE_COMMAND) dist/tms-server

image-test: image ## run the image, and check that a second build is equal
	cd tools/image && LAYOUT=$(CURDIR)/dist/tms-server IMAGE_COMMAND=$(IMAGE_COMMAND) go test -count=1 ./...

RELEASE_TOOLS := release image helm3 helm4 validate-krew-manifest
release-check: $(BIN)/release ## fail if TAG=v1.2.3 is not the version in Chart.yaml, or has no section in CHANGELOG.md
	$(BIN)/release check $(TAG:%=-tag %)

release-dry: $(RELEASE_TOOLS:%=$(BIN)/%) ## build a release into dist/release and check each file, without pushing it
	cd tools/release && go test ./...
	$(BIN)/release build dist/release
	$(BIN)/release verify $(TAG:%=-tag %) dist/release

# Builds again, and compares. SHA256SUMS has the checksums of everything but the layout of the
# image, and of the layout as one file.
release-test: release-dry ## run release-dry, and check that a second build is equal
	$(BIN)/release build dist/release-again
	diff dist/release/SHA256SUMS dist/release-again/SHA256SUMS
	rm -rf dist/release-again

release-push: $(BIN)/release $(BIN)/helm3 # push dist/release to REGISTRY
	@$(BIN)/release push dist/release $(REGISTRY)

release-notes: $(BIN)/release # print the section of the version in CHANGELOG.md
	@$(BIN)/release notes

e2e-bins: ## build the components of a control plane into a cache: 12 to 14 minutes on two cores, once
	test/e2e/bins.sh

e2e: build curltools $(BIN)/helm3 $(BIN)/helm4 $(BIN)/crane $(BIN)/grpcurl $(BIN)/buf ## run the scenarios on a real control plane; KEEP=1 leaves it up, RUN=Queue selects some
	$(MAKE) -C test/e2e --no-print-directory e2e TOOLS=$(BIN)

screenshots: ## run the scenario of the dashboards, and draw them into docs/dashboard-*.svg
	$(MAKE) --no-print-directory e2e RUN='^TestDashboards$$' E2E_RESULTS=$(CURDIR)/dist/screenshots
	cp dist/screenshots/dashboard-*.svg docs/

e2e-keda: build curltools $(BIN)/helm3 $(BIN)/helm4 $(BIN)/crane $(BIN)/grpcurl $(BIN)/buf ## run scenarios with KEDA in place of prometheus-adapter; builds KEDA once
	$(MAKE) -C test/e2e --no-print-directory e2e-keda TOOLS=$(BIN)

load: ## measure thousands of TritonLeases on a real control plane, and fail if a limit is missed: LEASES=1000,5000; WRITE=docs updates the tables
	$(MAKE) -C test/e2e --no-print-directory load

load-monitoring: ## measure what the monitoring of many leases costs Prometheus, and how many HPAs the controller syncs in time; WRITE=docs updates the tables
	$(MAKE) -C test/e2e --no-print-directory load-monitoring

# The same flags as in test/e2e, so that Kubernetes is compiled once for both.
WHATIF ?= $(BIN)/tms-whatif
whatif: ## build bin/tms-whatif; the first build compiles a large part of Kubernetes
	cd whatif && go build -trimpath -o $(WHATIF) ./cmd/tms-whatif

whatif-test: ## run the tests of tms-whatif, without the comparison of scaling behaviors
	cd whatif && go test -trimpath -vet=off ./cmd/... ./internal/lease ./internal/loadfile ./internal/plot
	cd whatif && go test -trimpath -vet=off -short ./internal/simulation

simulate: ## compare scaling behaviors in simulated time
	cd whatif/internal/simulation && go test -trimpath -vet=off -count=1 -timeout 30m -run TestReport -gate -report $(CURDIR)/docs/behavior-table.md

BENCH_TOOLS := benchstat helm3 helm4 jsonnet
bench: build $(BENCH_TOOLS:%=$(BIN)/%) ## measure the library, and the process against Helm, jsonnet and cat; LEASES=1000 stops at 1,000 leases, WRITE=docs updates the page
	go test ./pkg/render -run '^$$' -bench . -benchmem -count 6 | tee .bench.txt
	$(BIN)/benchstat .bench.txt && rm .bench.txt
	TOOLS=$(BIN) go run ./test/bench $(LEASES:%=-leases %) $(WRITE:%=-write %)

yamllint: # ct runs Debian's yamllint
	@command -v yamllint > /dev/null || { apt-get update -qq && apt-get install -y -qq yamllint > /dev/null; }

curltools: # the lease guide and the pod of helm test use curl, and the guide openssl
	@command -v curl > /dev/null && command -v openssl > /dev/null || { apt-get update -qq && apt-get install -y -qq curl openssl > /dev/null; }

$(BIN)/schemas: tools/schemas/*.go tools/schemas/go.mod
	rm -rf $@ && cd tools/schemas && go run . $@

$(BIN)/image: tools/image/*.go
$(BIN)/release: tools/release/*.go tools/release/templates/*
$(BIN)/%: tools/%/go.mod tools/%/go.sum
	cd tools/$* && go build -trimpath $(or $($*_FLAGS),-ldflags "-s -w") -o $@ tool

##@ Generated files

PROTO_TOOLS := buf protoc-gen-go protoc-gen-connect-go
# The tests TestReference write the pages of docs/reference, except api.md, which a plugin of
# buf writes from the comments in proto/, and tms-whatif.md, which make whatif-test compares.
REFERENCE := ./cmd/tms-render ./cmd/tms-server ./cmd/tmsctl ./internal/controller ./internal/crd ./internal/doctor ./internal/metric ./test/supportmatrix
GENERATED := values.schema.json charts/tms/files charts/tms/README.md api docs/reference docs/support-matrix.md
generate: $(BIN)/helm-docs $(BIN)/deepcopy-gen $(PROTO_TOOLS:%=$(BIN)/%) ## write the copies of values.schema.json and values.yaml, the dashboards, the chart's README.md, generated Go, and docs/reference
	cp charts/tms/values.schema.json values.schema.json
	cp charts/tms/values.yaml charts/tms/files/values.yaml
	cd tools/dashboards && go run . $(CURDIR)/charts/tms/files/dashboards
	$(BIN)/helm-docs --chart-search-root charts --log-level warning
	$(BIN)/deepcopy-gen --output-file zz_generated.deepcopy.go ./api/v1alpha1 ./api/keda/v1alpha1
	rm -rf api/tms
	find docs/reference -name '*.md' ! -name tms-whatif.md -delete
	cd proto && PATH=$(BIN):$$PATH $(BIN)/buf generate
	go test $(REFERENCE) -run '^TestReference$$' -update

verify: generate ## fail if a generated file is stale, or go.mod is not tidy
	go mod tidy -diff
	cd whatif && go mod tidy -diff
	git diff --exit-code -- $(GENERATED)
	@new=$$(git ls-files --others --exclude-standard -- $(GENERATED)); [ -z "$$new" ] || { echo "not in git: $$new"; exit 1; }

# Clients use the API on main. A shallow clone, or a main without an API, has nothing to
# compare with.
proto: $(BIN)/buf ## lint proto/, and fail if it breaks clients of the API on main
	cd proto && $(BIN)/buf lint
	@base=$$(git rev-parse -q --verify origin/main || git rev-parse -q --verify main || true); \
	if [ -z "$$base" ] || ! git cat-file -e "$$base:proto" 2> /dev/null; then \
		echo 'proto: main has no proto/: nothing to compare with'; exit; \
	fi; \
	was=$$(mktemp -d); trap 'rm -rf "$$was"' EXIT; \
	git archive "$$base" proto | tar -x -C "$$was"; \
	cd proto && $(BIN)/buf breaking --against "$$was/proto"

clean: ## remove build results
	rm -rf bin dist coverage.out

.PHONY: help build test race golden lint fuzz cover conform chart image image-test release-check release-dry release-test release-push release-notes e2e-bins e2e e2e-keda screenshots load load-monitoring whatif whatif-test simulate bench yamllint curltools generate verify proto clean
