# make run and make test are the two commands; each does its own set-up.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(firstword $(shell command -v python3.11) python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

SOURCE ?= simulator
ORDERS ?=
NIGHTS ?=
CUSTOMERS ?=
PORT ?= 3000
SINCE ?=

.PHONY: help run test test-faults ui bench lint types contracts lock clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/^([a-z]+):.*## (.*)/  make \1|\2/' | column -t -s'|'

run: $(READY) ## a retailer's evening from raw orders to the bill (SOURCE=, ORDERS=, CUSTOMERS=, NIGHTS=)
	@$(BIN)/athena run --source "$(SOURCE)" $(if $(ORDERS),--orders "$(ORDERS)") \
		$(if $(CUSTOMERS),--customers $(CUSTOMERS)) $(if $(NIGHTS),--nights $(NIGHTS))

test: lint types contracts ## lint, types, announced contract changes and every test
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile

test-faults: $(READY) ## every fault of the corpus: caught, told once, mended by the printed line; writes docs/faults.md
	@rm -rf build/faults
	@FAULTS_RESULTS=build/faults $(BIN)/python -m pytest -q -n 2 -m corpus tests/faults
	@$(BIN)/python -m tests.faults.corpus.page build/faults > build/faults.md && cp build/faults.md docs/faults.md

ui: $(READY) ## the Dagster UI on http://127.0.0.1:3000 (PORT=)
	@$(BIN)/athena ui --port $(PORT)

bench: $(READY) ## the benchmarks, as ratios (CUSTOMERS=)
	@$(BIN)/python -m bench $(if $(CUSTOMERS),--customers $(CUSTOMERS))

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(READY)
	@$(BIN)/mypy athena_assets athena_cli checks cost resources bench

contracts: $(READY) ## breaking contract changes that were not announced (SINCE=)
	@$(BIN)/athena contracts diff $(if $(SINCE),--since $(SINCE))

lock: $(READY) ## resolve pyproject.toml into requirements.lock again
	@$(BIN)/uv pip compile pyproject.toml --all-extras --python-version 3.11 --override lock-overrides.txt \
		--no-emit-index-url --generate-hashes --custom-compile-command "make lock" -q -o requirements.lock

clean: ## remove the virtual environment and caches, never the state in .athena
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info

$(READY): requirements.lock bootstrap.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info[:2] == (3, 11) else "Athena needs Python 3.11; found " + sys.version.split()[0] + ". Next: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)")'
	@$(PYTHON) -m venv $(VENV)
	@echo "installing the locked environment into $(VENV)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r bootstrap.lock
	@env $${PIP_CERT:+SSL_CERT_FILE="$$PIP_CERT"} \
		$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes --no-deps -r requirements.lock \
		|| { echo "uv cannot reach the index; pip installs the same lock, in about two minutes"; \
		$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements.lock; }
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
