# `make demo` shows a whole migration, `make test` runs all tests. Both need Rust and make; PostgreSQL's server
# packages are installed when they may be, else the line to type is printed.

CARGO ?= cargo
PROFILE := $(if $(RELEASE),--release,)
BINARY := target/$(if $(RELEASE),release,debug)/kubectl-pgmigrate

.PHONY: help demo test lint e2e bench bench-outage bench-verify build postgres release completions

help:
	@echo 'make demo    a whole migration in a practice cluster on this machine (RELEASE=1: with the release build)'
	@echo 'make test    all tests; make test FAST=1: without the lab scenarios'
	@echo 'make lint    rustfmt, clippy, cargo deny'
	@echo 'make e2e     the scenarios on the real cluster of the context $$PGMIGRATE_E2E_CONTEXT'
	@echo 'make bench   what is promised to be fast: start of the binary, its size, outage by step in the lab'
	@echo 'make bench-outage  the outage on that cluster: this tool, by hand, PostgreSQL alone; RUNS=3 of each'
	@echo 'make bench-verify  speed of the comparison against others (ROWS=10000000 RUNS=5; reladiff, if it is in PATH)'
	@echo 'make release archives, checksums and krew manifest in target/archives, for what this machine can build for'
	@echo 'make build   target/debug/kubectl-pgmigrate (RELEASE=1: target/release/kubectl-pgmigrate)'

build:
	$(CARGO) build --locked $(PROFILE)

postgres:
	@tools/postgres

demo: postgres build
	$(BINARY) lab demo

test: postgres
	$(CARGO) test --locked $(if $(FAST),--lib --bins --test house --test cli)

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) deny --locked check bans licenses sources

# On the cluster that a context of $KUBECONFIG leads to; ONLY=name: the scenarios whose names hold it.
e2e: build
	@test -n "$$PGMIGRATE_E2E_CONTEXT" || { echo 'make e2e needs PGMIGRATE_E2E_CONTEXT: a context of a cluster with both operators'; exit 2; }
	@CARGO='$(CARGO)' tools/e2e '$(ONLY)'

bench: postgres
	$(CARGO) build --locked --release
	tools/bench target/release/kubectl-pgmigrate

bench-outage: postgres
	@test -n "$$PGMIGRATE_E2E_CONTEXT" || { echo 'make bench-outage needs PGMIGRATE_E2E_CONTEXT, as make e2e does'; exit 2; }
	RUNS=$(RUNS) $(CARGO) bench --locked $(if $(RELEASE),,--profile dev) --bench outage

release:
	tools/release target/archives

# The work is the servers': a debug build measures the same.
bench-verify: postgres
	ROWS=$(ROWS) RUNS=$(RUNS) $(CARGO) bench --locked --profile dev --bench verify

completions: build
	$(BINARY) completion bash > completions/kubectl-pgmigrate.bash
	$(BINARY) completion zsh > completions/_kubectl-pgmigrate
	$(BINARY) completion fish > completions/kubectl-pgmigrate.fish
	$(BINARY) completion kubectl > completions/kubectl_complete-pgmigrate
	chmod +x completions/kubectl_complete-pgmigrate
