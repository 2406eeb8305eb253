# `make help` lists what there is. Rust, Go and make are all that must be installed.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN := target/debug
TOOLS = $(BIN)/database-sandbox tools
# The tests' own binaries are built into the same folder.
CARGO := cargo
LOG := target/test.log
# Stories mostly wait, so more of them than there are cores go at the same time.
THREADS ?= 8

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build everything
	$(CARGO) build --locked --workspace

.PHONY: run
run: build ## Show the whole story on a sandbox that stays up; ONCE=1 takes it down at the end
	@sandbox/story.sh

.PHONY: stop
stop: build ## Take the sandbox of `make run` down
	@$(BIN)/database-sandbox down

.PHONY: test
test: build ## Run all tests: rules, messages, and stories against a real control plane
	@$(TOOLS)
	RUST_TEST_THREADS=$(THREADS) $(CARGO) test --locked --workspace --lib --bins --tests 2>&1 | tee $(LOG)
	@awk '/^test result:/ {passed += $$4; failed += $$6} END {printf "%d passed, %d failed\n", passed, failed}' $(LOG)

.PHONY: lint
lint: build ## Check format, lints, chart and scripts
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- --deny warnings
	$$($(TOOLS) | awk '$$1 == "helm" {print $$2}') lint --quiet charts/database-operator
	bash -n sandbox/story.sh .ci/run

.PHONY: deny
deny: ## Check licences and advisories of the dependencies (needs cargo-deny, and its database from the internet)
	$(CARGO) deny check

.PHONY: fmt
fmt: ## Format the code
	$(CARGO) fmt --all

.PHONY: generate
generate: build ## Write what is generated: the chart's CRDs, the policy's JSON Schema, and test snapshots
	$(BIN)/database-operator crds > charts/database-operator/files/crds.yaml
	$(BIN)/database-operator policy schema > docs/policy.schema.json

.PHONY: clean
clean: ## Remove what was built here; the sandbox's programs stay in the user's cache folder
	$(CARGO) clean
