# Two commands do everything: `make demo` and `make test`. Each makes .venv when it is missing or out of date.
# The interpreter is found by tools/find-python.sh; choose another one with PYTHON=/path/to/python3.11.
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
export PYTHON

.PHONY: help demo test suite test-slow wheel lint format bench picture clean
.DEFAULT_GOAL := help

help:
	@echo "make demo       fly and heal the lander and the quadrotor, and say where the run records lie"
	@echo "make test       all tests, and the wheel in an empty environment"
	@echo "make test-slow  the tests that take longer than a minute"
	@echo "make lint       ruff, pyright, import-linter"
	@echo "make format     let ruff order imports and mend what it can"
	@echo "make bench      the speed benchmark (heal bench speed)"
	@echo "make picture    draw the pictures of docs/ from fresh runs"
	@echo "make clean      remove .venv, builds and caches; never runs/"

$(STAMP): pyproject.toml constraints.txt tools/find-python.sh
	@python=$$(tools/find-python.sh) || exit 1; \
	    test -x $(BIN)/python || { echo "creating $(VENV) with $$python"; "$$python" -m venv $(VENV); }
	@echo "installing the packages of constraints.txt into $(VENV)"
	@$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP)
	@$(BIN)/python tools/demo.py

test: $(STAMP)
	@$(MAKE) --no-print-directory -j 2 suite wheel

suite: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

# Beside the tests: it takes what they leave of two cores, and keeps none of them from its time.
wheel: $(STAMP)
	nice $(BIN)/python tools/wheel_check.py

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix .

bench: $(STAMP)
	$(BIN)/heal bench speed

picture: $(STAMP)
	$(BIN)/python docs/picture.py docs/healed_landing.png
	$(BIN)/python docs/timeline_picture.py docs/timeline.png

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
