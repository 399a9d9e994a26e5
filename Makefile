# Everything happens in .venv; PYTHON chooses the interpreter (3.11 to 3.13).
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# The folders as one package, for tools that read the tree instead of importing it (mypy, import-linter).
TREE = build/tree

.PHONY: demo test slow rtl lint types layers tree clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

demo: $(BIN)/python
	$(BIN)/python -m pip install --quiet -e .
	mkdir -p reports/out
	$(BIN)/simhw run --csv reports/out/rows.csv --html reports/out/index.html

test: $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[test]'
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(MAKE) types layers
	$(BIN)/pytest

slow: $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[test]'
	$(BIN)/pytest -m slow

# Everything about circuits: all gates against their definitions, all proofs, long tests; with LIBERTY="FILES" synthesis.
rtl: $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[test]'
	$(BIN)/simhw rtl check all
	$(BIN)/simhw rtl prove all --limit 600
	$(BIN)/pytest -m "slow or not slow" tests/circuits tests/rtl tests/pes
ifdef LIBERTY
	$(BIN)/simhw rtl synth all --liberty $(LIBERTY)
endif
	$(BIN)/simhw report pe_comparison

tree:
	rm -rf $(TREE)
	mkdir -p $(TREE)/simhw
	ln -s $(CURDIR)/simhw/* $(TREE)/simhw/
	ln -s $(CURDIR)/models $(CURDIR)/quant $(CURDIR)/reports $(TREE)/simhw/

types: tree
	cd $(TREE) && $(abspath $(BIN))/mypy --config-file $(CURDIR)/pyproject.toml -p simhw

layers: tree
	cd $(TREE) && $(abspath $(BIN))/lint-imports --config $(CURDIR)/pyproject.toml

clean:
	rm -rf $(VENV) build reports/out
