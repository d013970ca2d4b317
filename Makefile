# SPDX-License-Identifier: Apache-2.0
# Every command of the project. Each target sets up what it needs, on a fresh machine too, and again and again.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --no-builtin-rules

PY := .venv/bin/python
PYTEST := $(PY) -m pytest
VENV := .venv/.stamp
# The engines that the real tests run on: `make test ENGINES=docker` leaves Podman out.
ENGINES ?= docker podman
# What is handed to pytest: `make test-unit ARGS="-k lifecycle -x"`. With a debugger: `ARGS="-n 0 --pdb"`.
ARGS ?=
# Processes that run tests side by side. What shares an instance or an engine stays in one of them (tests/support/lanes.py).
WORKERS ?= 2

.PHONY: help
help: ## Show this help
	@printf 'make TARGET [ARGS="..."] [ENGINES="docker podman"]\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV): requirements/dev.txt pyproject.toml tools/bootstrap.sh
	@tools/bootstrap.sh

.PHONY: setup
setup: $(VENV) ## Make or refresh the Python environment .venv from the lock

.PHONY: demo
demo: $(VENV) ## Bring up a real Odoo with Mooring, log in, and print its address
	@testbed/with.sh --images "odoo:14.0 postgres:17 caddy:2 engine" any -- $(PY) tools/demo.py up

.PHONY: demo-down
demo-down: $(VENV) ## Remove the demo with its data
	@testbed/with.sh --images "" any -- $(PY) tools/demo.py down

.PHONY: test
test: test-unit test-real ## Run what every change must pass: unit tests, then the tests on real engines

.PHONY: test-unit
test-unit: $(VENV) ## Run the tests that need no engine (about two minutes)
	@$(PYTEST) -n $(WORKERS) --dist worksteal -m "not real and not full" $(ARGS)

.PHONY: test-real
test-real: $(VENV) ## Run the tests with real engines, Odoo and PostgreSQL
	@testbed/with.sh $(ENGINES) -- $(PYTEST) -n $(WORKERS) --dist loadscope -m "real and not full" $(ARGS)

.PHONY: test-full
test-full: $(VENV) test-unit ## Run everything: all kills, all engines (hours); docs/conformance.md says when
	@testbed/with.sh $(ENGINES) -- env MOORING_WRITE_CONFORMANCE=docs/conformance.md $(if $(ARGS),,MOORING_FULL_RUN=1) \
	  $(PYTEST) -n $(WORKERS) --dist loadscope -m "real or full" $(ARGS)

.PHONY: conformance
conformance: $(VENV) ## Run the conformance suite, one kill an operation, and write docs/conformance.md from it
	@testbed/with.sh $(ENGINES) -- env MOORING_WRITE_CONFORMANCE=docs/conformance.md \
	  $(PYTEST) -n $(WORKERS) --dist loadscope -m "not every_moment" tests/conformance $(ARGS)

.PHONY: golden
golden: $(VENV) ## Write the golden files anew from the code (review the difference before committing)
	@MOORING_GOLDEN=1 $(PYTEST) -q -m "not real" -k golden $(ARGS)
	@git status --short tests/golden docs

.PHONY: bench
bench: $(VENV) ## Measure speed as ratios and write docs/benchmarks.md
	@testbed/with.sh --images "odoo:14.0 odoo:14.0-base odoo:14.0-next postgres:17 caddy:2 engine" docker -- $(PY) -m bench $(ARGS)

.PHONY: lint
lint: $(VENV) ## Check format, style, types, layers and the documentation (under a minute)
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/ruff check --quiet .
	@$(PY) -m mypy --no-error-summary
	@$(PY) tools/diagrams.py --check
	@$(PY) -m tools.reference --check
	@.venv/bin/lint-imports --no-logo > .venv/lint-imports.log 2>&1 || { cat .venv/lint-imports.log; exit 1; }
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet
	@echo "lint: format, style, types, layers and documentation are well"

.PHONY: docs
docs: $(VENV) ## Build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet
	@echo "docs: open site/index.html"

.PHONY: image
image: $(VENV) ## Have the engine image of this checkout in the engine
	@testbed/with.sh --images engine docker -- testbed/images.sh --tag engine

.PHONY: lock
lock: $(VENV) ## Pin the dependencies anew after a change of pyproject.toml (ARGS=--upgrade for newer versions)
	@tools/lock.sh $(ARGS)

.PHONY: clean
clean: ## Remove what the targets made in this folder (images and caches of the machine stay)
	@rm -rf .venv .cache site dist build .mypy_cache .ruff_cache testbed/.ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
