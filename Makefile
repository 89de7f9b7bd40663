# VENV= names the environment to use; several checkouts can share one.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.nas-toolkit-$(shell cksum pyproject.toml | cut -d' ' -f1)-$(shell pwd | cksum | cut -d' ' -f1)
# Batched eigendecompositions of small matrices are fastest on one thread each.
export OMP_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1

.PHONY: search test cases faults lint docs setup clean

search: setup
	$(BIN)/toolkit search recipes/spd_drone.yaml

test: lint
	$(BIN)/python -m pytest -n logical --maxprocesses 4

# Tests in which something dies, fills up or tells nonsense, alone.
faults: setup
	$(BIN)/python -m pytest -m faults -n logical --maxprocesses 4 --dist loadgroup

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy toolkit plugins/* search_spaces/*
	$(BIN)/lint-imports

# References made of the code, the site in site/, and every link within it.
docs: setup
	$(BIN)/python -m pip install --quiet "zensical>=0.0.70"
	$(BIN)/python scripts/generate_docs.py
	$(BIN)/python -m zensical build --clean --strict
	$(BIN)/python scripts/check_links.py site

setup: $(STAMP)

# setuptools below 82 comes first: NNI needs its pkg_resources.
$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "setuptools<82" wheel
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	rm -f $(VENV)/.nas-toolkit-* && touch $@

clean:
	rm -rf .venv build dist site *.egg-info

# Scripts CASES/*/run.sh, which end with 0 where the toolkit behaves rightly; N= at once.
cases: setup
	@test -d "$(CASES)" || { echo "usage: make cases CASES=FOLDER [N=2]"; exit 2; }
	@TOOLKIT="$(abspath $(BIN))/toolkit" PYTHON="$(abspath $(BIN))/python" sh scripts/cases.sh "$(CASES)" $(or $(N),2)
