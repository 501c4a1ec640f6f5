"""Hostile arguments of every public function that is no query are refused by name, or kept."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
from collections.abc import Callable, Generator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast

import psycopg
import pytest

from taskdb import verbs
from taskdb.database import Database, connect_async
from taskdb.database.settings import Settings
from taskdb.errors import ValidationError
from taskdb.exchange import ReadOptions, read_plan
from taskdb.models.tasks import NewTask
from taskdb.models.workflows import NewStep, NewWorkflow
from taskdb.queries import tasks, workflows
from taskdb.query import Query
from taskdb.worker import Worker
from tests import fuzz
from tests.plans import Plan

# The modules that users import functions from; those of the queries have a fuzz of their own. Not
# here is what streams what it is given (`exchange.archive`) or takes what another function returned
# (`report.page`).
MODULES: Final = (
    "admin.diagrams",
    "admin.doctor",
    "admin.retention",
    "admin.seed",
    "database.connections",
    "database.connections_async",
    "database.roles",
    "database.settings",
    "database.workspaces",
    "events",
    "exchange",
    "exchange.beadswriter",
    "exchange.detection",
    "exchange.outgoing",
    "exchange.specfile",
    "exchange.taskmasterwriter",
    "health.exposition",
    "health.figures",
    "migrations",
    "report.collect",
    "testing.plans",
    "verbs.briefing",
    "verbs.planning",
    "verbs.work",
)
HELPERS: Final = ("verbs.briefing.within",)
# The annotations that were tried with values of many megabytes.
WEIGHED: Final[set[str]] = set()
NOWHERE: Final = "postgresql://nobody@127.0.0.1:1/nothing?connect_timeout=1"


@pytest.fixture
def known(plan: Plan, tmp_path: Path) -> dict[str, Any]:
    file = tmp_path / "issues.jsonl"
    file.write_text(json.dumps({"id": "b-1", "title": "One"}) + "\n")
    (tmp_path / "spec.md").write_text("# One\n")
    return {
        "key": plan.chore,
        "on": plan.build,
        "kind": "beads",
        "path": file,
        "conninfo": NOWHERE,
        "workspace": "taskdb",
        "folder": tmp_path / "migrations",
    }


@pytest.mark.parametrize("module", MODULES)
def test_hostile_argument_is_refused_by_name_or_kept(
    conn: psycopg.Connection[Any], shared_database_url: str, known: dict[str, Any], module: str
) -> None:
    try_hostile(conn, shared_database_url, known, module, fuzz.SHARE)


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_every_hostile_argument_is_refused_by_name_or_kept(
    conn: psycopg.Connection[Any], shared_database_url: str, known: dict[str, Any], module: str
) -> None:
    try_hostile(conn, shared_database_url, known, module, 1.0)


def try_hostile(
    conn: psycopg.Connection[Any], url: str, known: dict[str, Any], module: str, share: float
) -> None:
    conn.execute("set local statement_timeout = '10s'")

    @contextlib.contextmanager
    def undone() -> Generator[None]:
        with conn.transaction(force_rollback=True):
            yield

    with Database(url) as database:
        first = {"conn": conn, "database": database}
        attempts = (
            attempt
            for name, function in plain_functions(module)
            for attempt in fuzz.calls(name, function, first_of(function, first), known, WEIGHED)
        )
        wrong = [
            found for each in fuzz.some(attempts, share) if (found := fuzz.judge(each, undone))
        ]

    assert not wrong, "\n".join([f"seed {fuzz.SEED}, {share:.0%} of the calls", *wrong])


def plain_functions(module: str) -> list[tuple[str, Callable[..., Any]]]:
    found = fuzz.public_functions(importlib.import_module(f"taskdb.{module}"))
    named = [(f"{module}.{name}", each) for name, each in found if not isinstance(each, Query)]
    return [(name, each) for name, each in named if name not in HELPERS]


def first_of(function: Callable[..., Any], known: dict[str, Any]) -> Any:
    """Return what a function works on: a connection, a database, or nothing."""
    name = next(iter(inspect.signature(function).parameters), "")
    return known.get(name, ...)


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("agent", {"agent": "half \ud800"}),
        ("agent", {"agent": ""}),
        ("agent_type", {"agent_type": 7}),
        ("concurrency", {"concurrency": "2"}),
        ("concurrency", {"concurrency": 0}),
        ("lease", {"lease": timedelta.max}),
        ("leases", {"leases": {"coder": 60}}),
        ("leases", {"leases": [timedelta(1)]}),
        ("poll", {"poll": timedelta(0)}),
        ("timeout", {"timeout": 60}),
        ("drain", {"drain": timedelta.max}),
        ("handler", {"handler": "a:b"}),
        ("on_end", {"on_end": "a:b"}),
    ],
)
def test_worker_refuses_by_name(shared_database_url: str, field: str, arguments: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        Worker(
            **{"database": Database(shared_database_url), "handler": print, "agent": "a"}
            | arguments
        )

    assert (refused.value.field or "").startswith(field)


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("prefix", {"prefix": 7}),
        ("largest", {"largest": -1}),
        ("largest", {"largest": "1"}),
        ("edges", {"edges": [("a", "b")]}),
        ("edges", {"edges": {"a": 1}}),
        ("columns", {"columns": "title"}),
        ("rename_duplicates", {"rename_duplicates": 1}),
        ("zone", {"zone": "UTC"}),
    ],
)
def test_options_refuse_by_name(field: str, arguments: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        ReadOptions(**arguments)

    assert (refused.value.field or "").startswith(field)


def test_a_limit_beyond_the_memory_reserves_none(known: dict[str, Any]) -> None:
    options = ReadOptions(largest=2**62)

    assert read_plan("beads", known["path"], options=options).tasks[0].title == "One"


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("conninfo", {"conninfo": 7}),
        ("conninfo", {"conninfo": "x" * 20_000_000}),
        ("conninfo", {"conninfo": "nul \x00"}),
        ("workspace", {"workspace": "x" * 20_000_000}),
        ("workspace", {"workspace": 7}),
        ("pool_min", {"pool_min": "2"}),
        ("pool_min", {"pool_min": False}),
        ("pool_max", {"pool_max": True}),
        ("pool_timeout", {"pool_timeout": timedelta.max}),
        ("slow_query", {"slow_query": timedelta.min}),
        ("statement_timeout", {"statement_timeout": 60}),
        ("prepare", {"prepare": "off"}),
    ],
)
def test_settings_refuse_by_name(field: str, arguments: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.read(**{"conninfo": NOWHERE} | arguments)

    assert refused.value.field == field
    assert len(str(refused.value)) < 1000


def test_pool_refuses_by_name(shared_database_url: str) -> None:
    with Database(shared_database_url) as database:
        for attempts in (0, "3", True):
            with pytest.raises(ValidationError, match=r"^attempts must be"):
                database.retrying(lambda _conn: None, attempts=cast("int", attempts))
        for timeout in (5, timedelta.max, timedelta(-1)):
            refused = pytest.raises(ValidationError, match=r"^timeout must be")
            with refused, database.connection(timeout=cast("timedelta", timeout)):
                pass


def test_nothing_is_stored_of_a_text_where_a_list_is_asked(conn: psycopg.Connection[Any]) -> None:
    """`needs='ab'` was stored as the needs a and b."""
    steps = [
        NewStep(key="a", step_type="x"),
        NewStep(key="c", step_type="x", needs=cast("list[str]", "ab")),
    ]

    with pytest.raises(ValidationError, match=r"^steps\[1\].needs must be a list, not str"):
        workflows.create(conn, NewWorkflow(name="W"), steps)
    with pytest.raises(ValidationError, match=r"^after must be a list, not str"):
        verbs.add(conn, "T", after="ab")
    assert tasks.list_tasks(conn) == []


def test_an_iterator_is_read_once(conn: psycopg.Connection[Any]) -> None:
    made = tasks.create_many(conn, (NewTask(title=each) for each in "abc"))

    assert made.task_count == 3


async def test_a_coroutine_function_refuses_by_name() -> None:
    with pytest.raises(ValidationError, match=r"^conninfo must be a str"):
        await connect_async(cast("str", 7))
