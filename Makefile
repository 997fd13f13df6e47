# Two commands are all there is to know: `make up` and `make test`. Both set up what is
# missing, say first what takes long, and do nothing twice. `make help` lists the rest.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help up test check demo bench lock clean setup sandbox clients

# python3.11 or newer; PYTHON=… names one.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
# Test workers: as many as cores, but no more than eight.
TEST_PROCESSES ?= auto --maxprocesses 8
PYTEST_OPTIONS ?=
BENCH ?=

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: setup ## start everything on this machine; Ctrl-C stops it
	@$(BIN)/assistants sandbox build --install-engine --if-wanted \
		|| echo "Going on without a sandbox: code_interpreter will say that it is off."
	@exec $(BIN)/assistants up

test: setup sandbox clients ## every test, the Docker sandbox's too
	@exec $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadgroup $(PYTEST_OPTIONS)

check: setup ## lint, types, import rules, quick tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadgroup \
		-m "not docker and not clients" $(PYTEST_OPTIONS)

demo: setup ## the main job on real files, start to end, on a scratch directory
	@$(BIN)/assistants sandbox build --install-engine --if-wanted
	@exec $(BIN)/assistants demo

bench: setup ## every benchmark; tables out (BENCH="run --quick": which, and how)
	@$(BIN)/assistants sandbox build --install-engine \
		|| echo "Going on without a sandbox: its manager is all there is to measure."
	@exec $(BIN)/python -m tests.bench $(BENCH)

lock: ## pin the dependencies of pyproject.toml anew (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv"; exit 1; }
	@uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --custom-compile-command "make lock" \
		--upgrade --quiet -o requirements.lock
	@for pins in tests/clients/*/requirements.in; do \
		uv pip compile "$$pins" --overrides tests/clients/overrides.txt --universal \
			--python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
			--custom-compile-command "make lock" --upgrade --quiet \
			-o "$${pins%.in}.lock" || exit 1; \
	done

clean: ## remove what can be made again; data/ stays
	@rm -rf $(VENV) .make build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache \
		.hypothesis .import_linter_cache tests/clients/node/node_modules
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

sandbox: setup
	@$(BIN)/assistants sandbox build --install-engine || { \
		echo "make test needs the sandbox: its tests are part of the whole."; exit 1; }

# Other people's clients, which some tests drive; other people's packages, kept from ours.
clients: setup
	@$(BIN)/python -m tests.clients.install

# flock, where there is one: two makes at once must not install into each other.
setup:
	@mkdir -p .make
	@if command -v flock >/dev/null 2>&1; then \
		exec flock --close .make/lock .ci/setup "$(VENV)" $(PYTHON); \
	else \
		exec .ci/setup "$(VENV)" $(PYTHON); \
	fi
