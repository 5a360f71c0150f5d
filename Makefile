# `make help` says what there is.  Repeated runs are quick: what is up to date stays as it is.

PYTHON ?= python3
UV_VERSION := 0.13.9

# For `make run`.
AGENTS ?= 5
CLUSTER_NAME ?= demo
CLUSTER_SIZE ?= 3
ETCD_VERSION ?= 3.5.30
WORK_DIR ?= .cache/run
# More flags, such as RUN_FLAGS="-admin-port=23401 -auto-reseed=false".
RUN_FLAGS ?=

# For `make sim`.
SEEDS ?= 1000
SIM_FLAGS ?=

# For `make test`, such as PYTEST_FLAGS="-k reseed -x".
PYTEST_FLAGS ?=
# So many files at once: most tests wait for real processes most of the time.
TEST_JOBS ?= 3

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

EXECUTABLES := bin/etcd-mesos-scheduler bin/etcd-mesos-executor bin/etcd-mesos-local bin/etcd-mesos-sim \
	bin/etcd-mesos-ctl bin/etcd-mesos-proxy
# -L: etcdmesos/cli and etcdmesos/statecharts are links.
SOURCES := $(shell find -L etcdmesos compat -name '*.egg-info' -prune -o -type f -name '*.py' -print \
	-o -type f -path 'etcdmesos/*' ! -name '*.pyc' -print)
VENV := .venv/.installed
# What decides over the content of .venv; a change in any of it installs again.
VENV_SOURCES := pyproject.toml requirements.lock packaging/build.lock packaging/install_venv.py \
	packaging/steps.py compat/http-parser/pyproject.toml

.PHONY: all
all: $(EXECUTABLES) ## bin/: the executables (the default)

$(EXECUTABLES): bin/%: $(SOURCES) packaging/build_bin.py packaging/executable_start.py $(VENV)
	@.venv/bin/python packaging/build_bin.py $*

.PHONY: run
run: all ## Mesos and an etcd cluster here and now; CLUSTER_SIZE= AGENTS= ETCD_VERSION= RUN_FLAGS=
	@etcd=$$($(PYTHON) packaging/fetch_etcd.py $(ETCD_VERSION)) && exec bin/etcd-mesos-local \
		-agents=$(AGENTS) -cluster-size=$(CLUSTER_SIZE) -cluster-name=$(CLUSTER_NAME) \
		-work-dir=$(WORK_DIR) -etcd-bin=$$etcd/etcd $(RUN_FLAGS)

.PHONY: test
test: all etcd swift zookeeper ## all tests; PYTEST_FLAGS= for some of them
	@.venv/bin/pytest -n $(TEST_JOBS) --dist loadfile $(PYTEST_FLAGS)

.PHONY: sim
sim: bin/etcd-mesos-sim ## years of failures against every promise; SEEDS= SIM_FLAGS="-jobs=2"
	@bin/etcd-mesos-sim -seeds=$(SEEDS) $(SIM_FLAGS)

.PHONY: sim-planted
sim-planted: $(VENV) ## every planted bug is found by the simulation (may take an hour)
	@.venv/bin/pytest -m long tests/simulation $(PYTEST_FLAGS)

.PHONY: chaos
chaos: all etcd zookeeper ## end to end, what takes minutes: ZooKeeper away, majorities parted
	@.venv/bin/pytest -m long tests/end_to_end $(PYTEST_FLAGS)

.PHONY: check
check: $(VENV) ## style, types, layers, and charts that are up to date
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@.venv/bin/python -m etcdmesos.cli.statecharts --check

.PHONY: statecharts
statecharts: $(VENV) ## draw the charts' pictures and tables again
	@.venv/bin/python -m etcdmesos.cli.statecharts

.PHONY: venv
venv: $(VENV) ## .venv: everything locked, and the project itself, editable

$(VENV): $(VENV_SOURCES)
	@$(PYTHON) packaging/install_venv.py
	@touch $@

.PHONY: etcd
etcd: $(VENV) ## .cache/etcd: etcd 3.4.23 and 3.5.30, for tests and `make run`
	@$(PYTHON) packaging/fetch_etcd.py 3.4.23 3.5.30 >/dev/null

.PHONY: swift
swift: $(VENV) ## .cache/swift: an S3 server, for tests
	@.venv/bin/python packaging/fetch_swift.py >/dev/null

.PHONY: zookeeper
zookeeper: $(VENV) ## .cache/zookeeper: a ZooKeeper server, for tests
	@$(PYTHON) packaging/fetch_zookeeper.py >/dev/null

# uv, because it works out one lock for all supported Pythons at once.
UV := .cache/uv-$(UV_VERSION)/bin/uv
$(UV): | $(VENV)
	@.venv/bin/python -m venv .cache/uv-$(UV_VERSION)
	@$(@D)/pip install -qq --disable-pip-version-check uv==$(UV_VERSION)

# http-parser is ours, from compat/, and the lock holds only what the registry has.
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-package http-parser --no-header $(LOCK_FLAGS)

.PHONY: lock
lock: $(UV) ## work out requirements.lock again; LOCK_FLAGS=--upgrade takes newer releases
	@$(COMPILE) pyproject.toml --group dev --extra simulation --output-file requirements.lock
	@printf 'setuptools>=77\n' | $(COMPILE) - --output-file packaging/build.lock

.PHONY: clean
clean: ## remove what was built; .venv and the downloads in .cache stay
	rm -rf bin build dist *.egg-info compat/http-parser/*.egg-info compat/http-parser/build
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .cache/run
	find . -name __pycache__ -not -path './.venv/*' -not -path './.cache/*' -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## remove .venv and the downloads too
	rm -rf .venv .cache

.PHONY: help
help: ## this
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20
