"""Fixtures. Each test that needs a database gets one of two:

- `conn`, `aconn`: a connection inside a transaction that is rolled back; to commit is an error;
- `database_url`: a database of its own, a clone of the session's template, for tests that commit.

`plan` is a small plan in `conn`, `large_plan` a database of 10,000 tasks.

The server is TASKDB_TEST_URL's, else a container's, else the embedded one (tests/servers.py).
Nothing else of the environment is looked at.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import asdict
from typing import Any

import psycopg
import pytest
from psycopg import sql

from taskdb import migrations
from taskdb.database import connect, connect_async
from tests.plans import LargePlan, Plan, make_large_plan, make_plan
from tests.servers import Databases, forget_settings, make_url, open_databases

DATABASES = pytest.StashKey[Databases]()
CLEANUP = pytest.StashKey[contextlib.ExitStack]()

forget_settings(os.environ)


def pytest_configure(config: pytest.Config) -> None:
    # What a shell starts in the background ignores Ctrl-C, and so would all that tests start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.stash[CLEANUP] = contextlib.ExitStack()


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[CLEANUP].close()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Under xdist the controller opens the server, and tells its workers where it is."""
    node.workerinput["databases"] = asdict(_databases(node.config))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say which server the tests ran on; .ci/run looks for this line."""
    if DATABASES in config.stash:
        with config.stash[DATABASES].admin() as conn:
            (version,) = conn.execute("show server_version").fetchone() or ("?",)
        terminalreporter.write_line(f"server: PostgreSQL {version}")


def _databases(config: pytest.Config) -> Databases:
    if DATABASES not in config.stash:
        told = getattr(config, "workerinput", {}).get("databases")
        opened = (
            Databases(**told) if told else config.stash[CLEANUP].enter_context(open_databases())
        )
        config.stash[DATABASES] = opened
    return config.stash[DATABASES]


@pytest.fixture(scope="session")
def databases(request: pytest.FixtureRequest) -> Databases:
    """The databases of this run: make empty ones, clones and templates."""
    return _databases(request.config)


@pytest.fixture(scope="session")
def template(databases: Databases) -> str:
    """The name of the database in which all migrations were applied, in workspace taskdb."""
    return databases.template("migrated", _migrate)


def _migrate(url: str) -> None:
    migrations.up(url)


@pytest.fixture(scope="session")
def shared_database_url(databases: Databases, template: str) -> Generator[str]:
    """A worker's migrated database, for tests that leave it as it was."""
    url = databases.clone(template)
    yield url
    databases.drop(url)


@pytest.fixture
def database_url(databases: Databases, template: str) -> Generator[str]:
    """A migrated database of the test's own; the role in it is its owner and no superuser."""
    url = databases.clone(template)
    yield url
    databases.drop(url)


@pytest.fixture
def empty_database_url(databases: Databases) -> Generator[str]:
    """A database of the test's own with nothing in it."""
    url = databases.empty()
    yield url
    databases.drop(url)


@pytest.fixture
def conn(shared_database_url: str) -> Generator[psycopg.Connection]:
    """A connection to workspace taskdb in a transaction that is rolled back."""
    with connect(shared_database_url) as connection, connection.transaction(force_rollback=True):
        yield connection


@pytest.fixture
async def aconn(shared_database_url: str) -> AsyncGenerator[psycopg.AsyncConnection]:
    """The same, asynchronous."""
    connection = await connect_async(shared_database_url)
    async with connection, connection.transaction(force_rollback=True):
        yield connection


@pytest.fixture
def plan(conn: psycopg.Connection) -> Plan:
    """A small plan, made in `conn`; its keys. `make_plan` makes it in other connections."""
    return make_plan(conn)


@pytest.fixture(scope="session")
def large_template(databases: Databases, template: str) -> str:
    return databases.template("large", _fill, base=template)


def _fill(url: str) -> None:
    with connect(url) as connection:
        make_large_plan(connection)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("analyze")


@pytest.fixture
def large_plan(databases: Databases, large_template: str) -> Generator[LargePlan]:
    """A database of the test's own with 10,000 tasks, analyzed."""
    url = databases.clone(large_template)
    yield LargePlan(url)
    databases.drop(url)


@pytest.fixture
def make_role(databases: Databases, database_url: str) -> Generator[Callable[[], tuple[str, str]]]:
    """Make a role that may log in and nothing more; returns its name and its `database_url`."""
    made: list[str] = []

    def make() -> tuple[str, str]:
        name, password = f"{databases.run}_{secrets.token_hex(3)}", secrets.token_hex(8)
        create = sql.SQL("create role {} login password {}")
        with databases.admin() as admin:
            admin.execute(create.format(sql.Identifier(name), sql.Literal(password)))
        made.append(name)
        return name, make_url(database_url, user=name, password=password)

    yield make
    database = str(psycopg.conninfo.conninfo_to_dict(database_url)["dbname"])
    with databases.admin(database) as admin:
        for name in made:
            admin.execute(sql.SQL("drop owned by {}").format(sql.Identifier(name)))
            admin.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))
