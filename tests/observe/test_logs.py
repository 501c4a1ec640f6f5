"""Loggers, a part each: slow queries by name, structured fields, and no secret anywhere."""

from __future__ import annotations

import ast
import logging
import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg_pool import PoolTimeout

from taskdb import AsyncDatabase, Database
from taskdb.database.settings import Settings
from taskdb.errors import DatabaseError, ValidationError
from taskdb.queries import claims, tasks

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "taskdb"
PAGE = ROOT / "docs" / "operations.md"
LEVELS = {"debug", "info", "warning", "error", "exception"}
SLOW = timedelta(seconds=0.1)
LIMIT = timedelta(seconds=0.2)
# Lines of text for people, a line a step: the command line prints them.
PLAIN = {"taskdb.migrations"}


@pytest.fixture
def slow_server(database_url: str) -> Iterator[Callable[[], None]]:
    """Something in the way of whoever writes to tasks, until it is called."""
    with psycopg.connect(database_url) as conn:
        conn.execute("lock table taskdb.tasks in access exclusive mode")
        yield conn.rollback


def slow(caplog: pytest.LogCaptureFixture, query: str) -> list[logging.LogRecord]:
    """Return the records of a slow query; on a busy machine others may be slow too."""
    records = [record for record in caplog.records if record.name == "taskdb.query"]
    return [record for record in records if record.__dict__["query"] == query]


@pytest.mark.slow
def test_slow_query_is_named_with_its_duration(
    database_url: str, caplog: pytest.LogCaptureFixture, slow_server: Callable[[], None]
) -> None:
    with (
        Database(database_url, slow_query=SLOW, statement_timeout=LIMIT) as db,
        db.connection() as conn,
    ):
        start = time.monotonic()
        with pytest.raises(psycopg.errors.QueryCanceled):
            tasks.get_by_key(conn, "s3cret")
        elapsed = time.monotonic() - start

    (record,) = slow(caplog, "tasks.get_by_key")
    assert record.levelno == logging.WARNING
    fields = record.__dict__
    assert fields["query"] == "tasks.get_by_key"
    assert fields["where"] == tasks.get_by_key.where
    seconds = fields["duration_seconds"]
    assert SLOW.total_seconds() < seconds <= elapsed
    assert record.getMessage() == f"tasks.get_by_key took {seconds:.3f} s"
    assert "s3cret" not in repr(fields)


@pytest.mark.slow
async def test_slow_query_on_an_asynchronous_connection_is_named(
    database_url: str, caplog: pytest.LogCaptureFixture, slow_server: Callable[[], None]
) -> None:
    with pytest.raises(psycopg.errors.QueryCanceled):
        async with (
            AsyncDatabase(database_url, slow_query=SLOW, statement_timeout=LIMIT) as db,
            db.connection() as conn,
        ):
            await claims.claim_next(conn, agent="dev-1")

    assert len(slow(caplog, "claims.claim_next")) == 1


def test_slow_batch_and_stream_are_named(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Database(database_url) as db, db.connection() as conn:
        rows = [tasks.get_by_key.row(key=f"T-{number}") for number in range(2)]
        for number in range(2):
            tasks.create(conn, key=f"T-{number}", title="one")
        caplog.clear()
        # From now on everything is slow.
        conn.slow_seconds = 0.0  # type: ignore[attr-defined]
        tasks.get_by_key.batch(conn, rows)
        list(tasks.list_ready.stream(conn))

    (batch,) = slow(caplog, "tasks.get_by_key")
    assert batch.__dict__["rows"] == 2
    assert len(slow(caplog, "tasks.list_ready")) == 1


def test_query_is_slow_from_a_second_on_unless_the_setting_says_otherwise(
    database_url: str,
) -> None:
    with Database(database_url) as db, db.connection() as conn:
        assert conn.slow_seconds == 1.0  # type: ignore[attr-defined]
    with Database(database_url, slow_query=timedelta(0)) as db, db.connection() as conn:
        assert conn.slow_seconds is None  # type: ignore[attr-defined]

    assert Settings.read("host=h", environ={}).slow_query == timedelta(seconds=1)
    given = Settings.read("host=h", environ={"DB_SLOW_QUERY": "250"})
    assert given.slow_query == timedelta(milliseconds=250)
    with pytest.raises(ValidationError, match="DB_SLOW_QUERY"):
        Settings.read("host=h", environ={"DB_SLOW_QUERY": "soon"})


def test_pool_tells_when_it_opens_closes_and_runs_dry(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "taskdb.pool")
    with (
        Database(database_url, pool_min=1, pool_max=1) as db,
        db.connection(),
        pytest.raises(PoolTimeout),
        db.connection(timeout=timedelta(milliseconds=50)),
    ):
        pass

    records = [record for record in caplog.records if record.name == "taskdb.pool"]
    assert [record.getMessage().partition(" ")[0] for record in records] == [
        "opened",
        "no",
        "closed",
    ]
    assert {record.__dict__["pool"] for record in records} == {db.settings.pool_name}
    assert records[1].__dict__["in_use"] == 1


def test_no_record_has_the_password(
    make_role: Callable[[], tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    _, url = make_role()
    password = psycopg.conninfo.conninfo_to_dict(url)["password"]
    with Database(url, check_schema=False) as db, db.connection() as conn:
        conn.execute("select pg_sleep(0.01)")
    wrong = make_conninfo(url, password=f"{password}-wrong", user="nobody-of-that-name")
    with pytest.raises(DatabaseError), Database(wrong):
        pass
    with pytest.raises(DatabaseError), Database(make_conninfo(url, host="localhost", port=1)):
        pass

    assert caplog.records
    for record in caplog.records:
        assert str(password) not in f"{record.getMessage()} {record.__dict__}"


# The code and the page


def calls_of_loggers() -> Iterator[tuple[str, str, ast.Call]]:
    """Yield the place, the logger's name and each call that logs something."""
    for path in sorted(PACKAGE.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
        named = re.search(r'^logger = logging\.getLogger\("([\w.]+)"\)', source, re.MULTILINE)
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="logger"), attr=attr)) if (
                    attr in LEVELS
                ):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", named[1] if named else "", node


def loggers() -> set[str]:
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        found |= set(re.findall(r'logging\.getLogger\("(taskdb[\w.]*)"\)', source))
        if "getLogger(__name__)" in source:
            parts = path.relative_to(ROOT).with_suffix("").parts
            found.add(".".join(parts).removesuffix(".__init__"))
    return found


@pytest.mark.slow
def test_every_record_has_fields() -> None:
    without = [
        place
        for place, _, call in calls_of_loggers()
        if not any(keyword.arg == "extra" for keyword in call.keywords)
    ]

    assert without == []


def test_page_names_every_logger() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert set(re.findall(r"^\| `(taskdb\.\w+)` \|", page, re.MULTILINE)) == loggers()
