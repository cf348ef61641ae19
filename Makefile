# Everything a developer or a first visitor types. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

BIN := .venv/bin
T ?= tests
PYTEST_ARGS ?=
WORKERS ?= auto

.PHONY: help demo test cluster-test check format bench docs lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | \
		awk -F '\t' '{ printf "  make %-12s %s\n", $$1, $$2 }'

demo: ## Build and serve the sample site through the API, until Ctrl-C (ONCE=1: exit at the end)
	@tools/setup.sh run
	@$(BIN)/python tools/demo.py $(if $(filter-out 0,$(ONCE)),--once)

test: ## Run the tests (T=tests/unit/cli: only those; PYTEST_ARGS: more arguments)
	@tools/setup.sh dev
	@tools/debian.sh tests/debian-packages.txt
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal $(PYTEST_ARGS) $(T)

cluster-test: ## Run 1,000 jobs on many machines under faults (JOBS=100 for fewer, SEED=... to repeat)
	@tools/setup.sh dev
	@tools/debian.sh tests/debian-packages.txt
	@PREAMP_TEST_JOBS=$(or $(JOBS),1000) PREAMP_TEST_SEED=$(SEED) $(BIN)/pytest -s -q tests/cluster

check: ## Check format, lint, types, imports, house rules and the docs
	@tools/setup.sh dev
	@tools/check.sh

format: ## Format the code and mend what the linter can mend
	@tools/setup.sh dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: ## Measure against the yardsticks and print the ratios (B=edge: only that bench)
	@tools/setup.sh dev
	@$(BIN)/python -m bench.run $(B)

docs: ## Write the generated parts of docs/ anew: settings, commands, operations
	@tools/setup.sh dev
	@$(BIN)/python tools/docs.py

lock: ## Resolve the dependencies anew into the lock files (hashes, no addresses)
	@tools/setup.sh dev
	@tools/lock.sh $(LOCK_ARGS)

clean: ## Delete what make has made: environment, caches, demo data
	rm -rf .venv .venv-bench .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build-out dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
