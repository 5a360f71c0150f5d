# `make help` says what there is.  Repeated runs are quick: stamps depend on what they are made of.

PYTHON ?= python3
UV_VERSION := 0.13.9

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

VENV := .venv/.installed
# The machinery below decides what .venv holds; a change in any of it installs again.
VENV_SOURCES := pyproject.toml requirements.lock packaging/build.lock packaging/install_venv.py \
	packaging/steps.py compat/http-parser/pyproject.toml

.PHONY: venv
venv: $(VENV) ## everything locked into .venv, the project editable

$(VENV): $(VENV_SOURCES)
	@$(PYTHON) packaging/install_venv.py
	@touch $@

.PHONY: etcd
etcd: $(VENV) ## etcd 3.4.23 and 3.5.30 into .cache/etcd
	@$(PYTHON) packaging/fetch_etcd.py 3.4.23 3.5.30

# uv, because it resolves for all Pythons at once: one lock for 3.11 to 3.13.
UV := .cache/uv-$(UV_VERSION)/bin/uv
$(UV):
	@$(PYTHON) -m venv $(@D)/..
	@$(@D)/pip install -qq --disable-pip-version-check uv==$(UV_VERSION)

# http-parser is ours, from compat/, and the lock holds only what the registry has.
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-package http-parser --no-header $(LOCK_FLAGS)

.PHONY: lock
lock: $(UV) ## work out requirements.lock again; LOCK_FLAGS=--upgrade takes newer releases
	@$(COMPILE) pyproject.toml --group dev --extra simulation --output-file requirements.lock
	@printf 'setuptools>=77\n' | $(COMPILE) - --output-file packaging/build.lock
