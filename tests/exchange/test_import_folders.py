"""Folders and databases of trackers, read whole: small ones made by hand, and real backups."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from taskdb.errors import ValidationError
from taskdb.exchange import ReadOptions, detect, import_plan, read_plan
from taskdb.models.types import TaskStatus
from tests.exchange_files import DATA, by_key, needs_data, refused, stats, write_lines

Conn = psycopg.Connection[Any]
BACKUPS = [name for name in stats() if name.startswith("beads-backup/")]
DAY = "2026-03-03T21:59:07Z"


def row(number: str, **values: Any) -> dict[str, Any]:
    """A row of a backup: what is empty is there, as nothing of its kind."""
    return {
        "id": number,
        "title": f"Issue {number}",
        "status": "open",
        "issue_type": "task",
        "priority": 0,
        "assignee": None,
        "closed_at": None,
        "pinned": 0,
        "ephemeral": 0,
        "crystallizes": 0,
        "metadata": "{}",
        "waiters": "",
        **values,
    }


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    folder = tmp_path / "backup"
    write_lines(
        folder / "issues.jsonl",
        row("bd-1", status="closed", closed_at=DAY),
        row("bd-2", metadata='{"theirs": 1}'),
        row("bd-3", pinned=1),
    )
    write_lines(
        folder / "dependencies.jsonl",
        {"issue_id": "bd-2", "depends_on_id": "bd-1", "type": "blocks", "created_at": DAY},
        {"issue_id": "bd-wisp-1", "depends_on_id": "bd-1", "type": "blocks"},
    )
    write_lines(folder / "labels.jsonl", {"issue_id": "bd-2", "label": "ui"})
    write_lines(
        folder / "comments.jsonl", {"id": 1, "issue_id": "bd-2", "author": "ann", "text": "yes"}
    )
    event = {"issue_id": "bd-1", "actor": "ann", "comment": None, "old_value": "", "new_value": ""}
    write_lines(
        folder / "events.jsonl",
        {**event, "id": 1, "event_type": "created", "created_at": DAY},
        {
            **event,
            "id": 2,
            "event_type": "status_changed",
            "old_value": '{"id": "bd-1", "status": "open"}',
            "new_value": '{"status": "in_progress"}',
            "created_at": DAY,
        },
        {**event, "id": 3, "event_type": "closed", "new_value": "It works", "created_at": DAY},
        {**event, "id": 4, "event_type": "label_added", "comment": "Added", "created_at": DAY},
        {**event, "id": 5, "issue_id": "bd-wisp-1", "event_type": "created", "created_at": DAY},
    )
    return folder


def test_a_backup_is_read_whole(backup: Path) -> None:
    plan = read_plan(detect(backup), backup)

    tasks = by_key(plan)
    assert [(edge.task, edge.depends_on) for edge in plan.edges] == [("bd-2", "bd-1")]
    assert (tasks["bd-2"].labels, tasks["bd-2"].priority) == (("ui",), 1)
    assert tasks["bd-2"].metadata["comments"] == [{"id": 1, "author": "ann", "text": "yes"}]
    assert tasks["bd-2"].metadata["metadata"] == {"theirs": 1}
    assert tasks["bd-3"].blocked_reason == "pinned"
    assert set(tasks["bd-3"].metadata) == {"source", "issue_type", "pinned"}
    assert tasks["bd-1"].metadata["events"] == [
        {"actor": "ann", "comment": "Added", "event_type": "label_added", "created_at": DAY}
    ]
    assert [(h.old_status, h.new_status, h.agent, h.note) for h in plan.history] == [
        (None, TaskStatus.PENDING, "ann", None),
        (TaskStatus.PENDING, TaskStatus.IN_PROGRESS, "ann", None),
        (None, TaskStatus.COMPLETED, "ann", "It works"),
    ]
    assert plan.remarks == [
        "1 rows of dependencies belong to issues that the backup does not have; left out",
        "1 rows of events belong to issues that the backup does not have; left out",
    ]
    assert not len(plan.findings)


@needs_data
@pytest.mark.parametrize("name", BACKUPS)
def test_real_backups_agree_with_figures_that_other_code_worked_out(conn: Conn, name: str) -> None:
    known = stats()[name]

    report = import_plan(conn, detect(DATA / name), DATA / name)

    tables = known["tables"]
    assert report.taken["tasks"] == tables["issues"]
    assert report.taken.get("dependencies", 0) == known["blocks"]["edges"]
    assert report.taken.get("comments", 0) == tables["comments"]
    changes = ("created", "closed", "reopened", "status_changed", "claimed")
    strangers = known["events_without_issue"]
    assert (
        report.taken["history"] == sum(known["events"].get(each, 0) for each in changes) - strangers
    )
    found = dict(
        conn.execute(
            "select metadata -> 'source' ->> 'status', count(*) from task_details group by 1"
        ).fetchall()
    )
    assert found == known["statuses"]


@pytest.mark.parametrize("name", ["issues.jsonl", "beads.jsonl"])
def test_a_beads_folder_and_its_project_will_do(tmp_path: Path, name: str) -> None:
    write_lines(tmp_path / ".beads" / name, {"id": "bd-1", "title": "One"})

    for path in (tmp_path, tmp_path / ".beads"):
        plan = read_plan(detect(path), path)

        assert [task.key for task in plan.tasks] == ["bd-1"]
        assert plan.tasks[0].where == f"{name}:1"


def test_a_taskmaster_folder_is_read_with_its_reports(tmp_path: Path) -> None:
    home = tmp_path / ".taskmaster"
    (home / "tasks").mkdir(parents=True)
    (home / "reports").mkdir()
    rows = [{"id": 1, "title": "One", "status": "pending", "dependencies": []}]
    (home / "tasks" / "tasks.json").write_text(json.dumps({"side": {"tasks": rows}}))
    scored = {"taskId": 1, "taskTitle": "One", "complexityScore": 7}
    (home / "reports" / "task-complexity-report_side.json").write_text(
        json.dumps({"meta": {}, "complexityAnalysis": [scored, {"taskId": 9}]})
    )

    for path in (tmp_path, home):
        plan = read_plan(detect(path), path)

        assert by_key(plan)["side.1"].metadata["complexity_report"] == scored
        assert refused(plan.findings) == [
            "task-complexity-report_side.json:1: refused complexity: "
            "is about task 9 of tag side, which is not there"
        ]


@pytest.mark.slow
@needs_data
def test_the_database_of_shark_is_read_as_its_exported_tables_are(tmp_path: Path) -> None:
    folder = DATA / "shark" / "db" / "2026-01-02_4068e716"
    path = tmp_path / "shark-tasks.db"
    with closing(sqlite3.connect(path)) as database:
        for table in sorted(folder.glob("*.jsonl")):
            rows = [json.loads(line) for line in table.read_text().splitlines()]
            names = ", ".join(f'"{name}"' for name in rows[0])
            marks = ", ".join("?" for _ in rows[0])
            database.execute(f"create table {table.stem} ({names})")
            database.executemany(
                f"insert into {table.stem} values ({marks})", [list(each.values()) for each in rows]
            )
        database.commit()

    plan = read_plan(detect(path), path)
    inside = read_plan(detect(tmp_path), tmp_path)
    exported = read_plan(detect(folder), folder)

    assert {t.key: (t.title, t.status, t.parent) for t in plan.tasks} == {
        t.key: (t.title, t.status, t.parent) for t in exported.tasks
    }
    assert len(plan.edges) == len(inside.edges) == len(exported.edges)
    assert len(plan.history) == len(exported.history)
    assert len(plan.findings) == len(exported.findings)
    assert plan.about == exported.about


def test_a_database_that_is_damaged_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "shark-tasks.db"
    path.write_bytes(b"SQLite format 3\x00" + b"\xff" * 2000)

    with pytest.raises(ValidationError, match=r"is a SQLite file that can't be read.*\.backup"):
        read_plan(detect(path), path)


def test_a_database_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "shark-tasks.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("create table tasks (id)")

    with pytest.raises(ValidationError, match="path is too large"):
        read_plan("shark", path, options=ReadOptions(largest=100))


def test_plans_of_several_kinds_in_one_folder_are_to_be_named(tmp_path: Path) -> None:
    write_lines(tmp_path / ".beads" / "issues.jsonl", {"id": "bd-1", "title": "One"})
    (tmp_path / "tasks.json").write_text("{}")

    with pytest.raises(ValidationError, match="holds plans of several kinds: beads, taskmaster"):
        detect(tmp_path)


def test_a_backup_of_odd_rows_is_read_without_a_fault(conn: Conn, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    write_lines(
        folder / "issues.jsonl",
        row("bd-1", title="old"),
        row("bd-1", title="new", labels=None, comments=7),
        {"id": ["bd-2"], "title": "no id"},
        {"_type": "memory", "key": "a\x00b", "value": {"deep": "\ud800"}},
    )
    write_lines(
        folder / "labels.jsonl",
        {"issue_id": "bd-1", "label": "ui"},
        {"issue_id": [1], "label": "x"},
    )
    write_lines(folder / "comments.jsonl", {"issue_id": "bd-1", "text": "yes"})
    write_lines(
        folder / "events.jsonl",
        {"issue_id": "bd-1", "event_type": "closed", "created_at": "never"},
        {"issue_id": "bd-1", "event_type": ["closed"], "created_at": DAY},
    )

    report = import_plan(conn, detect(folder), folder)

    assert report.taken["tasks"] == 1
    assert [finding.where for finding in report.refused] == ["issues.jsonl:1", "issues.jsonl:3"]
    metadata = conn.execute("select metadata from task_details").fetchone()
    assert metadata is not None
    assert metadata[0]["labels"] == ["ui"]
    assert metadata[0]["about_file"]["memories"] == [
        {"key": "a\ufffdb", "value": {"deep": "\ufffd"}}
    ]
