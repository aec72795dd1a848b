# Everything needs only Python 3.11 or newer, git and make; what else it takes goes into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

PREFIX ?= /usr/local
DESTDIR ?=
define FIND_PYTHON
for python in '$(PYTHON)' python3.14 python3.13 python3.12 python3.11; do \
  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=; \
done; \
if [ -z "$$python" ]; then \
  echo "This needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>/dev/null || echo not there)." >&2; \
  echo 'Install one, or say which: make PYTHON=/path/to/python3.12 …' >&2; exit 1; \
fi
endef

.PHONY: help run test torture bench man install uninstall screenshots clean

help:
	@echo 'make run       the whole chain once, against a small video channel on this machine; again: what is new'
	@echo 'make test      ruff, mypy and the tests'
	@echo 'make torture   minutes of kills and random moves; nothing may be lost'
	@echo 'make bench     the speed budgets, measured'
	@echo 'make man       writes the parts of the man pages that follow from the code'
	@echo 'make install   for the machine (as root), or for yourself with PREFIX=~/.local; again: the newer release'
	@echo 'make uninstall removes that, and keeps jobs, spool and credentials'
	@echo 'make screenshots  all pages of the dashboard as pictures, in screenshots/ (with playwright and chromium)'
	@echo 'make clean     removes .venv and caches, never the spool'

run: $(VENV)/run.stamp
	@$(BIN)/python -m rivus.demo --jobs jobs.d --report spool -- bin/rivus-run --jobs jobs.d --spool spool demo

test: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 3 --dist worksteal -m 'not torture'

torture: $(VENV)/test.stamp
	$(BIN)/python -m pytest -n 2 -m torture
	$(BIN)/python -m pytest --hypothesis-profile=torture --timeout=3000 tests/spool/test_machine.py tests/stale/test_machine.py

bench: $(VENV)/run.stamp
	$(BIN)/python -m tests.bench

man: $(VENV)/run.stamp
	$(BIN)/python man/generate.py

# A release of its own beside the older ones; what runs goes on. It needs no .venv and leaves nothing here.
install uninstall:
	@$(FIND_PYTHON); "$$python" -B install/install.py $@ --prefix '$(PREFIX)' --destdir '$(DESTDIR)'

screenshots: $(VENV)/test.stamp
	$(BIN)/python -m tests.dash.screenshots screenshots

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find rivus tests man jobs.d -name __pycache__ -prune -exec rm -rf {} +

# The stamps are older than pyproject.toml when there is something to install.
$(VENV)/run.stamp: EXTRAS := youtube,feeds
$(VENV)/test.stamp: EXTRAS := all,test
$(VENV)/%.stamp: pyproject.toml | $(BIN)/python
	@echo 'Setting up $(VENV) (once, and when pyproject.toml changes) …'
	@$(PIP) --editable '.[$(EXTRAS)]'
	@touch $@

$(BIN)/python:
	@$(FIND_PYTHON); \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "$$python cannot make virtual environments: it comes without ensurepip." >&2; \
	  echo 'On Debian and Ubuntu: apt install python3-venv. Or name another one: make run PYTHON=python3.12' >&2; exit 1; \
	fi; \
	"$$python" -m venv --clear $(VENV)
