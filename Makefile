# The entry points. `make help` lists the targets; each one installs its prerequisites.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.SILENT:
.PHONY: help dashboard demo test quick test-rust test-api test-ts test-packages test-dashboard test-browser test-py test-sdist bench bench-server bench-ts bench-py fuzz fuzz-core fuzz-languages fuzz-engines soak screenshots lint lint-release audit fmt generate dist release version-check pack native-binary npm-tarball sbom release-notes checksums publish-crates publish-npm test-sdks clean dashboard-package server platform npm-package venv wheel verdicts docs docs-serve test-docs test-examples test-citus wheels check-wheels binaries check-binaries check-windows

export CARGO_TARGET_DIR := $(CURDIR)/target
TS := sdks/typescript
DASHBOARD := dashboard
PACKED := $(DASHBOARD)/node_modules/@opencomputer/usage
PY := sdks/python
BENCH := $(CURDIR)/benches/py
FAULTS := $(CURDIR)/tests/faults
SITE := target/docs
EXAMPLES := $(CURDIR)/tests/examples
# Python files outside of the package that are linted, too.
OTHER_PYTHON := $(BENCH) $(FAULTS) $(EXAMPLES) $(CURDIR)/docs/examples
VENV := $(CURDIR)/.venv/bin
RELEASE := --profile wheel --strip --interpreter $(VENV)/python
# The wheel of `make dist`, which runs on every Linux of this architecture.
PORTABLE := $(if $(filter Linux,$(shell uname -s)),$(shell uname -m)-manylinux,native)
QUIETLY := >/dev/null
LINT := target/lint-release/bin
# The published crates.
CRATES := -p opencomputer-usage-core -p opencomputer-usage
ON_CITUS := --test store --test tenancy --test lists --test samples --test reconcile --test vectors --test concurrency \
  -E 'test(postgres::) | test(a_tenants_statement_touches_one_partition)'
# The bindings are tested from their own languages.
RUST_TESTED := --workspace --exclude opencomputer-usage-python --exclude opencomputer-usage-wasm

help: ## list the targets
	awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: server npm-package wheel ## serve a generated fleet and report on it from Python and TypeScript (ONCE=1: report, then exit)
	KEEP=$(if $(filter 1,$(ONCE)),,1) scripts/with-demo scripts/demo

test: test-rust test-api test-ts test-packages test-dashboard test-browser test-py test-docs test-examples ## run every test

quick: ## run the tests of the core and every vector in Rust, in less than a minute
	scripts/needs nextest
	echo "==> testing the core"
	cargo nextest run --locked -p opencomputer-usage-core

test-rust: dashboard ## run the Rust tests on SQLite and a throw-away PostgreSQL with PgBouncer, and check that the core imports nothing
	scripts/needs nextest wasm postgres pgbouncer
	echo "==> testing Rust"
	unshare --mount mount -t tmpfs none /tmp 2>/dev/null || echo "==> not testing a full disk: this user may not mount one" >&2
	scripts/postgres cargo nextest run --locked $(RUST_TESTED)
	cargo test --locked --quiet --doc -p opencomputer-usage-core -p opencomputer-usage
	echo "==> checking that the wasm build of the core imports nothing"
	cargo xtask check-core

test-sdks: venv wheel npm-package verdicts ## run the tests of the core and the SDKs that need no server, on any platform
	scripts/needs nextest
	echo "==> testing the core and the Rust SDK"
	cargo nextest run --locked -p opencomputer-usage-core -p opencomputer-usage
	echo "==> testing the npm package"
	cd $(TS) && npm exec -- vitest run --exclude 'tests/{faults,legacy,live,platform}.test.ts'
	echo "==> testing the wheel"
	$(VENV)/python -m pytest --quiet -p no:cacheprovider $(PY)/tests $(addprefix --ignore=$(PY)/tests/test_,faults.py live.py platform.py)

test-citus: ## run the store tests and the tenancy walk on a Citus cluster (CITUS_URL=postgres://coordinator/database)
	[ -n "$${CITUS_URL:-}" ] || { echo "error: nothing is tested: set CITUS_URL to a database of a Citus coordinator" >&2; exit 1; }
	scripts/needs nextest
	echo "==> testing on Citus"
	# One after the other, because they share a database.
	TEST_CITUS_URL="$$CITUS_URL" cargo nextest run --locked -j 1 -p opencomputer-usage-server $(ON_CITUS)

test-api: server ## test a live server against its OpenAPI document
	scripts/needs venv
	echo "==> testing the API against its OpenAPI document"
	scripts/test-api

test-ts: platform npm-package verdicts ## run the TypeScript tests on the built package
	echo "==> testing TypeScript"
	npm --prefix $(TS) run --silent test

test-packages: server npm-package ## test the packed npm package in every runtime, bundler and browser
	scripts/needs packages chromium
	echo "==> testing the packed npm package"
	npm --prefix tests/packages run --silent test

test-dashboard: dashboard-package ## run the unit tests of the dashboard
	echo "==> testing the parts of the dashboard"
	npm --prefix $(DASHBOARD) run --silent test

test-browser: server ## test the dashboard in Chromium against the server, on SQLite and PostgreSQL
	scripts/needs browser chromium postgres
	echo "==> testing the dashboard in Chromium"
	scripts/postgres npm --prefix tests/browser run --silent test

test-py: platform venv wheel verdicts ## run the Python tests on the wheel, with every installed Python
	scripts/test-py

test-docs: server docs ## run or check every code block of the documentation, and check the links of the site
	scripts/needs docs-tests chromium
	echo "==> testing the documentation"
	npm --prefix tests/docs run --silent test

docs: npm-package venv wheel ## build the documentation site into target/docs
	scripts/needs docs
	echo "==> building the documentation site"
	rm -rf $(SITE)
	npm --prefix docs run --silent build
	echo "==> documenting the SDKs"
	npm --prefix docs run --silent api
	$(VENV)/python docs/python_api.py $(SITE)/api/python
	RUSTDOCFLAGS="-D warnings" cargo doc --quiet --locked --no-deps --package opencomputer-usage --package opencomputer-usage-core
	cp -R target/doc $(SITE)/api/rust

docs-serve: ## serve the pages of the documentation while you write
	scripts/needs docs
	npm --prefix docs run serve

test-examples: server npm-package venv wheel ## run the examples of the documentation against a live server (that of Next.js runs in test-packages)
	echo "==> testing the examples"
	cargo build --locked $(RUST_TESTED) --examples
	$(VENV)/python -m pytest --quiet -p no:cacheprovider $(EXAMPLES)

test-sdist: ## build the Python package from its source distribution
	scripts/needs rust maturin
	echo "==> building from the source distribution"
	rm -rf target/sdist && $(VENV)/python -m venv target/sdist/venv
	cd $(PY) && $(VENV)/maturin sdist --out $(CURDIR)/target/sdist
	target/sdist/venv/bin/pip install --quiet --disable-pip-version-check target/sdist/*.tar.gz
	cd / && $(CURDIR)/target/sdist/venv/bin/python -c 'import opencomputer_usage as o; print("built", o.__version__, o.validate_tags({}))'

bench: bench-server bench-ts bench-py ## measure everything, and write docs/benchmarks.md and the table of the README
	cargo xtask benchmarks

bench-server: dashboard ## measure the server beside a reference plan and DuckDB (BENCH_SCALE=0.1: a quick, smaller run)
	scripts/needs rust postgres duckdb
	echo "==> building the release server and the bench"
	cargo build --locked --release -p opencomputer-usage-server -p opencomputer-usage-bench
	POSTGRES_OPTIONS="$${POSTGRES_OPTIONS:--c shared_buffers=2GB -c work_mem=64MB -c max_wal_size=8GB}" \
	DUCKDB_PYTHON=target/bench/venv/bin/python scripts/postgres target/release/opencomputer-usage-bench

bench-ts: npm-package ## measure the npm package beside ajv, valibot and zod
	scripts/needs ts-peers packages chromium
	echo "==> measuring the npm package"
	node benches/ts/main.js

bench-py: ## measure the Python package beside httpx, aiohttp, requests, msgspec and pydantic
	scripts/needs rust maturin py-peers
	echo "==> building the release wheel and the test server"
	rm -rf target/bench/wheel
	cd $(PY) && $(VENV)/maturin build --quiet --locked $(RELEASE) --out $(CURDIR)/target/bench/wheel
	target/bench/py/bin/pip install --quiet --disable-pip-version-check --force-reinstall --no-deps target/bench/wheel/*.whl
	cargo build --locked --release -p opencomputer-usage-bench-http
	target/bench/py/bin/python benches/py/bench.py target/bench/wheel/*.whl target/release/opencomputer-usage-bench-http

screenshots: server ## write pictures of the dashboard to docs/images
	scripts/needs browser chromium
	echo "==> taking pictures of the dashboard"
	npm --prefix tests/browser run --silent screenshots

fuzz: fuzz-core $(if $(TARGETS),,fuzz-languages fuzz-engines) ## run every fuzzer (T=600: seconds for each target of the core, TARGETS="tags link": only these)

fuzz-core:
	scripts/needs cargo-fuzz
	scripts/fuzz $(or $(T),60) $(TARGETS)

fuzz-languages: npm-package venv wheel ## compare TypeScript and Python with the core on random calls (CASES=200000, SEED=1)
	$(MAKE) verdicts CASES=$(or $(CASES),200000) SEED=$(or $(SEED),$$RANDOM) QUIETLY=
	echo "==> comparing the npm package with the core"
	cd $(TS) && npm exec -- vitest run tests/differential.test.ts
	echo "==> comparing the wheel with the core"
	$(VENV)/python -m pytest --quiet -p no:cacheprovider $(PY)/tests/test_differential.py

fuzz-engines: dashboard ## compare SQLite and PostgreSQL with exact sums of random fleets (FLEETS=2000)
	scripts/needs nextest postgres
	echo "==> comparing the engines on $(or $(FLEETS),2000) fleets"
	FLEETS=$(or $(FLEETS),2000) scripts/postgres cargo nextest run --locked -p opencomputer-usage-server --test exact --test groups any_

soak: dashboard ## run a mixed load against the server on both engines at once for T seconds and check the invariants
	scripts/needs rust postgres
	echo "==> building the release server"
	cargo build --locked --release -p opencomputer-usage-server -p opencomputer-usage-bench
	scripts/postgres target/release/opencomputer-usage-soak $(or $(T),600)

lint: dashboard-package lint-release ## check formatting, lints and types in every language
	scripts/needs wasm npm venv
	echo "==> checking generated files"
	cargo xtask generate --check
	echo "==> checking for circular imports"
	cargo xtask circles
	echo "==> checking dependencies"
	cargo xtask dependencies
	echo "==> checking that every place states the same version"
	cargo xtask version
	echo "==> linting Rust"
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked -p opencomputer-usage-wasm --target wasm32-unknown-unknown -- -D warnings
	echo "==> linting TypeScript"
	npm --prefix $(TS) run --silent typecheck
	npm --prefix $(DASHBOARD) run --silent typecheck
	npm --prefix $(TS) run --silent lint
	echo "==> linting Python"
	scripts/unasync --check
	cd $(PY) && $(VENV)/ruff check . $(OTHER_PYTHON) && $(VENV)/ruff format --check . $(OTHER_PYTHON) && $(VENV)/mypy && $(VENV)/pyright

lint-release: ## lint the workflows, the issue forms, the Dockerfile and compose.yaml
	scripts/needs lint-release
	echo "==> linting workflows and container files"
	$(LINT)/zizmor --quiet --offline --min-severity medium .github
	$(LINT)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(LINT)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(LINT)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
	$(LINT)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(LINT)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	$(LINT)/hadolint Dockerfile

audit: ## check dependencies against the rules, and for known vulnerabilities in the databases that can be reached
	scripts/needs rust npm venv
	scripts/audit

fmt: ## format every language
	scripts/needs rust npm venv
	cargo fmt --all
	npm --prefix $(TS) run --silent fmt
	cd $(PY) && $(VENV)/ruff check --fix . $(OTHER_PYTHON) && $(VENV)/ruff format . $(OTHER_PYTHON)
	scripts/unasync

generate: ## write the types, schemas and tables that come from the core
	scripts/needs rust
	cargo xtask generate

dist: dashboard ## put the wheel, the npm tarball and the server into dist/
	scripts/needs maturin $(if $(filter native,$(PORTABLE)),,zig)
	rm -rf dist && mkdir dist
	echo "==> building the release server"
	cargo build --locked --release -p opencomputer-usage-server
	cp target/release/opencomputer-usage-server dist/
	scripts/wheels $(PORTABLE)
	echo "==> packing the npm package"
	cd $(TS) && npm pack --silent --pack-destination $(CURDIR)/dist >/dev/null
	ls -sh dist

release: ## set the version, date the changelog and check that everything packs (VERSION=1.2.3, DRY_RUN=1: only check)
	scripts/needs npm maturin
	cargo xtask release $(or $(VERSION),$(error set VERSION, as in `make release VERSION=1.2.3`)) $(if $(DRY_RUN),--dry-run)

version-check: ## check that every place states the same version (TAG=v1.2.3: the one of this tag, which has changes)
	scripts/needs rust
	cargo xtask version $(TAG)

pack: npm-tarball ## check that the crates, the npm package and the source distribution of Python can be packed
	scripts/needs maturin
	echo "==> packing the crates"
	cargo package --locked --allow-dirty $(CRATES)
	echo "==> packing the source distribution of Python"
	cd $(PY) && $(VENV)/maturin sdist --out $(CURDIR)/target/pack

npm-tarball: npm-package ## pack the npm package into dist/
	mkdir -p dist && rm -f dist/*.tgz
	cd $(TS) && npm pack --silent --pack-destination $(CURDIR)/dist

native-binary: dashboard ## build the release server for this machine into dist/
	scripts/needs rust
	echo "==> building the release server"
	cargo build --locked --release -p opencomputer-usage-server
	mkdir -p dist
	cp target/release/opencomputer-usage-server dist/opencomputer-usage-server-$$(uname -m)-$$(uname -s | tr A-Z a-z)

sbom: ## list the components of the server, the dashboard and the packages in dist/*.cdx.json
	scripts/needs cyclonedx npm
	scripts/sbom

release-notes: ## write the changes of the current version to dist/NOTES.md
	scripts/needs rust
	mkdir -p dist
	cargo xtask notes >dist/NOTES.md || { rm dist/NOTES.md; exit 1; }

checksums: ## write dist/SHA256SUMS
	cd dist && sha256sum *.whl *.tar.gz *.tgz *.cdx.json opencomputer-usage-server-* >SHA256SUMS

publish-crates: ## publish the crates in the order of their dependencies (DRY_RUN=1: only check)
	scripts/needs rust
	cargo publish --locked $(CRATES) $(if $(DRY_RUN),--dry-run)

publish-npm: ## publish the npm package in dist/ with its provenance (DRY_RUN=1: only check)
	npm publish ./dist/*.tgz --access public $(if $(DRY_RUN),--dry-run,--provenance)

wheels: ## build the wheels for Linux and the source distribution into dist/ (WHEELS="x86_64-manylinux sdist": only these; native: for this machine, without Zig)
	scripts/needs rust maturin $(if $(filter native,$(WHEELS)),,zig)
	scripts/wheels $(WHEELS)

check-wheels: platform verdicts ## check the wheels in dist/, and make calls with those that run here
	scripts/needs venv zig arm64
	scripts/with-demo scripts/check-wheels

binaries: dashboard ## build static servers for Linux into dist/ (BINARIES=aarch64: only this one)
	scripts/needs zig
	scripts/binaries $(BINARIES)

check-binaries: wheel ## check the static servers in dist/, and run those that can run here
	scripts/check-binaries

check-windows: ## link the wheel and the server for Windows with mingw-w64, and run the server if Wine is installed
	scripts/needs mingw maturin
	scripts/check-windows

clean: ## remove everything that was built or installed in this folder
	rm -rf target dist .venv $(TS)/{node_modules,dist,src/wasm} $(DASHBOARD)/{node_modules,dist/*} \
		tests/packages/{node_modules,.projects,.wrangler} {docs,tests/browser,benches/ts}/node_modules \
		tests/docs/{node_modules,.programs}

dashboard: dashboard-package ## build the dashboard on the packed npm package, for the server to embed
	echo "==> building the dashboard"
	npm --prefix $(DASHBOARD) run --silent build

dashboard-package: npm-package
	scripts/needs dashboard
	echo "==> installing the packed npm package into the dashboard"
	rm -rf target/dashboard $(PACKED) && mkdir -p target/dashboard $(PACKED)
	cd $(TS) && npm pack --silent --pack-destination $(CURDIR)/target/dashboard >/dev/null
	tar -xzf target/dashboard/*.tgz --strip-components=1 -C $(PACKED)

server: dashboard
	scripts/needs rust
	echo "==> building the server"
	cargo build --locked -p opencomputer-usage-server

# Built together, so that both share the features of their dependencies.
platform: dashboard
	scripts/needs rust
	echo "==> building the server and the imitation of the platform"
	cargo build --locked -p opencomputer-usage-server -p opencomputer-usage-platform

npm-package:
	scripts/needs wasm npm
	echo "==> building the npm package"
	cargo xtask wasm
	npm --prefix $(TS) run --silent build

# Random calls with the verdicts of the core.
verdicts:
	scripts/needs rust
	echo "==> writing $(or $(CASES),5000) random calls with seed $(or $(SEED),1)"
	mkdir -p target/fuzz
	cargo run --quiet --locked -p opencomputer-usage-fuzz --example verdicts -- \
		target/fuzz/verdicts.jsonl $(or $(CASES),5000) $(or $(SEED),1) $(QUIETLY)

# Before the wheel, which is installed into it.
venv:
	scripts/needs venv

wheel:
	scripts/needs rust maturin
	echo "==> building the wheel and installing it into .venv"
	rm -rf target/wheels
	cd $(PY) && $(VENV)/maturin build --quiet --locked --profile dev --interpreter $(VENV)/python --out $(CURDIR)/target/wheels
	$(VENV)/pip install --quiet --disable-pip-version-check --force-reinstall --no-deps target/wheels/*.whl
