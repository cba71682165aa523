# One command for each thing done every day. All of them set up what they need; `make help` lists them.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Files in these folders are found again on each run, so that a new plugin joins by existing.
MEMBERS := $(wildcard core/pyproject.toml plugins/*/pyproject.toml plugins/*/*/pyproject.toml contract_test*/pyproject.toml)
VENV := .venv
BIN := $(VENV)/bin
UV := sh tools/uv.sh
SYNC := $(UV) sync --quiet --all-packages --all-extras

# PYTHON=/path/to/python3 chooses the interpreter of a new environment.
export PYTHON

# What is said may hold quotes, "$$", "#" and newlines. So it is taken unexpanded and handed to the
# shell in an environment variable, never pasted into a command; and the originals are emptied,
# since make would expand them to hand them on.
export VIVA_TEXT := $(value TEXT)
export VIVA_OUT := $(or $(value OUT),out.wav)
override TEXT :=
override OUT :=

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

.PHONY: say
say: $(VENV)/.ready-to-run ## speak: make say TEXT="Hello." [OUT=out.wav] [ARGS="--language de"]
	@[ -n "$$VIVA_TEXT" ] || { echo 'What shall be said? make say TEXT="Hello."' >&2; exit 2; }
	@printf '%s' "$$VIVA_TEXT" | $(BIN)/vivavoce say - -o "$$VIVA_OUT" --quiet $(ARGS)
	@printf 'The speech is in %s\n' "$$VIVA_OUT"

.PHONY: test
test: $(VENV)/.ready ## run the tests of the whole house [ARGS="core/tests -k wav"]
	$(BIN)/python -m pytest $(or $(ARGS),-n auto)

.PHONY: test-asr
test-asr: $(VENV)/.ready ## speak, transcribe offline, compare (extra packages; see CONTRIBUTING.md)
	$(SYNC) --group asr
	$(BIN)/python -m pytest -m asr $(ARGS)

.PHONY: contract
contract: $(VENV)/.ready ## examine every provider here against its claims [ARGS="--contract-report DIR"]
	$(BIN)/python -m pytest -q --no-header plugins/*/tests/test_contract.py $(ARGS)

.PHONY: lint
lint: $(VENV)/.ready ## check style, formatting and spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/codespell

.PHONY: format
format: $(VENV)/.ready ## put in order what lint can put in order by itself
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: types
types: $(VENV)/.ready ## check the types of all sources, and of the tests named typed_*.py
	$(BIN)/mypy $(wildcard core/src plugins/*/src plugins/*/emulator/src contract_test*/src tools core/tests/typed_*.py)

.PHONY: arrows
arrows: $(VENV)/.ready ## check who imports whom
	$(BIN)/lint-imports
	$(BIN)/python tools/arrows.py

.PHONY: docs
docs: $(VENV)/.ready ## build the documentation into docs/_build/html
	$(BIN)/python tools/capability_table.py --check
	$(BIN)/python tools/qwen_page.py --check
	$(BIN)/python tools/clauses_page.py --check
	$(BIN)/python tools/seeded_faults_page.py --check
	$(BIN)/sphinx-build -E -W --keep-going --quiet -b html docs docs/_build/html
	@echo 'The documentation is in docs/_build/html/index.html'

.PHONY: bench
bench: $(VENV)/.ready ## measure (by hand, on a quiet machine) [ARGS=...]
	$(SYNC) --group bench
	$(BIN)/python bench/run.py $(ARGS)

.PHONY: wheels
wheels: ## build every distribution into dist/
	rm -rf dist
	$(UV) build --quiet --all-packages --out-dir dist
	@ls dist

.PHONY: ci
ci: ## everything that is run on a change before it is accepted
	bash .ci/run

.PHONY: lock
lock: ## bring uv.lock up to date, naming public addresses only whatever this machine is set to
	env -u UV_INDEX -u UV_DEFAULT_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS \
	    $(UV) lock --no-config $(ARGS)

.PHONY: clean
clean: ## remove what was built and cached, and the environments
	rm -rf dist build docs/_build docs/_generated .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf $(VENV) .uv
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environments are made again only when a description of them changed. The folder `plugins` is
# among the reasons because its time stamp changes when a plugin comes or goes.
REASONS := Makefile pyproject.toml uv.lock plugins $(MEMBERS)

# Enough to speak; leaves further packages where they are.
$(VENV)/.ready-to-run: $(REASONS)
	@echo 'Setting up $(VENV) ...' >&2
	@$(SYNC) --inexact --no-default-groups
	@touch $@

# Everything to work on the project.
$(VENV)/.ready: $(REASONS)
	@echo 'Setting up $(VENV) for development ...' >&2
	@$(SYNC)
	@touch $(VENV)/.ready-to-run $@
