# What everybody types. `make` alone lists the targets.
#
# A target that needs .venv makes it first when it is missing or older than the lock file, so `make test`
# and `make sandbox` work in a fresh clone. Every tool's settings are in pyproject.toml.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
PY := .venv/bin/python
# Many tests wait for a real server rather than compute: four at once pay even on two processors.
JOBS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN); echo $$((n < 4 ? 4 : n > 8 ? 8 : n)))
PYTEST := $(PY) -m pytest -p tests.tiers
COMPUTING := tests/pure tests/edges tests/drift tests/standins
STORIES := tests/stories
# Each story starts a whole house of several processes: with more than these at once they wait for each other.
STORY_JOBS ?= 2
# Options for one run: make test ARGS='-k courier'. Coverage is measured over the whole only.
ARGS ?=

.PHONY: help setup test computing stories image cluster check format lint types contracts drift docs fmt envtest sandbox bench rbac page lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

# --- Getting ready ---

setup: ## .venv from requirements.lock, and the programs that tests and sandbox use, where they may be installed
	@rm -f .venv/.system
	@$(MAKE) .venv/.system

.venv/.locked: requirements.lock
	@.ci/system python
	$(PYTHON) -m venv .venv
	.venv/bin/pip install -q --disable-pip-version-check 'uv>=0.13,<0.14'
	.venv/bin/uv pip sync -q --system-certs --python $(PY) --require-hashes requirements.lock
	@touch $@

.venv/.system: .ci/system .venv/.locked
	@.ci/system programs
	@touch $@

envtest: .venv/.locked ## a real Kubernetes control plane, built once with Go into the user's cache
	@$(PY) -m sandbox.envtest

# --- Trying ---

test: .venv/.system ## every quick test (pure, edges, drift, standins; then the stories), with coverage
ifeq ($(ARGS),)
	@$(MAKE) -k computing stories
else
	$(PYTEST) -m "not cluster and not image" -n $(JOBS) --dist loadfile $(ARGS)
endif

computing: .venv/.system
	@rm -f .pytest_cache/computed
	$(PYTEST) -m "not cluster and not image" -n $(JOBS) --dist loadfile --cov --cov-report= --cov-fail-under=0 $(COMPUTING)
	@touch .pytest_cache/computed # .ci/run looks whether it is there
# The floor of the coverage holds over both.
stories: .venv/.system
	$(PYTEST) -m "not cluster and not image" -n $(STORY_JOBS) --dist loadfile --timeout 300 --cov --cov-report= --cov-append $(STORIES)

cluster: .venv/.system ## the tests that need a real Kubernetes control plane
	assets=$$($(PY) -m sandbox.envtest) && KUBEBUILDER_ASSETS=$$assets $(PYTEST) -m cluster $(ARGS)

image: .venv/.system ## the Dockerfile without an engine: its own lines carried out (with the package index), and what they make run
	$(PYTEST) -m image $(ARGS)

sandbox: .venv/.system ## the whole house on this machine, with a stand-in for Slack: no account needed
	@$(PY) -m sandbox $(ARGS)

bench: .venv/.system ## the benchmarks, the last ones on a real control plane with 10,000 pods
	assets=$$($(PY) -m sandbox.envtest) && export KUBEBUILDER_ASSETS=$$assets && $(PY) -m benchmarks $(ARGS) && \
	  $(PY) -m benchmarks.health_cluster && $(PY) -m benchmarks.drain_plan

# --- Keeping it right ---

check: .venv/.locked ## format, lint, types, import contracts, drift tests (the docs among them); all, whatever fails
	@$(MAKE) -k format lint types contracts drift

format: .venv/.locked
	@.venv/bin/ruff format --check -q . || { echo '`make fmt` mends the format.'; exit 1; }
lint: .venv/.locked
	.venv/bin/ruff check -q --output-format concise .
types: .venv/.locked
	.venv/bin/mypy
contracts: .venv/.locked
	.venv/bin/lint-imports --no-logo
drift: .venv/.locked
	$(PY) -m pytest -q tests/drift

docs: .venv/.locked ## the documentation as a site, in site/; strictly: a dead link is an error
	@.ci/docs site

fmt: .venv/.locked ## format, and mend what ruff can mend
	.venv/bin/ruff check -q --fix-only .
	.venv/bin/ruff format .

rbac: .venv/.locked ## the manifests of rights in k8s/ anew, from what commands/needs.py declares
	@$(PY) -m bot.rbac

page: ## the sandbox page anew from sandbox/page/src, with Node; what comes out is committed
	cd sandbox/page && npm ci --silent && npm run --silent build

COMPILE := .venv/bin/uv pip compile --system-certs --universal --generate-hashes --no-emit-index-url --no-header -q
# What the image is built with: the build backend, and uv, which installs into it.
BUILD_WITH := import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], "uv>=0.13,<0.14", sep="\n")

lock: .venv/.locked ## the lock files anew from pyproject.toml; LOCKFLAGS=--upgrade for newer versions
	$(COMPILE) --extra dev $(LOCKFLAGS) pyproject.toml -o requirements.lock
	$(COMPILE) --extra otel --constraint requirements.lock pyproject.toml -o requirements-run.lock
	$(PY) -c '$(BUILD_WITH)' | $(COMPILE) $(LOCKFLAGS) - -o requirements-build.lock

clean: ## remove .venv and everything made here; the control plane in the user's cache stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* htmlcov build dist site
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
