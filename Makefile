# Everything a person types. `make demo` and `make test` need Python 3.11+, make and git; nothing else.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: demo test test-postgresql again lint fire fuzzers bench bench-write test-cluster install clean

$(STAMP): pyproject.toml
	@$(BIN)/python -c 'import ssl, pip' 2>/dev/null || $(MAKE) --no-print-directory $(VENV)
	@echo "Installing the assistant and what it needs for $$($(BIN)/python -V) (a minute or two, the first time) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# Anew only where there is none that works: one Python over another's files is neither.
.PHONY: $(VENV)
$(VENV):
	@echo "Creating the virtual environment in $(VENV) …"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed ($(PYTHON) is older); try make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { echo "Python's venv is missing: apt-get install python3-venv" >&2; exit 1; }

install: $(STAMP)

demo: $(STAMP)
	@$(BIN)/chatops demo

# Byte code is kept, also where the environment says otherwise: compiling the tests anew takes four seconds.
# More processes than two cores: half of the time a test waits for a timer, a browser or a process that starts.
# Of what is PostgreSQL's own a quarter is tried, always the same; `make test-postgresql` tries all of it.
test: $(STAMP)
	@PYTHONDONTWRITEBYTECODE= CHATOPS_TEST_SHARE=4 $(BIN)/python -m pytest --processes 8

# The whole assistant once more, with its state in a PostgreSQL that comes in a wheel, and all that is PostgreSQL's own.
# PART=0/2 plays the first half of the scenarios.
test-postgresql: $(STAMP)
	@PYTHONDONTWRITEBYTECODE= CHATOPS_TEST_DATABASE=postgresql CHATOPS_TEST_PART=$(PART) $(BIN)/python -m pytest --processes 4 \
		tests/scenarios tests/store tests/model tests/fire/test_killed_anywhere.py tests/fire/test_storm.py \
		tests/fire/test_replicas_killed_anywhere.py tests/fire/test_replicas_storm.py

# Kill and fault tests, all of them, and properties with all their examples (make test tries a seeded sample of both).
# One test at a time is handed out: they take from a second to minutes. What has no end of its own, such as fuzzing, goes
# on for as long as FIRE_MINUTES says, all together: make fire FIRE_MINUTES=60.
FIRE_MINUTES ?= 5
fire: $(STAMP)
	@PYTHONDONTWRITEBYTECODE= CHATOPS_FIRE=all FIRE_MINUTES=$(FIRE_MINUTES) $(BIN)/python -m pytest -m "fire or hypothesis" --processes 4 --one-by-one -o faulthandler_timeout=0 tests

# What fuzzes for `make fire`, which does without where it is not there: 40 MB that nothing else needs.
fuzzers: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzzers]'

# What failed last, one test at a time: what passes now has raced with something while others ran beside it, and wants mending.
again: $(STAMP)
	@echo "What failed is tried once more, alone; a test that passes now depends on the machine's speed: mend it." >&2
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --last-failed --last-failed-no-failures none -v tests examples

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(STAMP)
	@$(BIN)/python -m bench $(PART)

# The same, written into the README's table as well; what fails leaves its rows as they were.
bench-write: $(STAMP)
	@$(BIN)/python -m bench --write $(PART)

# The contract tests against the cluster that KUBECONFIG points to; they make and remove a namespace of their own.
test-cluster: $(STAMP)
	@test -n "$$KUBECONFIG" || { echo "KUBECONFIG is not set: point it to the cluster to test against" >&2; exit 1; }
	@CHATOPS_TEST_KUBECONFIG="$$KUBECONFIG" $(BIN)/python -m pytest tests/contract -m "api or controllers" -v -o faulthandler_timeout=0

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build *.egg-info
