# make demo [IMAGE=path]   install and segment: a napari window, or demo_output/ where there is no display
# make test [WORKERS=2]    install and run the tests in two processes at once; with 0: in one
# make check               style, types and import contracts
# make bench [QUICK=1] [AGAINST=folder]   measure, as ratios in one run; against another version's checkout
# make docs                build the documentation into site/, without the network; links and examples are checked
# make smoke               build the wheel, and segment with it in a fresh environment
# make compat              by hand: the wheel beside the oldest and the newest napari, numpy, torch and Qt bindings
# make torture [SCALE=0.1] the checks that take hours, resumed where they were stopped: see docs/reliability.md
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
IMAGE ?=
QUICK ?=
AGAINST ?=
SCALE ?= 1
WORKERS ?= 2

.PHONY: help install demo test check bench docs smoke compat torture wheel clean
help:
	@sed -n 's/^# make/make/p' Makefile

install: $(STAMPS)/project $(STAMPS)/system

demo: install
	$(BIN)/utile demo $(if $(IMAGE),"$(IMAGE)")

test: install $(STAMPS)/bioimageio
	$(BIN)/python -m pytest $(if $(filter-out 0,$(WORKERS)),--numprocesses $(WORKERS) --dist loadscope)

check: $(STAMPS)/project
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(STAMPS)/bench
	$(BIN)/python benchmarks/run.py $(if $(QUICK),--quick)
	$(if $(AGAINST),$(BIN)/python -u benchmarks/against.py "$(AGAINST)" $(if $(QUICK),--quick))

torture: install
	$(BIN)/python -W ignore tests/torture --scale $(SCALE) --state torture.jsonl
	UTILE_FUZZ=5000 $(BIN)/python -m pytest tests/engine/test_files_fuzz.py

docs: $(STAMPS)/docs
	$(BIN)/python -m pytest -q --doctest-modules src/napari_utile/engine
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

# The dependencies are those of .venv; the wheel lies before the checkout.
smoke: wheel
	rm -rf $(VENV)/smoke
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $(VENV)/smoke "$$(ls -t dist/*.whl | head -n 1)"
	@export PYTHONPATH="$(CURDIR)/$(VENV)/smoke" && cd "$$(mktemp -d)" \
	    && "$(CURDIR)/$(BIN)/python" -c 'import napari_utile as u; assert "smoke" in u.__file__, u.__file__' \
	    && "$(CURDIR)/$(BIN)/python" -m napari_utile.cli segment "$$PYTHONPATH/napari_utile/sample_data/nuclei.tif" -o . \
	    && ls nuclei_labels.tif

compat: wheel
	$(BIN)/python benchmarks/compat.py

wheel: $(STAMPS)/project
	$(BIN)/python -m build

clean:
	rm -rf $(VENV) dist demo_output site

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "U-Tile needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	    && apt-get update -qq && apt-get install -y -qq python3-venv; } \
	    || { echo "Python's venv is missing: sudo apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

# torch goes first and by itself, so that the pinned build is there before anything asks for another.
$(STAMPS)/torch: constraints.txt $(STAMPS)/venv
	@echo "installing torch (a minute or two)"
	$(PIP) torch
	@touch $@

$(STAMPS)/project: pyproject.toml constraints.txt hatch_build.py $(STAMPS)/torch
	@echo "installing napari and the rest (a minute or two)"
	$(PIP) --editable '.[all,test,dev]'
	@touch $@

$(STAMPS)/docs: $(STAMPS)/project
	$(PIP) --editable '.[docs]'
	@touch $@

$(STAMPS)/bench: $(STAMPS)/project
	$(PIP) --editable '.[bench]'
	@touch $@

# The field's own library, which the tests run on exported packages: beside the rest, as its pins do not fit napari's.
$(STAMPS)/bioimageio: tests/exchange/bioimageio.txt $(STAMPS)/project
	rm -rf $(VENV)/bioimageio
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $(VENV)/bioimageio -r $<
	@touch $@

# Qt and OpenGL need libraries of the system. On Debian as root they are installed; elsewhere `utile doctor`
# names them, and what can run without them runs.
$(STAMPS)/system: $(STAMPS)/project
	@missing="$$($(BIN)/utile doctor --packages)"; \
	if [ -z "$$missing" ]; then touch $@; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	      $$missing && touch $@; } || echo "apt-get could not install: $$missing"; \
	else $(BIN)/utile doctor || true; fi
