# The front door. `make help` lists what there is; every target sees to its own needs.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.SILENT:
.PHONY: help demo test test-rust test-api test-ts test-packages test-py bench bench-server bench-ts lint fmt dist clean server npm-package wheel

export CARGO_TARGET_DIR := $(CURDIR)/target
TS := sdks/typescript
PY := sdks/python
VENV := $(CURDIR)/.venv/bin
# Their faces run in another language's tests, not as Rust programs.
RUST_TESTED := --workspace --exclude opencomputer-usage-python --exclude opencomputer-usage-wasm

help: ## list the targets
	awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: server npm-package wheel ## serve a made-up fleet and report on it from both SDKs (ONCE=1: report, then exit)
	ONCE=$(ONCE) scripts/demo

test: test-rust test-api test-ts test-packages test-py ## run every test

test-rust: ## run the Rust tests on SQLite and a throw-away PostgreSQL, and check that the core imports nothing
	scripts/needs nextest wasm postgres
	echo "==> testing Rust"
	scripts/postgres cargo nextest run --locked $(RUST_TESTED)
	cargo test --locked --quiet --doc -p opencomputer-usage-core -p opencomputer-usage
	echo "==> checking that the wasm build of the core imports nothing"
	cargo xtask check-core

test-api: server ## hold a live server to its OpenAPI document
	scripts/needs venv
	echo "==> testing the API against its OpenAPI document"
	scripts/test-api

test-ts: server npm-package ## run the TypeScript tests on the built package
	echo "==> testing TypeScript"
	npm --prefix $(TS) run --silent test

test-packages: server npm-package ## try the packed npm package in every runtime, bundler and browser
	scripts/needs packages chromium
	echo "==> testing the packed npm package"
	npm --prefix tests/packages run --silent test

test-py: server wheel ## run the Python tests on the installed wheel
	echo "==> testing Python"
	$(VENV)/pytest $(PY)/tests

bench: bench-server bench-ts ## measure everything

bench-server: ## measure the server beside a reference plan and DuckDB (BENCH_SCALE=0.1: a quick, smaller run)
	scripts/needs rust postgres duckdb
	echo "==> building the release server and the bench"
	cargo build --locked --release -p opencomputer-usage-server -p opencomputer-usage-bench
	POSTGRES_OPTIONS="$${POSTGRES_OPTIONS:--c shared_buffers=2GB -c work_mem=64MB -c max_wal_size=8GB}" \
	DUCKDB_PYTHON=target/bench/venv/bin/python scripts/postgres target/release/opencomputer-usage-bench

bench-ts: npm-package ## measure the npm package beside ajv, valibot and zod
	scripts/needs peers packages chromium
	echo "==> measuring the npm package"
	node benches/ts/main.js

lint: ## check formatting, lints and types in every language
	scripts/needs wasm npm venv
	echo "==> linting Rust"
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked -p opencomputer-usage-wasm --target wasm32-unknown-unknown -- -D warnings
	echo "==> linting TypeScript"
	cargo xtask wasm
	npm --prefix $(TS) run --silent typecheck
	npm --prefix $(TS) run --silent lint
	echo "==> linting Python"
	cd $(PY) && $(VENV)/ruff check && $(VENV)/ruff format --check && $(VENV)/mypy

fmt: ## format every language
	scripts/needs rust npm venv
	cargo fmt --all
	npm --prefix $(TS) run --silent fmt
	cd $(PY) && $(VENV)/ruff check --fix && $(VENV)/ruff format

dist: npm-package ## leave the wheel, the npm tarball and the server in dist/
	scripts/needs venv
	rm -rf dist && mkdir dist
	echo "==> building the release server"
	cargo build --locked --release -p opencomputer-usage-server
	cp target/release/opencomputer-usage-server dist/
	echo "==> building the release wheel"
	cd $(PY) && $(VENV)/maturin build --quiet --locked --release --strip --interpreter $(VENV)/python --out $(CURDIR)/dist
	echo "==> packing the npm package"
	cd $(TS) && npm pack --silent --pack-destination $(CURDIR)/dist >/dev/null
	ls -sh dist

clean: ## remove everything that was built or installed here
	rm -rf target dist .venv $(TS)/{node_modules,dist,src/wasm} tests/packages/{node_modules,.projects} benches/ts/node_modules

server:
	scripts/needs rust
	echo "==> building the server"
	cargo build --locked -p opencomputer-usage-server

npm-package:
	scripts/needs wasm npm
	echo "==> building the npm package"
	cargo xtask wasm
	npm --prefix $(TS) run --silent build

wheel:
	scripts/needs rust venv
	echo "==> building the wheel and installing it into .venv"
	rm -rf target/wheels
	cd $(PY) && $(VENV)/maturin build --quiet --locked --profile dev --interpreter $(VENV)/python --out $(CURDIR)/target/wheels
	$(VENV)/pip install --quiet --disable-pip-version-check --force-reinstall --no-deps target/wheels/*.whl
