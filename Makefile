# The environment is made by the first target that needs it, and again when pyproject.toml changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check
TORCH := torch==2.13.0

.PHONY: demo test check bench s3 operate world clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed
	@$(BIN)/manyminds run infra/runs/demo.toml

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed-dev
	$(BIN)/python tests/benchmarks/sampling.py

# Ctrl-C ends it; what it prints tells a shell where it is.
s3: $(VENV)/.installed-dev
	@$(BIN)/python infra/seaweed.py lakes/.s3

operate: $(VENV)/.installed-dev
	@$(BIN)/python infra/operate.py

world: $(VENV)/.installed
	$(BIN)/python -m tasks.world.train --force

clean:
	rm -rf $(VENV) lakes

# Debian's Python may come without ensurepip; its own pip then fills the environment.
$(BIN)/python:
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }

# PyTorch for CPUs is a tenth of the size of the default one, which is for NVIDIA GPUs.
$(VENV)/.torch: | $(BIN)/python
	@echo "Installing into $(VENV): two or three minutes"
	@if nvidia-smi -L >/dev/null 2>&1; then $(PIP) $(TORCH); \
	else $(PIP) $(TORCH)+cpu 2>/dev/null || $(PIP) $(TORCH) --index-url https://download.pytorch.org/whl/cpu 2>/dev/null || $(PIP) $(TORCH); fi
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.torch
	@$(PIP) --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@$(PIP) --editable '.[dev]'
	@touch $@
