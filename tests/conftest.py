"""Fixtures: those of `taskdb.testing` by shorter names, and the plans of these tests.

The server is TASKDB_TEST_URL's, else a container's, else the embedded one. Nothing else of the
environment is looked at.
"""

from __future__ import annotations

import gc
import os
import secrets
import signal
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from zlib import crc32

import psycopg
import pytest

from taskdb import testing
from taskdb.database import connect
from taskdb.testing.databases import Databases
from tests.made_roles import making_roles
from tests.plans import LargePlan, Plan, make_large_plan, make_plan
from tests.servers import container, docker_answers, embedded, forget_settings

# Also where taskdb was installed before it had the entry point.
pytest_plugins = ["taskdb.testing"]

databases = testing.taskdb_databases
template = testing.taskdb_template
shared_database_url = testing.taskdb_shared_url
database_url = testing.taskdb_url
empty_database_url = testing.taskdb_empty_url
conn = testing.taskdb_conn
aconn = testing.taskdb_aconn

forget_settings(os.environ)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--part", metavar="N/M", type=part, help="run only the N-th of M parts of the tests"
    )


def part(text: str) -> tuple[int, int]:
    """Read "2/4". Raises ValueError, which pytest reports, for what is no part."""
    number, parts = (int(word) for word in text.split("/"))
    if not 1 <= number <= parts:
        raise ValueError(text)
    return number, parts


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.option.part is None:
        return
    number, parts = config.option.part
    others = [item for item in items if crc32(item.nodeid.encode()) % parts != number - 1]
    left_out = set(others)
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=others)


def pytest_configure() -> None:
    # Programs that a shell starts in the background ignore Ctrl-C, and so would all that tests
    # start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # The workers of xdist have the same.
    os.environ.setdefault("TASKDB_FUZZ_SEED", str(secrets.randbits(32)))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let the garbage collector rest while thousands of tests are made, which are no garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_report_header() -> str:
    """Say how the random queries of this run are had again."""
    return f"fresh seed: TASKDB_FUZZ_SEED={os.environ['TASKDB_FUZZ_SEED']}"


def pytest_taskdb_server() -> AbstractContextManager[str]:
    return container() if docker_answers() else embedded()


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
    with making_roles(databases, database_url) as make:
        yield make
