# The targets, with what each does: `make` prints them from the comments behind "##".

PYTHON   ?= python3
VENV     ?= .venv
SCENARIO ?= $(firstword $(wildcard traces/touchscreen/scenario.toml traces/*/scenario.toml))

BIN   := $(VENV)/bin
READY := $(VENV)/.ready
RULES := E,F,W,I,B,C4,PIE,RUF,UP
RUFF  := $(BIN)/ruff check --target-version py311 --line-length 100 --select $(RULES) \
         --ignore RUF001,RUF002,RUF003
TEST  := $(BIN)/python -m pytest

.PHONY: help install run test lint types tidy check explore golden bless mutants corruptions fuzz oracle replay bench compiled clean

help:  ## print the targets
	@sed -n 's/^\([a-z]*\):.*## */\1	/p' Makefile | expand -t 12

install: $(READY)  ## a virtual environment in .venv with irqsim and its tests' needs

$(READY): setup.cfg pyproject.toml
	@echo "setting up $(VENV) ..." >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --editable '.[test]' >&2
	@touch $@

run: $(READY)  ## set up, and print the log of a shipped scenario (SCENARIO=FILE: of another)
	@$(BIN)/irqsim run $(SCENARIO)

test: $(READY)  ## the fast, deterministic tests
	@$(TEST) -q -n auto

lint: $(READY)  ## ruff
	@$(RUFF) .

types: $(READY)  ## mypy --strict
	@$(BIN)/mypy

tidy: $(READY)  ## layers, banned names, sizes
	@$(TEST) -q tests/test_tidy.py

check: lint types tidy test  ## all of these: what every commit passes

explore: $(READY)  ## search for new failures: the property tests, long and free-running
	@$(TEST) -q -n auto --hypothesis-profile=explore

golden: $(READY)  ## compare what the shipped scenarios print with the kept logs
	@$(BIN)/python -m tests.golden --check
	@$(BIN)/python -m tests.narrations --check

bless: $(READY)  ## rewrite the kept logs; review the diff
	@$(BIN)/python -m tests.golden --bless
	@$(BIN)/python -m tests.narrations --bless

mutants: $(READY)  ## faults put into the model on purpose, each caught by a law
	@$(BIN)/python -m tests.mutants

corruptions: $(READY)  ## faults put into logs of real kernels, each seen by a law or shown to be none
	@$(BIN)/python -m tests.corruptions

oracle: $(READY)  ## random scenarios on a real kernel and on ours (needs the lab and QEMU)
	@$(BIN)/python -m tests.oracle_run $(ORACLE)

replay: $(READY)  ## real logs turned into scenarios, and how much of each its replay has
	@$(BIN)/python -m tests.replay

fuzz: $(READY)  ## a hundred thousand damaged traces for the reader
	@$(BIN)/python -m tests.fuzz_reader

bench: $(READY)  ## how fast it is; never fails
	@for bench in $(wildcard tests/bench_*.py); do $(BIN)/python -m tests.$$(basename $$bench .py); done

compiled: $(READY)  ## the hot modules compiled by mypyc in build/compiled, and the tests run with them
	rm -rf build/compiled && mkdir -p build/compiled
	git ls-files -z | xargs -0 cp --parents -t build/compiled
	cd build/compiled && IRQSIM_COMPILED=1 $(abspath $(BIN))/python setup.py -q build_ext --inplace
	cd build/compiled && IRQSIM_REFERENCE=$${IRQSIM_REFERENCE:-$(abspath ../shared/reference)} \
	    $(abspath $(BIN))/python -m pytest -q -n auto --ignore tests/test_properties.py

clean:  ## remove what these targets made
	rm -rf .venv build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
