# The ways to run Runyard. Needs Python >= 3.11, make and git; everything else is got by the first call.

UV := ./deploy/uv.sh
PYTHON := .venv/bin/python
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(PYTHON) -m pytest
WORKERS ?= 3

.PHONY: help run up down install web test check checks e2e pictures bench format sync sync-all

help:
	@echo "make run     everything in one process, on embedded parts, and an example workflow"
	@echo "make test    all checks and all tests"
	@echo "make up      one process for each service, on RabbitMQ and PostgreSQL of their own; make down ends them"
	@echo "make install PREFIX=DIRECTORY   everything in a directory of its own, for services that systemd runs"
	@echo "make web     builds the web app that the gateway serves"
	@echo "make pictures  takes the pictures of the web app that are in docs/images/web"
	@echo "make bench   measures, and prints a table"
	@echo "make check   formatting, lint, types, and who may import whom"
	@echo "make format  formats the code"

run: sync web
	@exec $(PYTHON) -m runyard_standalone

up: sync web
	@exec $(PYTHON) -m runyard_standalone.up up $(if $(REPLICAS),--replicas $(REPLICAS)) $(if $(AGENTS),--agents $(AGENTS))

down: sync
	@exec $(PYTHON) -m runyard_standalone.up down

# by itself, without this working copy: for services that systemd runs. Our own packages are built anew each time: uv would take
# the ones of the version before, which have the same names and numbers.
OURS := $(shell sed -n 's/^name = "\(runyard-.*\)"/\1/p' */pyproject.toml */*/pyproject.toml)
install: web
	@test -n "$(PREFIX)" || { echo "make install PREFIX=/opt/runyard/0.1.0" >&2; exit 2; }
	@RUNYARD_PREFIX=$(abspath $(PREFIX)) env -u PYTHONDONTWRITEBYTECODE $(UV) sync --frozen --no-dev --no-editable --compile-bytecode --quiet $(OURS:%=--reinstall-package %)
	@case "$$(readlink -f $(PREFIX)/bin/python)" in /root/*|/home/*) echo "Its Python is $$(readlink -f $(PREFIX)/bin/python), which other users may not run, nor systemd: UV_PYTHON=/usr/bin/python3 make install PREFIX=$(PREFIX)" >&2;; esac

web:
	@./deploy/web.sh build

bench: sync
	@exec $(PYTHON) -m runyard_bench

# The checks run beside the tests, which leave a core idle now and then, and tell what they found when those are done; then comes
# the web app in a browser. One call tells everything. pytest rewrites the assertions of all tests, and each of its workers would;
# so that is done once, and kept.
test: sync-all
	@report=$$(mktemp); status=0; \
	$(MAKE) --no-print-directory checks >$$report 2>&1 & checks=$$!; \
	test -d tests/unit/__pycache__ || $(PYTEST) --collect-only -q >/dev/null; \
	$(PYTEST) -n $(WORKERS) --dist loadgroup $(ARGS) || status=$$?; \
	wait $$checks || status=$$?; \
	cat $$report; rm $$report; \
	./deploy/web.sh e2e || status=$$?; \
	exit $$status

check: sync-all
	@$(MAKE) --no-print-directory checks

e2e: sync-all
	@./deploy/web.sh e2e $(ARGS)

# of a fortnight of work, for the documentation
pictures: sync-all
	@RUNYARD_PICTURES=1 ./deploy/web.sh e2e pictures

checks:
	./deploy/web.sh check
	./deploy/web.sh test
	./deploy/web.sh build
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

format: sync-all
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .
	cd services/gateway/ui && npm run --silent format

# the first time it takes a while, and shows what it does
QUIET := $(if $(wildcard .venv),--quiet)

# byte code is made once, here: six processes that each compile their imports would start slowly
sync:
	@env -u PYTHONDONTWRITEBYTECODE $(UV) sync --frozen --no-dev --inexact --compile-bytecode $(QUIET)

sync-all:
	@env -u PYTHONDONTWRITEBYTECODE $(UV) sync --frozen --compile-bytecode $(QUIET)
