# Everything runs in .venv, which is made on first use and refreshed when pyproject.toml changes.
# Another interpreter: make PYTHON=python3.13 demo

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
APP_READY := $(VENV)/.app-ready
DEMO_READY := $(VENV)/.demo-ready
TEST_READY := $(VENV)/.test-ready

.DEFAULT_GOAL := help
.PHONY: help app demo test lint docs bench bench-quality bench-app

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

app: $(APP_READY) ## Install fieldlr and open the web app at http://127.0.0.1:7860.
	$(BIN)/fieldlr app

demo: $(DEMO_READY) ## Install fieldlr and run the end-to-end demo: pictures, a video and a mesh in ./fieldlr-demo.
	$(BIN)/fieldlr demo

test: $(TEST_READY) ## Install fieldlr with its tests and run them (slow ones left out).
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: $(TEST_READY) ## Check the style and the types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

docs: $(TEST_READY) ## Build the documentation into site/ (a warning is an error).
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

bench: $(TEST_READY) ## Measure the speed of everything against plain baselines (ten minutes).
	$(BIN)/python -m benchmarks.bench

bench-quality: $(TEST_READY) ## Measure the quality after so many seconds, on the real data in FIELDLR_DATA.
	$(BIN)/python -m benchmarks.quality

bench-app: $(TEST_READY) ## Measure what the app costs a training, and how soon it shows something (three minutes).
	$(BIN)/python -m benchmarks.app

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "fieldlr needs Python 3.11 or newer; $(PYTHON) is not. Name another: make PYTHON=python3.13 demo"; exit 2; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# Not compiled: Python compiles what it imports, which is a small part of what is installed.
$(APP_READY): pyproject.toml setup.py | $(BIN)/python
	$(BIN)/python -m pip install -qq --no-compile --editable '.[fast,app,mesh,video,study,poses,codec]'
	@touch $@

$(DEMO_READY): pyproject.toml setup.py | $(BIN)/python
	$(BIN)/python -m pip install -qq --no-compile --editable '.[fast,mesh,video]'
	@touch $@

# Dependency groups came with pip 25.1; the pip of a fresh environment may be older.
$(TEST_READY): pyproject.toml setup.py | $(BIN)/python
	$(BIN)/python -m pip install -qq 'pip>=25.1'
	$(BIN)/python -m pip install -qq --no-compile --editable '.[all]' --group dev
	@touch $@
