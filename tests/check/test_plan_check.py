"""The plan check: on data a twentieth of the whole, every shipped query keeps its plan.

Each mutation takes one index away, or is a query that should not have been written; the check
must name it. `make test-large` looks at all million tasks.
"""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import psycopg
import pytest

from taskdb import queries
from taskdb.admin import dataset, seed
from taskdb.cli.common import queries_of
from taskdb.cli.plans import FULL_SIZE
from taskdb.database import connect
from taskdb.models import types
from taskdb.queries.admin import datasets
from taskdb.query import Queries
from taskdb.query.check import plans
from taskdb.query.check.samples import find_arguments
from taskdb.testing.databases import Databases
from tests.command_line import Caller

# `taskdb check`, which `make check` runs, looks at the plans as well.
pytestmark = pytest.mark.slow

TASKS = 50_000
SCALE = TASKS / FULL_SIZE


Connection = psycopg.Connection[Any]
Probe = Callable[[str, str], list[str]]


def fill(url: str) -> None:
    with connect(url) as conn:
        list(seed.steps(conn, tasks=TASKS))
        conn.commit()
        conn.autocommit = True
        datasets.vacuum(conn)


@pytest.fixture(scope="session")
def much_data(databases: Databases, template: str) -> Generator[str]:
    url = databases.clone(databases.template("much_data", fill, base=template))
    yield url
    databases.drop(url)


@pytest.fixture
def data(much_data: str) -> Generator[Connection]:
    """Return a connection to much data, in a transaction that is rolled back."""
    with connect(much_data) as conn, conn.transaction(force_rollback=True):
        yield conn


def found(conn: Connection, *names: str) -> list[str]:
    chosen = [queries.query[name] for name in names]
    return [str(finding) for finding in plans.check(conn, chosen, scale=SCALE).findings]


def test_the_shipped_queries_have_the_plans_they_are_meant_to_have(
    much_data: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole check, as the command runs it; only the data are at hand already."""
    monkeypatch.setattr(dataset, "prepare", lambda *_, **__: much_data)
    monkeypatch.setenv("TASKDB_WORKSPACE", "elsewhere")
    done = Caller(capsys, much_data)("check", "plans", "--tasks", str(TASKS), "--json")

    assert [(row["query"], row["variant"], row["message"]) for row in done.data["plans"]] == []
    assert done.status == 0
    assert {"tasks.count_by_status", "doctor.wrong_counts"} <= {
        each["query"] for each in done.data["exemptions"]
    }


def test_nothing_is_left_behind(data: Connection) -> None:
    before = data.execute("select name, setting from pg_settings order by name").fetchall()
    found(data, "tasks.get", "tasks.create")

    after = data.execute("select name, setting from pg_settings order by name").fetchall()
    assert after == before
    assert data.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)
    assert data.execute("select count(*) from tasks").fetchone() == (TASKS,)


# An index, and a query that cannot do without.
INDEXES = [
    ("tasks_open_in_order", "tasks.list_ready"),
    ("tasks_by_status", "tasks.list_failed"),
    ("tasks_by_workflow", "tasks.list_tasks"),
    ("tasks_open_in_order", "tasks.list_blocked"),
    ("task_details_by_parent", "tasks.hierarchy"),
    ("task_details_by_creation", "tasks.list_tasks"),
    ("task_details_by_feature", "features.progress"),
    ("task_details_by_assigned_agent", "tasks.list_tasks"),
    ("task_history_by_time", "history.recent"),
    ("task_history_by_time", "history.list_by_agent"),
    ("task_search_by_trigrams", "tasks.find_similar"),
    ("task_dependencies_by_blocker", "dependencies.dependents_of"),
    ("task_details_by_label", "tasks.list_tasks"),
    ("subtasks_in_order", "subtasks.list_subtasks"),
]


@pytest.mark.parametrize(("index", "name"), INDEXES, ids=[f"{a}-{b}" for a, b in INDEXES])
def test_dropped_index_is_missed(data: Connection, index: str, name: str) -> None:
    assert found(data, name) == []
    data.execute(f"drop index {index}".encode())

    assert any(index in finding and "no index" in finding for finding in found(data, name))


def test_lost_order_of_an_index_is_found_by_what_the_plan_does(data: Connection) -> None:
    data.execute("drop index task_history_by_time")
    data.execute("create index task_history_by_time on task_history (task_id, created_at)")

    findings = plans.check(data, [queries.query["history.recent"]], scale=SCALE).findings

    assert any("sorts about" in finding.message for finding in findings), findings
    assert all(finding.where.startswith("sql/queries/history.sql:") for finding in findings)


@pytest.fixture
def probe(data: Connection, tmp_path: Path) -> Probe:
    """Return a function from a statement and a stub to what the plan check says of them."""

    def probe(sql: str, stub: str) -> list[str]:
        (tmp_path / "area.sql").write_text(f"-- name: probe\n{textwrap.dedent(sql).strip()}\n")
        query = Queries(tmp_path)
        exec(
            f"@query(file='area')\ndef probe({stub}: ...\n",
            {**vars(types), "UUID": UUID, "Literal": Literal, "query": query, "__name__": __name__},
        )
        return [str(finding) for finding in plans.check(data, query, scale=SCALE).findings]

    return probe


KEY = "-- plan: tasks_key_is_unique\n"
CREATION = "-- plan: task_details_by_creation\n"

# A statement, its stub, and what the finding must say; None: its plan is a good one.
PROBES: list[tuple[str, str, str | None]] = [
    (KEY + "select title from tasks where key = :key;", "key: str) -> str", None),
    (
        "select title from tasks where key = :key;",
        "key: str) -> str",
        "has no -- plan: line, and reads tasks",
    ),
    (
        "select title from tasks where error_message = :message;",
        "message: str) -> list[str]",
        "custom]: reads table tasks whole, about 50,000 rows",
    ),
    (
        KEY + "select title from tasks where upper(key) = :key;",
        "key: str) -> list[str]",
        "does not use tasks_key_is_unique; of indexes it uses none",
    ),
    (
        "-- plan: task_history_by_time\n"
        "select note from task_history where created_at > now() - interval '20 days'"
        " order by note limit :limit;",
        "limit: int = 10) -> list[str | None]",
        "custom]: sorts about",
    ),
    # A filter that is always there: only a plan without arguments shows what it costs.
    (
        KEY + "select title from tasks where (:key::text is null or key = :key);",
        "key: str) -> list[str]",
        "[generic]: reads table tasks whole",
    ),
    # A page of an index in order is a page; all of it is all of it.
    (
        CREATION
        + "select task_id from task_details order by created_at desc, task_id desc limit :limit;",
        "limit: int = 50) -> list[UUID]",
        None,
    ),
    (
        CREATION + "select task_id from task_details order by created_at desc, task_id desc;",
        ") -> list[UUID]",
        "whole",
    ),
    (
        "-- plan: task_dependencies_pkey\n"
        "select max(edge.created_by) from task_dependencies as edge\n"
        "group by edge.task_id, edge.depends_on_id\nhaving count(*) > 1;",
        ") -> list[str | None]",
        "whole",
    ),
    (
        "-- plan: tasks_key\nselect title from tasks where key = :key;",
        "key: str) -> str",
        "there is no index tasks_key",
    ),
    (
        "-- plan: by key, quickly\nselect title from tasks where key = :key;",
        "key: str) -> str",
        "is not understood",
    ),
    # Alternatives, over two lines; and all of several lines.
    (
        "-- plan: tasks_pkey,\n-- plan: tasks_key_is_unique\n"
        "select title from tasks where key = :key;",
        "key: str) -> str",
        None,
    ),
    (
        "-- plan: tasks_pkey\n-- plan: tasks_key_is_unique\n"
        "select title from tasks where key = :key;",
        "key: str) -> str",
        "does not use tasks_pkey",
    ),
    # Deliberate findings are printed with their reason.
    ("-- plan: allow full-scan: it counts\nselect count(*) from tasks;", ") -> int", None),
    ("-- plan: allow full-scan\nselect count(*) from tasks;", ") -> int", "gives no reason"),
    (
        "-- plan: allow sort: a test\n-- plan: task_details_by_assigned_agent\n"
        "select description from task_details where assigned_agent = :agent"
        " order by description limit :limit;",
        "agent: str, limit: int = 10) -> list[str | None]",
        None,
    ),
    (
        "-- plan: allow sort: a test\nselect title from tasks order by title;",
        ") -> list[str]",
        "whole",
    ),
    (
        "-- plan: allow full-scan without :key: all were asked for\n"
        "select title from tasks where true\n    and key = :key;  -- if :key",
        "key: str | None = None) -> list[str]",
        None,
    ),
    (
        "-- plan: allow full-scan without :key: all were asked for\n"
        "select title from tasks where true\n    and upper(key) = :key;  -- if :key",
        "key: str | None = None) -> list[str]",
        "[with :key, custom]: reads table tasks whole",
    ),
    (
        "-- plan: allow full-scan with :title: there is no index of it\n"
        "select title from tasks where true\n    and title = :title  -- if :title\n"
        "    and key = :key  -- if not :title\n;",
        "key: str, title: str | None = None) -> list[str]",
        None,
    ),
    (
        "-- plan: allow full-scan with :title :other: both are needed\n"
        "select title from tasks where true\n    and title = :title  -- if :title\n"
        "    and key = :key  -- if not :title\n;",
        "key: str, title: str | None = None) -> list[str]",
        "[with :title, custom]: reads table tasks whole",
    ),
    (
        CREATION
        + "-- plan: allow sort without :by = newest: there is no index of it\n"
        + "-- plan: allow full-scan without :by = newest: all are compared\n"
        + "select task_id from task_details\norder by\n    description,   -- if :by = text\n"
        + "    created_at desc,   -- if :by = newest\n    task_id desc\nlimit 10;",
        "by: Literal['text', 'newest']) -> list[UUID]",
        "[with :by = text, custom]: does not use task_details_by_creation",
    ),
    (
        CREATION
        + "select task_id from task_details\norder by\n    created_at desc,   -- if :by = newest\n"
        + "    task_id desc\nlimit 10;",
        "by: Literal['newest']) -> list[UUID]",
        None,
    ),
    (
        CREATION
        + "select task_id from task_details\norder by\n    description,   -- if :by = text\n"
        + "    created_at desc,   -- if :by = newest\n    task_id desc\nlimit 10;",
        "by: Literal['text', 'newest']) -> list[UUID]",
        "[with :by = text, custom]: reads table task_details whole",
    ),
    ("-- plan: tasks_pkey\ndelete from tasks where id = :id;", "id: UUID) -> int", None),
    (
        "delete from tasks where title = :title;",
        "title: str) -> int",
        "reads table tasks whole",
    ),
    ("select 1 as one;", ") -> int", None),
]


@pytest.mark.parametrize(("sql", "stub", "expected"), PROBES)
def test_plan_of_a_query_is_judged(probe: Probe, sql: str, stub: str, expected: str | None) -> None:
    findings = probe(sql, stub)

    if expected is None:
        assert findings == []
    else:
        assert any(expected in finding for finding in findings), findings


def test_the_same_in_many_plans_is_said_once(probe: Probe) -> None:
    (finding,) = probe(
        "-- plan: tasks_to_claim, tasks_by_status, tasks_by_lease, tasks_pkey\n"
        "select title from tasks where upper(title) = :title\n"
        "    and status = :status  -- if :status\n;",
        "title: str, status: TaskStatus | None = None) -> list[str]",
    )[:1]

    assert "more of its plans" in finding


def test_line_that_allows_what_is_not_done_is_found_on_the_whole_data_set(
    data: Connection, tmp_path: Path
) -> None:
    (tmp_path / "area.sql").write_text(
        "-- name: by_key\n-- plan: allow full-scan: for show\n-- plan: features_pkey, tasks_pkey, "
        "tasks_key_is_unique\nselect title from tasks where key = :key;\n"
    )
    query = Queries(tmp_path)

    @query(file="area")
    def by_key(*, key: str) -> str: ...

    messages = [finding.message for finding in plans.check(data, query).findings]

    assert "its line -- plan: allow full-scan allows what it does not do" in messages
    assert "no plan of it uses features_pkey, which its -- plan: line names" in messages
    assert len(messages) == 2


def test_exemptions_are_listed_with_their_reasons(data: Connection) -> None:
    report = plans.check(data, [queries.query["tasks.count_by_status"]], scale=SCALE)

    (exemption,) = report.exemptions
    assert (exemption.query, exemption.allows) == ("tasks.count_by_status", "allow full-scan")
    assert exemption.reason
    assert (report.query_count, report.plan_count) == (1, 1)


def test_arguments_are_values_that_the_compared_columns_have(data: Connection) -> None:
    names = ("tasks.list_tasks", "tasks.update", "projects.update")
    described = plans.described(data, [queries.query[name] for name in names])
    given = find_arguments(data, described)

    listed = given["tasks.list_tasks"]
    assert listed.frequent["status"] == "completed"
    assert listed.rare["status"] != "completed"
    assert listed.frequent["limit"] == "50"
    assert listed.frequent["due_by"] > "2000"
    assert listed.frequent["agent_type"] == "coder"
    assert listed.frequent["assigned_agent"].startswith("agent-")
    assert given["tasks.update"].frequent["key"].startswith("TASK-")
    # A domain over an array takes an array of what the column's arrays have.
    assert given["projects.update"].frequent["dependencies"] == '{"package-1"}'


def test_arguments_that_nothing_is_known_of_are_what_their_domain_accepts(
    data: Connection, tmp_path: Path
) -> None:
    sql = tmp_path / "area.sql"
    sql.write_text("-- name: show\nselect cast(:options as shared.option_list) as shown;\n")
    query = Queries(tmp_path)

    @query(file="area")
    def show(options: list[dict[str, str]]) -> list[object]: ...

    given = find_arguments(data, plans.described(data, [show]))

    assert given["area.show"].frequent["options"] == "[]"


def test_arguments_of_a_search_are_words_that_many_rows_have(
    data: Connection, tmp_path: Path
) -> None:
    (tmp_path / "area.sql").write_text(
        "-- name: find\n-- plan: task_search_by_words\nselect task_id from task_search"
        " where document @@ websearch_to_tsquery('pg_catalog.english', :words);\n"
    )
    query = Queries(tmp_path)

    @query(file="area")
    def find(words: str) -> list[UUID]: ...

    given = find_arguments(data, plans.described(data, [find]))

    word = given["area.find"].frequent["words"]
    hits = "select count(*) from task_search where document @@ plainto_tsquery('english', $1)"
    row = data.execute(hits, [word]).fetchone()
    assert row is not None
    assert row[0] > TASKS / 100


def test_data_set_is_kept_and_a_stale_one_dropped(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKDB_WORKSPACE", "elsewhere")
    url, prefix = databases.admin_url, f"{databases.run}_plans"
    told: list[str] = []

    def prepare(tasks: int) -> str:
        return dataset.prepare(url, tasks=tasks, prefix=prefix, show=told.append)

    with databases.admin() as conn:
        conn.execute(f"create database {prefix}_0123456789ab_40".encode())
        made = prepare(40)
        names = [each.name for each in datasets.list_datasets(conn, prefix=prefix)]
        first = list(told)
        told.clear()

        assert prepare(40) == made
        assert told == []
        assert first[0] == f"dropping {prefix}_0123456789ab_40, which is stale"
        assert names == [f"{prefix}_{dataset.fingerprint()}_40"]
        with connect(made, workspace="taskdb") as own:
            assert own.execute("select count(*) from tasks").fetchone() == (40,)


def test_command_prints_findings_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finding = plans.PlanFinding(
        "a.b", "a.sql:1:1", "with :c", "generic", "sorts much", "Sort less", 2
    )
    exemption = plans.Exemption("a.c", "a.sql:9:1", "full-scan", "it counts")
    report = plans.PlanReport([finding], [exemption], 2, 6)
    monkeypatch.setattr("taskdb.cli.check.plan_report", lambda *_: report)

    done = Caller(capsys, "postgresql:///nowhere")("check", "plans")

    assert done.status == 1
    assert done.out.splitlines() == [
        "plans: 1 finding",
        "  a.sql:1:1: a.b [with :c, generic]: sorts much, as 2 more of its plans. Sort less.",
        "6 plans of 2 queries; exemptions, each with its reason: 1",
        "  a.sql:9:1: a.c: full-scan: it counts",
    ]


@pytest.mark.large
def test_plans_of_a_million_tasks(databases: Databases) -> None:
    began = time.monotonic()
    url = dataset.prepare(databases.admin_url, tasks=FULL_SIZE, prefix=f"{databases.run}_plans")
    built = time.monotonic()
    with connect(url) as conn:
        report = plans.check(conn, [query for each in queries_of(None) for query in each])
    print(f"\nbuilt in {built - began:.0f} s, checked in {time.monotonic() - built:.1f} s")

    assert [str(finding) for finding in report.findings] == []
