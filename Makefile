# taskdb: `make help` prints these targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.made
BENCH_STAMP := .venv/.made-bench
AUDIT_STAMP := .venv/.made-audit
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Without compiled files each worker of pytest, and each program that a test starts, compiles taskdb again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## Print this list.
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Each file that is installed has a hash in requirements.txt; taskdb itself is built by what is installed.
$(STAMP): pyproject.toml constraints.txt requirements.txt
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --require-hashes --requirement requirements.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: setup
setup: $(STAMP) ## Make the environment in .venv.

.PHONY: demo
demo: $(STAMP) ## Import a plan and let four agents work it off. PLAN=path, RESET=1.
	$(BIN)/taskdb demo $(if $(PLAN),--plan '$(PLAN)') $(if $(RESET),--reset)

.PHONY: migrate
migrate: $(STAMP) ## Bring the database up to date.
	$(BIN)/taskdb migrate up

.PHONY: squash
squash: $(STAMP) ## Write the first migrations from sql/ (until 0.1.0; see CONTRIBUTING).
	$(BIN)/python -m taskdb.migrations.squash

.PHONY: rollback
rollback: $(STAMP) ## Take the newest workspace migration back. TO=revision for more; YES=1 does not ask.
	$(BIN)/taskdb migrate down $(TO) $(if $(YES),--yes)

.PHONY: test
test: $(STAMP) ## Run the tests of each change on one server (see TASKDB_TEST_URL). TESTS=folders.
	$(BIN)/pytest -n auto $(TESTS)

.PHONY: test-slow
test-slow: $(STAMP) ## Run the other tests: dear cases, several programs. TESTS=folders, PART=1/4.
	$(BIN)/pytest -n auto -m 'slow and not large and not timing and not mutants' $(if $(PART),--part $(PART)) $(TESTS)

.PHONY: test-large
test-large: $(STAMP) ## Run the tests that need a million rows.
	$(BIN)/pytest -m large

.PHONY: test-timing
test-timing: $(STAMP) ## Run the tests that compare a clock with a bar, one by one.
	$(BIN)/pytest -m timing

.PHONY: soak
soak: $(STAMP) ## Run random concurrent programs against a model, with faults. MINUTES=n, SEED=n.
	$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),10) --faults $(if $(SEED),--seed $(SEED))

.PHONY: mutants
mutants: $(STAMP) ## Show that the soak finds each known mutant within a minute.
	$(BIN)/pytest -m mutants tests/races/test_soak.py

.PHONY: coverage
coverage: $(STAMP) ## Run these and the slow ones; report what of taskdb/ they reach.
	$(BIN)/pytest -n auto -m 'not large and not timing and not mutants' --cov --cov-report=term

.PHONY: format
format: $(STAMP) ## Format the Python files and sort their imports.
	$(BIN)/ruff check --select I --fix --quiet .
	$(BIN)/ruff format --quiet .
	$(BIN)/python tools/sync.py

.PHONY: check-fast
check-fast: $(STAMP) ## What needs no database: ruff, sync, mypy. For the edit loop.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/python tools/sync.py --check
	$(BIN)/mypy

# Parts of their own, so that `make -j2 check` runs two at a time.
.PHONY: check
check: check-fast check-types check-sql check-queries ## ruff, sync, mypy, pyright, sqlfluff, squawk, taskdb check.

.PHONY: check-types
check-types: $(STAMP)
	$(BIN)/pyright

.PHONY: check-sql
check-sql: $(STAMP)
	$(BIN)/sqlfluff lint --quiet sql migrations bench/sql
	$(BIN)/squawk migrations/shared/*.sql migrations/workspace/*.sql

.PHONY: check-queries
check-queries: $(STAMP)
	$(BIN)/taskdb check

.PHONY: sync
sync: $(STAMP) ## Write the synchronous modules from the asynchronous ones.
	$(BIN)/python tools/sync.py

# What the bench compares with is not for those who only test.
$(BENCH_STAMP): $(STAMP)
	$(BIN)/pip install --quiet --editable '.[bench]'
	@touch $@

.PHONY: bench
bench: $(BENCH_STAMP) ## Compare with psycopg, SQLAlchemy, other queues: half an hour. BENCH_SECONDS=n.
	$(BIN)/python -m bench $(if $(BENCH_SECONDS),--seconds '$(BENCH_SECONDS)')

.PHONY: bench-short
bench-short: $(STAMP) ## Measure ratios in a minute; fail where one is far off. CI runs it.
	$(BIN)/python -m bench --short

$(AUDIT_STAMP): $(STAMP)
	$(BIN)/pip install --quiet --editable '.[audit]'
	@touch $@

.PHONY: lock
lock: $(AUDIT_STAMP) ## Write requirements.txt: the versions of constraints.txt with their hashes.
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header \
		--constraints constraints.txt --extra all --extra dev --output-file requirements.txt pyproject.toml

.PHONY: audit
audit: $(AUDIT_STAMP) ## Ask whether an installed version has a known weakness (needs the advisories of PyPI).
	$(BIN)/pip-audit --strict --disable-pip --require-hashes --requirement requirements.txt

.PHONY: docs
docs: $(STAMP) ## Write schema.md, lifecycle.md and privileges.md from the catalogue.
	$(BIN)/python -m taskdb.admin.docpages docs
	$(BIN)/python -m taskdb.admin.privileges docs/privileges.md

.PHONY: clean
clean: ## Stop the embedded server; remove it, the environment and all caches.
	-[ -x $(BIN)/taskdb ] && $(BIN)/taskdb db stop
	rm -rf .venv .taskdb .taskdb-bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
