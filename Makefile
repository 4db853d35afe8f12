# Every target sets up what it needs; `make help` lists them.

VENV := .venv
PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/.installed
# A name may be a shim without an interpreter behind it, or one without venv: each is tried.
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11
PICTURE := build/screenshot.png
# Empty where no window can be seen.
ifneq ($(shell uname -s),Linux)
  SCREEN := yes
else ifeq ($(filter offscreen minimal,$(QT_QPA_PLATFORM)),)
  SCREEN := $(DISPLAY)$(WAYLAND_DISPLAY)$(QT_QPA_PLATFORM)
endif

.DEFAULT_GOAL := help
.PHONY: help setup qt run test lint format bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with everything in it
	@:

$(STAMP): pyproject.toml antflow_core/_version.py .ci/environment.py
	@for python in $(PYTHONS); do \
	  if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    exec $$python .ci/environment.py $(VENV); \
	  fi; \
	done; \
	echo "No Python 3.11 or newer with venv found; on Debian or Ubuntu: apt install python3-venv" >&2; exit 1
	@touch $@

qt: $(STAMP)
	@$(PYTHON) -m antflow_gui.system_libraries --install

run: qt ## open the app on the bundled example, running (ARGS=... go to the app)
ifneq ($(SCREEN),)
	@$(PYTHON) -m antflow_gui --example --run $(ARGS)
else
	@echo "There is no display: running offscreen."
	@mkdir -p $(dir $(PICTURE))
	@QT_QPA_PLATFORM=offscreen $(PYTHON) -m antflow_gui --example --exit-when-done --screenshot $(PICTURE) $(ARGS)
	@echo "Screenshot: $(CURDIR)/$(PICTURE)"
endif

test: qt lint ## check everything: lint, then all tests (ARGS=... go to pytest)
	@$(PYTHON) -m pytest $(ARGS)

lint: $(STAMP) ## check format, rules, types and import directions
	@$(PYTHON) -m ruff format --check --quiet .
	@$(PYTHON) -m ruff check --quiet .
	@$(PYTHON) -m mypy
	@$(VENV)/bin/lint-imports --no-logo --no-cache

format: $(STAMP) ## format the code and mend what can be mended
	@$(PYTHON) -m ruff format .
	@$(PYTHON) -m ruff check --fix .

bench: qt ## measure the speed in ten minutes, or two with ARGS=--quick (ARGS=--help lists what can be asked)
	@$(PYTHON) -m tests.bench $(ARGS)

clean: ## remove what can be made again, except .venv
	@rm -rf build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find antflow_core antflow_gui resources tests -name __pycache__ -type d -prune -exec rm -rf {} +
