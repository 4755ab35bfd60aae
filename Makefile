# make run    set up what is missing, then play the whole story on real text     (ARGS="--quick" or "--full")
# make test   set up what is missing, then the tests
# The rest: make help

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Any Python from 3.11 on. The locks were resolved for 3.11.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
# What `make run` hands to the demo, `make bench` to each benchmark, and pip's own flags (such as an index of yours).
ARGS ?=
PIP_FLAGS ?=
# Which benchmarks: the folder names, all by default.
Q ?= $(patsubst benchmarks/%/__main__.py,%,$(wildcard benchmarks/*/__main__.py))
# A registry may hand out torch's CUDA build, which needs some GB of libraries beside it (requirements/cuda.txt).
#   auto  fetch them when torch does not load without    no  never: stop and say so    yes  always
CUDA ?= auto

BIN := .venv/bin
LOCKS := requirements/build.txt requirements/dev.txt
# The stamp's name holds the sum of what was installed: a changed lock or pyproject.toml sets up again.
STAMP := .venv/.lock-$(shell cat $(LOCKS) pyproject.toml | cksum | cut -d' ' -f1)
export PYTHON PIP_FLAGS CUDA

.PHONY: help setup run test test-real check bench lock format clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP)  ## make .venv, or bring it to the locks

$(STAMP):
	@bash scripts/set_up.sh $@

run: $(STAMP)  ## the main job: events in, tuned, judged, served, with a report
	@$(BIN)/freshtune demo $(ARGS)

test: export OMP_NUM_THREADS = 1
test: $(STAMP)  ## the tests, but those that start servers or kill processes
	$(BIN)/python -m pytest -m "not real" tests src/freshtune $(ARGS)

test-real: export OMP_NUM_THREADS = 1
test-real: $(STAMP)  ## the tests that start real servers, kill processes, or play a family's full product
	$(BIN)/python -m pytest -m real tests $(ARGS)

check: $(STAMP)  ## style, types, the rules of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_architecture.py tests/test_tree.py tests/test_readme.py

format: $(STAMP)  ## put the style right where a machine can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## every benchmark, or make bench Q="gate swap"; writes benchmarks/*/results and the READMEs' table
	@for question in $(Q); do \
		echo "== benchmarks/$$question" >&2; \
		$(BIN)/python -m benchmarks.$$question $(ARGS); \
	done
	@$(BIN)/python scripts/figures.py

lock: $(STAMP)  ## resolve requirements/*.txt anew from pyproject.toml; takes about ten minutes
	$(BIN)/python scripts/lock.py

clean:  ## remove .venv and everything that was made
	rm -rf .venv build dist .mypy_cache .ruff_cache .hypothesis src/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
