# On a machine with only Python (3.11 or newer) and make, every target does its own set-up: `make demo`, `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-slow lint types docs bench clean

demo: $(STAMP)
	$(BIN)/twin run examples/jobs/penicillin.toml
	$(BIN)/python examples/penicillin_on_plant.py out/penicillin/summary.json

# Everything CI checks; pytest comes last, so that its closing line is the last one.
# Three processes: solvers of other libraries keep state in theirs, and the kernels are tested in one of their own.
test: lint types
	$(BIN)/python -m pytest -q tests/optimizers tests/processes tests/examples
	$(BIN)/python -m pytest -q tests/test_*.py --ignore=tests/test_executions.py
	$(BIN)/python -m pytest -q tests/twin tests/test_executions.py

test-slow: $(STAMP)
	$(BIN)/python -m pytest -q -m slow

lint: $(STAMP)
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

# The pages are plain Markdown: what is built of them is the proof that their code, links and examples are true.
docs: $(STAMP)
	$(BIN)/python -m pytest -q tests/test_docs.py tests/test_public_api.py

bench: $(STAMP)
	$(BIN)/python -m benchmarks stiff_simulation --json
	$(BIN)/python -m benchmarks cold_start --json
	$(BIN)/python -m benchmarks scheduling --json
	$(BIN)/python -m benchmarks dynopt --json
	$(BIN)/python -m benchmarks calibration --json
	$(BIN)/python -m benchmarks nmpc --json
	$(BIN)/python -m benchmarks throughput --json

$(STAMP): pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed, for example: make PYTHON=python3.13 test')"
	$(PYTHON) -m venv $(VENV) || (echo "This Python cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv"; exit 1)
	$(BIN)/python -m pip install -q -e ".[dev]"
	touch $(STAMP)

clean:
	rm -rf $(VENV) build dist out .pytest_cache .mypy_cache .ruff_cache .hypothesis
