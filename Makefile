# The two commands to know: `make demo` runs the whole story, `make test` tests it. `make help` lists the others.
# Needs Python 3.11 with pip and venv, nothing else.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
WORKERS ?= auto
SERVICE_WORKERS ?= 3
LOCKS := requirements.lock requirements-demo.lock requirements-dev.lock

# Images often switch compiled modules off; then each process that tests start compiles all of our code again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo demo-apart test test-sqlite test-all test-demo test-accessibility test-faults test-property test-long test-mutations \
	test-services test-flood test-overload bench check fix run web worker scheduler simulator states docs \
	pictures lock setup sbom clean

help: ## List the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/demo.stamp ## Run the whole story on this machine; EXIT=1 stops after the table, DIALECT=alternate and KILL=random vary it, SITE_PORT and LIGHT_PORT name its ports
	@$(PY) $(DEMO)

demo-apart: $(VENV)/demo.stamp ## The same, with web, workers and scheduler as processes apart on PostgreSQL and Redis
	@env -u TEST_POSTGRES_URL -u TEST_REDIS_URL .ci/services.sh run postgres redis -- sh -c \
		'DEMO_DATABASE_URL=$$TEST_POSTGRES_URL DEMO_BROKER_URL=$$TEST_REDIS_URL exec $(PY) $(DEMO)'

DEMO = manage.py demo --settings config.settings.demo $(if $(EXIT),--exit) $(if $(DIALECT),--dialect $(DIALECT)) $(if $(KILL),--kill $(KILL)) \
	$(if $(SITE_PORT),--site-port $(SITE_PORT)) $(if $(LIGHT_PORT),--light-port $(LIGHT_PORT))

# What takes long has commands of its own: the faults cell by cell, orders of events, the demo as a test, axe on every page, real services.
SUITE = $(PY) -m pytest -n $(WORKERS) --dist worksteal --ignore tests/services
SHORT = $(SUITE) --ignore tests/integration/faults --ignore tests/property --ignore tests/functional/test_demo.py \
	--ignore tests/functional/test_accessibility.py

# A PostgreSQL of the suite's own where its programs are installed; SQLite elsewhere.
POSTGRES = $(if $(DATABASE_URL)$(shell .ci/services.sh missing postgres),,postgres)

test: $(VENV)/dev.stamp ## Run the test suite, and list what could not be tried here
	@PYTEST="$(SHORT)" .ci/services.sh run $(POSTGRES) -- .ci/suite.sh $(ARGS)

test-sqlite: $(VENV)/dev.stamp ## Run on SQLite what is particular to SQLite
	@$(SHORT) -m sqlite $(ARGS)

test-demo: $(VENV)/dev.stamp ## The demo's stories as tests: in both dialects, and under kill -9
	@$(SUITE) tests/functional/test_demo.py $(ARGS)

test-accessibility: $(VENV)/dev.stamp ## axe checks every page of every surface, at phone and desktop size
	@$(SUITE) tests/functional/test_accessibility.py $(ARGS)

test-faults: $(VENV)/dev.stamp ## Every fault that people, dates and Light can make, cell by cell over real HTTP
	@$(SUITE) tests/integration/faults $(ARGS)

test-all: $(VENV)/dev.stamp ## The same, but fail when a browser, PostgreSQL or Redis is missing
	@REQUIRE_BROWSER=1 REQUIRE_SERVICES=1 PYTEST="$(SHORT)" .ci/services.sh run postgres redis -- .ci/suite.sh $(ARGS)

test-services: $(VENV)/dev.stamp ## Kill, cut and restart real processes, PostgreSQL, Redis and S3 under the engine
	@REQUIRE_SERVICES=1 .ci/services.sh run postgres redis s3 -- $(PY) -m pytest tests/services --ignore tests/services/test_overload.py \
		-n $(SERVICE_WORKERS) --dist worksteal $(ARGS)

test-flood: $(VENV)/dev.stamp ## Many go-lives at once and few calls allowed, with the machine to itself: it is about pace
	@REQUIRE_SERVICES=1 .ci/services.sh run postgres redis s3 -- $(PY) -m pytest tests/services/test_overload.py $(ARGS)

test-overload: $(VENV)/dev.stamp ## A thousand go-lives in a minute, with a Light that allows five calls a second; takes three quarters of an hour
	@REQUIRE_SERVICES=1 OVERLOAD_KEEP=1 OVERLOAD_CASES=1000 OVERLOAD_REPORT_SECONDS=60 .ci/services.sh run postgres redis s3 -- \
		$(PY) -m pytest tests/services/test_overload.py -k worked_off -p no:cacheprovider -s $(ARGS)

bench: $(VENV)/dev.stamp ## Measure beside bare contenders and write docs/benchmarks.md; ARGS names one
	@.ci/services.sh run postgres redis s3 -- $(PY) -m tools.benchmarks $(ARGS)

test-property: $(VENV)/dev.stamp ## Try 100 orders of everything that can happen to several cases, the same each time
	@INTERLEAVED_EXAMPLES=100 $(SUITE) tests/property $(ARGS)

test-long: $(VENV)/dev.stamp ## The same with 2,000 orders, other ones each time; an hour or two
	@INTERLEAVED_EXAMPLES=2000 $(SUITE) tests/property $(ARGS)

test-mutations: $(VENV)/dev.stamp ## Put deliberate bugs into a copy and see that tests notice each; some minutes
	@$(PY) -m tools.mutations $(ARGS)
	@$(PY) -m tools.faults_page

check: $(VENV)/dev.stamp ## Look at code, templates, contracts, settings and generated pages; changes nothing
	@$(MAKE) --no-print-directory --keep-going $(CHECKS)
	@echo "Nothing to complain about."

CHECKS := check-format check-lint check-security check-templates check-contracts check-types check-migrations check-production \
	check-locks check-pages check-compose
.PHONY: $(CHECKS)

check-format:
	@echo "format …"; $(VENV)/bin/ruff format --check --quiet .

check-lint:
	@echo "lint …"; $(VENV)/bin/ruff check --quiet .

check-security:
	@echo "insecure code …"; $(VENV)/bin/bandit --quiet --configfile pyproject.toml --severity-level medium --recursive .

check-templates:
	@echo "templates …"; $(VENV)/bin/djlint templates --check --lint --quiet

check-contracts:
	@echo "who imports whom …"; $(VENV)/bin/lint-imports --no-logo

check-types:
	@echo "types …"; folder=$$(mktemp -d); trap 'rm -r "$$folder"' EXIT; \
	DATA_DIR=$$folder $(VENV)/bin/mypy --no-error-summary .

check-migrations:
	@echo "migrations …"; $(PY) manage.py makemigrations --check --dry-run

check-production:
	@echo "settings of production …"; folder=$$(mktemp -d); trap 'rm -r "$$folder"' EXIT; \
	DATA_DIR=$$folder $(PY) manage.py seal new --no-passphrase --name Check --to $$folder/key.p12 --settings config.settings.local >/dev/null; \
	env $$(grep -v '^#' .ci/production.env) POA_SEAL_KEY_FILE=$$folder/key.p12 $(PY) manage.py check --deploy --fail-level WARNING

check-locks:
	@echo "lock files …"; ! grep -n '://' $(LOCKS)

check-pages:
	@echo "generated pages …"; $(PY) manage.py draw_states --check; $(PY) manage.py write_configuration --check; $(PY) -m tools.faults_page --check

check-compose:
	@echo "compose file …"; $(PY) -m pytest -q tests/unit/config/test_compose.py

fix: $(VENV)/dev.stamp ## Repair what can be repaired: format, simple findings, generated pages
	@$(VENV)/bin/ruff check --fix --quiet . || true
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/djlint templates --reformat --quiet || true
	@$(MAKE) --no-print-directory docs

setup: $(VENV)/dev.stamp ## Make the virtual environment with everything for development

run: $(VENV)/demo.stamp ## Web, worker and scheduler in one process, on SQLite
	@$(PY) manage.py up --setup $(ARGS)

web: $(VENV)/demo.stamp ## The web process alone, as in production
	@$(VENV)/bin/gunicorn --bind 127.0.0.1:8000 --worker-class gthread --workers 2 --threads 8 \
		--logger-class operations.gunicorn_log.GunicornLogger config.wsgi $(ARGS)

worker: $(VENV)/demo.stamp ## The worker process alone; needs Redis
	@$(VENV)/bin/celery --app config worker --loglevel INFO $(ARGS)

scheduler: $(VENV)/demo.stamp ## The scheduler process alone; needs Redis
	@$(VENV)/bin/celery --app config beat --loglevel INFO --schedule $${TMPDIR:-/tmp}/switchyard-beat $(ARGS)

simulator: $(VENV)/demo.stamp ## The stand-in for Light, as a process of its own
	@$(PY) -m simulator $(ARGS)

states: $(VENV)/dev.stamp ## Draw docs/states.md from the tables of moves
	@$(PY) manage.py draw_states

docs: states ## Write every generated page
	@$(PY) manage.py write_configuration
	@$(PY) -m tools.faults_page

pictures: $(VENV)/dev.stamp ## Take the pictures of the README again; needs Chromium
	@$(PY) -m tools.pictures

lock: ## Compile the lock files from pyproject.toml; needs uv
	uv pip compile pyproject.toml $(LOCK_OPTIONS) --output-file requirements.lock
	uv pip compile pyproject.toml $(LOCK_OPTIONS) --group simulator --output-file requirements-demo.lock
	uv pip compile pyproject.toml $(LOCK_OPTIONS) --group dev --output-file requirements-dev.lock

LOCK_OPTIONS := --universal --generate-hashes --no-header --no-emit-index-url --python-version 3.11

sbom: ## List what production installs, with versions and hashes, as CycloneDX
	@$(PYTHON) .ci/sbom.py

clean: ## Remove the virtual environment, caches and the local data folder
	rm -rf $(VENV) var staticfiles .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Everything of the demo is also in the environment for development, in the same versions.
$(VENV)/demo.stamp: requirements-demo.lock | $(PY)
	$(call install,$<)
	@rm -f $(VENV)/dev.stamp && touch $@

$(VENV)/dev.stamp: requirements-dev.lock | $(PY)
	$(call install,$<)
	@touch $(VENV)/demo.stamp $@

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Switchyard needs Python 3.11 or later; name one with PYTHON=… (Debian: apt install python3)."; exit 1; }
	@echo "Making the virtual environment $(VENV) …"
	@if uv --version >/dev/null 2>&1; then uv venv --quiet --clear --python "$$(command -v $(PYTHON))" $(VENV); \
	elif $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null; then $(PYTHON) -m venv --clear $(VENV); \
	else echo "Python cannot make virtual environments here. Debian: apt install python3-venv"; exit 1; fi

define install
	@echo "Installing $$(grep -c '==' $(1)) packages of $(1), each checked by its hash …"
	@if uv --version >/dev/null 2>&1; then uv pip sync --python $(PY) --require-hashes $(1); \
	else $(PY) -m pip install --disable-pip-version-check --require-hashes --requirement $(1) | { grep --line-buffered -E '^(Collecting|Installing|Successfully)' || true; }; fi
endef
