"""Fixtures of the plugin. Each test that needs a database asks for one of two kinds:

- `taskdb_conn`, `taskdb_aconn`: a connection in a transaction that is rolled back; to commit is an
  error;
- `taskdb_url`, `taskdb_database`, `taskdb_async_database`: a database of the test's own, a clone
  of the session's template, for tests that commit.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import pytest

from taskdb.testing.hooks import databases_of, workspaces_of

if TYPE_CHECKING:
    from taskdb.database import AsyncConnection, AsyncDatabase, Connection, Database
    from taskdb.database.connections import GuardedConnection
    from taskdb.testing.databases import Databases

# anyio's plugin awaits plain ones, pytest-asyncio in its strict mode none but its own.
async_fixture = pytest.fixture
if not TYPE_CHECKING and find_spec("pytest_asyncio") is not None:
    from pytest_asyncio import fixture as async_fixture

__all__ = [
    "taskdb_aconn",
    "taskdb_async_database",
    "taskdb_conn",
    "taskdb_database",
    "taskdb_databases",
    "taskdb_empty_url",
    "taskdb_kept_connection",
    "taskdb_setup",
    "taskdb_shared_url",
    "taskdb_template",
    "taskdb_url",
    "taskdb_workspaces",
]

# Rolled back, each test leaves dead rows, and the throwaway server has no autovacuum: after some
# thousand of them the same statement takes ten times as long.
TESTS_A_VACUUM: Final = 100


@pytest.fixture(scope="session")
def taskdb_databases(pytestconfig: pytest.Config) -> Databases:
    """The databases of this run: make empty ones, clones and templates."""
    return databases_of(pytestconfig)


@pytest.fixture(scope="session")
def taskdb_workspaces(pytestconfig: pytest.Config) -> list[str]:
    """The workspaces of each database, by the ini option of that name."""
    return workspaces_of(pytestconfig)


@pytest.fixture(scope="session")
def taskdb_setup() -> Callable[[str], None] | None:
    """Override this to fill the template once: return a function that is given its URL."""
    return None


@pytest.fixture(scope="session")
def taskdb_template(
    taskdb_databases: Databases,
    taskdb_workspaces: list[str],
    taskdb_setup: Callable[[str], None] | None,
) -> str:
    """The name of the database that is cloned: all migrations, then what `taskdb_setup` does."""
    from taskdb.testing.databases import migrate

    def build(url: str) -> None:
        migrate(url, taskdb_workspaces)
        if taskdb_setup is not None:
            taskdb_setup(url)

    return taskdb_databases.template("migrated", build)


@pytest.fixture(scope="session")
def taskdb_shared_url(taskdb_databases: Databases, taskdb_template: str) -> Generator[str]:
    """The clone of one worker, for tests that leave it as it was."""
    url = taskdb_databases.clone(taskdb_template)
    yield url
    taskdb_databases.drop(url)


@pytest.fixture
def taskdb_url(taskdb_databases: Databases, taskdb_template: str) -> Generator[str]:
    """A clone of the test's own; the role in its URL owns it and is no superuser."""
    url = taskdb_databases.clone(taskdb_template)
    yield url
    taskdb_databases.drop(url)


@pytest.fixture
def taskdb_empty_url(taskdb_databases: Databases) -> Generator[str]:
    """A database of the test's own with nothing in it."""
    url = taskdb_databases.empty()
    yield url
    taskdb_databases.drop(url)


class KeptConnection:
    """The connection that a worker's tests have in turn, while it is between them.

    A new session reads the catalogue and compiles each trigger function again, which takes longer
    than most tests.
    """

    def __init__(self) -> None:
        self.conn: GuardedConnection | None = None
        self._uses = 0

    def put(self, conn: GuardedConnection) -> None:
        from taskdb.queries.admin import testing

        self._uses += 1
        if self._uses % TESTS_A_VACUUM == 0:
            conn.set_autocommit(True)
            testing.vacuum(conn)
            conn.set_autocommit(False)
        self.conn = conn


@pytest.fixture(scope="session")
def taskdb_kept_connection() -> Generator[KeptConnection]:
    """The one connection of `taskdb_conn`, between tests."""
    kept = KeptConnection()
    yield kept
    if kept.conn is not None:
        kept.conn.close()


@pytest.fixture
def taskdb_conn(
    taskdb_shared_url: str,
    taskdb_workspaces: list[str],
    taskdb_kept_connection: KeptConnection,
) -> Generator[Connection]:
    """A connection in a transaction that is rolled back."""
    from taskdb.database.connections import open_connection
    from taskdb.database.settings import Settings
    from taskdb.testing.adaptation import adaptation_of

    conn, taskdb_kept_connection.conn = taskdb_kept_connection.conn, None
    if conn is None:
        conn = open_connection(Settings.read(taskdb_shared_url, workspace=taskdb_workspaces[0]))
    adaptation = adaptation_of(conn)
    try:
        with conn.transaction(force_rollback=True):
            yield conn
        conn.reset()
    except BaseException:
        conn.close()
        raise
    # The next test is to know no types, loaders or dumpers that this one registered.
    if not conn.closed and adaptation_of(conn) == adaptation:
        taskdb_kept_connection.put(conn)
    else:
        conn.close()


@async_fixture
async def taskdb_aconn(
    taskdb_shared_url: str, taskdb_workspaces: list[str]
) -> AsyncGenerator[AsyncConnection]:
    """The same, asynchronous."""
    from taskdb.database import connect_async

    conn = await connect_async(taskdb_shared_url, workspace=taskdb_workspaces[0])
    async with conn, conn.transaction(force_rollback=True):
        yield conn


@pytest.fixture
def taskdb_database(taskdb_url: str, taskdb_workspaces: list[str]) -> Generator[Database]:
    """A pool on a database of the test's own."""
    from taskdb.database import Database

    with Database(taskdb_url, workspace=taskdb_workspaces[0]) as database:
        yield database


@async_fixture
async def taskdb_async_database(
    taskdb_url: str, taskdb_workspaces: list[str]
) -> AsyncGenerator[AsyncDatabase]:
    """The same, for asyncio."""
    from taskdb.database import AsyncDatabase

    async with AsyncDatabase(taskdb_url, workspace=taskdb_workspaces[0]) as database:
        yield database
