"""Refusals of the database itself: dry runs and strict imports know them, and ask again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from taskdb.errors import ValidationError
from taskdb.exchange import ImportRefusedError, Report, import_plan, read_plan
from taskdb.models.types import TaskStatus
from taskdb.queries import dependencies, tasks
from tests.exchange.beads_lines import issue, on
from tests.exchange.loading import dump
from tests.exchange_files import write_lines

Conn = psycopg.Connection[Any]
Take = Callable[..., Report]
CYCLE = (
    "issues.jsonl:1: refused dependency bd-1: on bd-2: closes the cycle "
    "bd-2 -> bd-1 -> bd-2 with edges made here"
)
LOOP = "issues.jsonl:2: refused parent bd-2: bd-1 is a part of it here; it has no parent now"


@pytest.fixture
def take(conn: Conn, tmp_path: Path) -> Take:
    """Import a beads file of these issues, always at the same path."""

    def take(*issues: dict[str, Any], **options: Any) -> Report:
        return import_plan(
            conn, "beads", write_lines(tmp_path / "issues.jsonl", *issues), **options
        )

    return take


@pytest.fixture
def looping(conn: Conn, take: Take) -> tuple[dict[str, Any], ...]:
    """Two issues of a file, which now says the opposite of what was said here meanwhile."""
    take(issue(1), issue(2))
    dependencies.add_dependency(conn, task="bd-2", depends_on="bd-1")
    parent = tasks.get_by_key(conn, key="bd-2").id
    tasks.update(conn, key="bd-1", parent_id=parent)
    return issue(1, title="New", dependencies=[on("bd-2")]), issue(2, parent="bd-1")


def found(report: Report) -> list[str]:
    return [finding.as_text() for finding in report.findings]


def test_a_dry_run_reports_what_the_import_then_reports(
    conn: Conn, take: Take, looping: tuple[dict[str, Any], ...]
) -> None:
    before = dump(conn)

    dry = take(*looping, dry_run=True)

    assert dump(conn) == before
    real = take(*looping)
    assert found(dry) == found(real) == [LOOP, CYCLE]
    assert {**dry.as_dict(), "remarks": []} == {**real.as_dict(), "remarks": []}
    assert [change.as_text() for change in real.changes] == [
        "changed bd-1 title: 'Issue 1' -> 'New'"
    ]
    assert (real.updated, real.unchanged) == ({"tasks": 1, "fields": 1}, {"tasks": 1})


def test_a_strict_import_takes_nothing_then(
    conn: Conn, take: Take, looping: tuple[dict[str, Any], ...]
) -> None:
    before = dump(conn)

    with pytest.raises(ImportRefusedError) as caught:
        take(*looping, strict=True)

    assert dump(conn) == before
    assert found(caught.value.report) == [LOOP, CYCLE]
    assert caught.value.report.remarks == ["strict: nothing was imported"]


def test_an_edge_that_was_refused_is_taken_when_it_closes_no_cycle_any_more(
    conn: Conn, take: Take, looping: tuple[dict[str, Any], ...]
) -> None:
    take(*looping)
    assert found(take(*looping)) == [LOOP, CYCLE]
    dependencies.remove_dependency(conn, task="bd-2", depends_on="bd-1")
    tasks.update(conn, key="bd-1", parent_id=None)

    report = take(*looping)

    assert not report.findings
    assert {change.field for change in report.changes} == {"parent", "waits for bd-2"}
    assert tasks.get_by_key(conn, key="bd-1").status is TaskStatus.BLOCKED
    assert not take(*looping).changes


@pytest.fixture
def table(conn: Conn, tmp_path: Path) -> Take:
    """Import a table of these rows, always at the same path."""

    def table(*rows: str) -> Report:
        path = tmp_path / "plan.csv"
        path.write_text("\n".join(("key,title,status,blocked by", *rows, "")))
        return import_plan(conn, "csv", path)

    return table


def state(conn: Conn, key: str) -> tuple[str, str | None]:
    task = tasks.get_by_key(conn, key=key)
    return task.status.value, task.blocked_reason


LOST = "waits for a, which the file does not have"


def test_nothing_waits_for_a_task_that_was_done_before_the_file_lost_it(
    conn: Conn, table: Take
) -> None:
    table("a,A,done,", "c,C,open,")

    table("b,B,open,a", "c,C,open,a")

    assert state(conn, "b") == state(conn, "c") == ("pending", None)


def test_what_waits_for_a_lost_task_is_let_go_when_that_is_done_here(
    conn: Conn, table: Take
) -> None:
    table("a,A,open,")
    table("b,B,open,a")
    assert state(conn, "b") == ("blocked", LOST)

    tasks.update_status(conn, key="a", status=TaskStatus.COMPLETED, agent="ann", force=True)
    table("b,B,open,a")

    assert state(conn, "b") == ("pending", None)


def test_what_waits_for_a_pruned_task_stays_on_hold_however_often_it_is_imported(
    conn: Conn, tmp_path: Path
) -> None:
    path = tmp_path / "plan.csv"
    path.write_text("key,title,status\na,A,open\n")
    import_plan(conn, "csv", path)
    path.write_text("key,title,status,blocked by\nb,B,open,a\n")

    for _ in range(2):
        import_plan(conn, "csv", path, prune=True)

        assert (state(conn, "a")[0], state(conn, "b")) == ("cancelled", ("blocked", LOST))


def test_a_task_that_is_begun_waits_for_no_lost_one(conn: Conn, table: Take) -> None:
    table("b,B,in progress,a", "c,C,in review,a", "d,D,open,a")

    assert [state(conn, key) for key in "bcd"] == [
        ("in_progress", None),
        ("in_review", None),
        ("blocked", LOST),
    ]


def test_what_the_file_has_lost_closes_no_cycle_with_what_is_new(conn: Conn, take: Take) -> None:
    """Whichever of the two the file has first."""
    take(
        issue(1), issue(2, dependencies=[on("bd-1")]), issue(3, dependencies=[on("bd-4")]), issue(4)
    )

    report = take(
        issue(1, dependencies=[on("bd-2")]),
        issue(2),
        issue(3),
        issue(4, dependencies=[on("bd-3")]),
    )

    assert not report.findings
    assert [tasks.get_by_key(conn, key=f"bd-{n}").status.value for n in range(1, 5)] == [
        *("blocked", "pending"),
        *("pending", "blocked"),
    ]


def test_what_a_file_says_of_itself_leaves_a_task_that_is_gone(conn: Conn, tmp_path: Path) -> None:
    """Else an export would have the old and the new words, in any order."""
    path = tmp_path / "issues.jsonl"
    memory = {"_type": "memory", "key": "style", "value": "short"}
    import_plan(conn, "beads", write_lines(path, issue(1), memory))

    import_plan(conn, "beads", write_lines(path, issue(2), {**memory, "value": "long"}))

    found = [tasks.get_by_key(conn, key=f"bd-{n}").metadata or {} for n in (1, 2)]
    assert [each.get("about_file") for each in found] == [
        None,
        {"memories": [{"key": "style", "value": "long"}]},
    ]


@pytest.mark.parametrize(
    ("kind", "name", "text", "rule"),
    [
        ("shark", "tasks.jsonl", '{"id": "bd-1", "title": "One"}', "holds no task of shark"),
        ("taskmaster", "tasks.json", '{"tasks": [{"name": "One"}]}', "holds no task: task 1"),
        ("taskmaster", "tasks.json", '{"tasks": ["One"]}', "holds no task: task 1"),
    ],
)
def test_a_file_whose_rows_are_none_of_its_kind_is_refused(
    tmp_path: Path, kind: str, name: str, text: str, rule: str
) -> None:
    path = tmp_path / name
    path.write_text(text)

    with pytest.raises(ValidationError, match=rule):
        read_plan(kind, path)


def test_a_database_of_another_tracker_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "beads.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("create table issues (id text, title text, status text)")
        database.commit()

    with pytest.raises(ValidationError, match="holds no task of shark"):
        read_plan("shark", path)
