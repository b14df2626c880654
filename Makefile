# Everything lives in .venv, which is made on first use and brought up to date whenever pyproject.toml changes.

PYTHON ?= python3
ARGS ?=
JOBS ?= 4

BIN := .venv/bin
# uv, where there is one that knows dependency groups.
UV := $(shell uv pip install --help 2>/dev/null | grep -q -e --group && command -v uv)
# One stamp per interpreter: another PYTHON makes another .venv.
VENV := .venv/.made-by-$(subst /,-,$(PYTHON))
READY := .venv/.ready
# The site has an environment of its own: it reads the sources and needs neither Prefect nor the package.
DOCS := .docs-venv

.DEFAULT_GOAL := help
.PHONY: help setup demo sandbox ui test test-quick test-environments check wheel docs clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s%s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo '  ARGS="..." passes arguments on, PYTHON=python3.12 selects the interpreter (3.10 to 3.14).'

setup: $(READY) ## Set up .venv with everything that development needs

demo: $(READY) ## A picture becomes a video, on a local Together: no key, nothing paid
	$(BIN)/python flows/image_to_video.py --sandbox $(ARGS)

sandbox: $(READY) ## Run a local Together until interrupted
	$(BIN)/prefect-together sandbox $(ARGS)

ui: $(READY) ## Run a Prefect server with its UI until interrupted
	$(BIN)/prefect --no-prompt server start $(ARGS)

test: $(READY) ## Run all tests, e.g. ARGS="-k ledger -x"; JOBS=0 runs them one after the other
	$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

test-quick: $(READY) ## Run the tests that take no seconds, for development
	$(BIN)/python -m pytest -n $(JOBS) -m 'not slow' $(ARGS)

test-environments: ## Run tests with other Pythons and Prefects, e.g. ARGS='3.10 "3.11 prefect==3.8.8"'
	$(PYTHON) tests/environments.py $(ARGS)

check: $(READY) ## Lint, check the format and the types
	$(BIN)/ruff check
	$(BIN)/ruff format --check --quiet
	$(BIN)/pyright

wheel: $(READY) ## Build the source distribution, and the wheel from it, into dist/
	rm -rf dist
ifneq ($(UV),)
	uv build --quiet
else
	@shown=$$($(BIN)/python -m build 2>&1) || { echo "$$shown" >&2; exit 1; }
endif
	$(BIN)/twine check --strict dist/*
	@ls dist

docs: $(DOCS)/.ready ## Build the documentation into site/, strictly; open site/index.html
	@DISABLE_MKDOCS_2_WARNING=true NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --quiet --strict
	@echo 'site/index.html'

clean: ## Remove whatever the other targets made
	rm -rf .venv $(DOCS) site build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

ifneq ($(UV),)

# Without PYTHON, uv finds or fetches an interpreter that pyproject.toml allows.
$(VENV):
	uv venv --quiet --clear $(if $(filter file,$(origin PYTHON)),,--python '$(PYTHON)') .venv
	@touch $@

$(READY): pyproject.toml $(VENV)
	@echo 'Setting up .venv (a few minutes the first time) ...'
	@uv pip install --quiet --python $(BIN)/python --group dev --editable '.[media,tables,sql]'
	@touch $@

$(DOCS)/.ready: pyproject.toml
	@uv venv --quiet --clear $(if $(filter file,$(origin PYTHON)),,--python '$(PYTHON)') $(DOCS)
	@uv pip install --quiet --python $(DOCS)/bin/python --group docs
	@touch $@

else

$(VENV):
	@'$(PYTHON)' -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))' || { \
	    echo '$(PYTHON) is not Python 3.10 to 3.14. Name one that is: make $(MAKECMDGOALS) PYTHON=python3.12' >&2; exit 1; }
	@'$(PYTHON)' -m venv --clear .venv || { rm -rf .venv; \
	    echo 'If venv or ensurepip is missing, this brings it: apt-get install $(notdir $(PYTHON))-venv' >&2; exit 1; }
	@touch $@

# pip knows dependency groups since 25.1, and most interpreters bring an older one.
$(READY): pyproject.toml $(VENV)
	@echo 'Setting up .venv (a few minutes the first time) ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev --editable '.[media,tables,sql]'
	@touch $@

$(DOCS)/.ready: pyproject.toml
	@'$(PYTHON)' -m venv --clear $(DOCS)
	@$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check --group docs
	@touch $@

endif
