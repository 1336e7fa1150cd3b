# Everything runs from a fresh clone: the first target that needs packages sets up .venv.
#
#   make book                      execute the chapters, build the HTML
#   make test                      run the tests
#   make PYTHON=python3.12 book    choose the interpreter that .venv is made with
#   make VENV=/some/env book       use another environment; an active conda environment
#                                  named grokking-companion is used without asking
#   make TORCH_INDEX=URL book      take PyTorch from this index: the one that pytorch.org names
#                                  for "CPU" makes the environment 5 GB smaller on Linux

ifeq ($(CONDA_DEFAULT_ENV),grokking-companion)
VENV ?= $(CONDA_PREFIX)
endif
VENV ?= .venv
ifneq ($(words $(VENV)),1)
$(error VENV must be one word, got "$(VENV)")
endif
PY := $(VENV)/bin/python
INSTALLED := $(VENV)/.requirements-installed.txt
PORT ?= 8000

ifndef PYTHON
PYTHON := $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11,\
    $(shell $(p) -c 'import sys; (3, 11) <= sys.version_info < (3, 15) and print("$(p)")' 2>/dev/null)))
endif

.DEFAULT_GOAL := help
.PHONY: help book test lint sweep bench wasm faults serve lab clean

help:
	@echo "make book    execute the chapters from the stored runs and build the HTML"
	@echo "make test    run the tests"
	@echo "make lint    check style, and that imports go one way"
	@echo "make serve   show the built book on http://localhost:$(PORT)"
	@echo "make lab     open the notebooks in Jupyter, with the live trainer"
	@echo "make sweep NAME=figure3 [BUDGET=45m] [SEEDS=0:3]   train missing runs of an experiment"
	@echo "make bench   measure the trainer's speed on this machine"
	@echo "make wasm    compile the kernel for the book's pages again (after a change of the kernel)"
	@echo "make faults  kill, fill and damage real sweeps (some 15 minutes); nothing may be lost"
	@echo "make clean   remove the built book (never results/ or .venv)"

book: $(INSTALLED)
	$(PY) -m lib build

test: $(INSTALLED)
	@echo "== running the tests"
	$(PY) -m pytest -n auto --dist loadgroup --durations=15

lint: $(INSTALLED)
	$(PY) -m ruff check .
	$(VENV)/bin/lint-imports --config pyproject.toml

sweep: $(INSTALLED)
	@test -n "$(NAME)" || { echo "error: say which experiment: make sweep NAME=figure3" >&2; exit 2; }
	$(PY) -m lib sweep $(NAME) $(if $(BUDGET),--budget $(BUDGET)) $(if $(SEEDS),--seeds $(SEEDS))

bench: $(INSTALLED)
	$(PY) -m lib bench

wasm: $(INSTALLED)
	$(PY) -m lib.engines.wasm.compile

faults: $(INSTALLED)
	$(PY) tests/support/faults.py

serve: $(INSTALLED)
	@test -f _build/html/index.html || { echo "error: no built book yet; run: make book" >&2; exit 2; }
	@echo "== the book is on http://localhost:$(PORT) (stop with Ctrl-C)"
	@$(PY) -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

lab: $(INSTALLED)
	JUPYTER_CONFIG_PATH="$(CURDIR)/notebooks" $(PY) -m jupyterlab notebooks

clean:
	rm -rf _build book/chapters

$(PY):
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 to 3.14 is needed; install one or name it: make PYTHON=/path/to/python3" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' || \
	    { echo "error: $(PYTHON) is not Python 3.11 to 3.14 (or does not run); choose another with make PYTHON=..." >&2; exit 2; }
	@echo "== making $(VENV) with $(PYTHON)"
	@there=; if [ -e "$(VENV)" ]; then there=1; fi; $(PYTHON) -m venv "$(VENV)" || \
	    { [ "$$there" ] || rm -rf "$(VENV)"; echo "error: $(PYTHON) -m venv failed; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }

# The stamp is a copy of the list it stands for: a changed time stamp alone installs nothing.
$(INSTALLED): requirements.txt | $(PY)
	@if cmp -s requirements.txt $@; then touch $@; else \
	    echo "== installing the packages of requirements.txt into $(VENV) (some minutes the first time)" && \
	    if [ "$$(uname)" = Linux ] && [ ! -e /dev/nvidiactl ] && [ -z "$(TORCH_INDEX)" ]; then \
	        echo "   (no NVIDIA GPU here: make TORCH_INDEX=URL, with the CPU index that pytorch.org names, spares 5 GB)"; fi && \
	    $(PY) -m pip install --quiet --disable-pip-version-check \
	        $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -r requirements.txt && \
	    $(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . && \
	    cp requirements.txt $@; fi
