"""Transitions since the last import have their own times, their own people and their source."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from taskdb.admin import doctor
from taskdb.exchange import ImportConflictError, OnConflict, import_plan
from taskdb.models.types import TaskStatus
from taskdb.queries import claims, dependencies, flow, history, tasks
from tests.exchange_files import write_lines

Conn = psycopg.Connection[Any]
CAME = "2026-01-01T00:00:00Z"
BEGUN = "2026-01-03T00:00:00Z"
ENDED = "2026-01-04T12:00:00Z"
LATER = "2026-01-06T00:00:00Z"


def moved(conn: Conn, key: str) -> list[tuple[Any, ...]]:
    """Return a task's imported history: from, to, by whom, when, why."""
    return [
        (row.old_status, row.new_status, row.agent, f"{row.created_at:%d %H}", row.note)
        for row in history.list_for_task(conn, key)
        if row.source is not None
    ]


# A file of each tracker with one task: open, or closed by ann.
Write = Callable[[Path, bool], tuple[str, Path, str]]


def beads(folder: Path, closed: bool) -> tuple[str, Path, str]:
    row = {"id": "b-1", "title": "One", "created_at": CAME, "assignee": "ann", "priority": 2}
    ended = {"status": "closed", "started_at": BEGUN, "closed_at": ENDED}
    more = ended if closed else {"status": "open"}
    return "beads", write_lines(folder / "issues.jsonl", {**row, **more}), "b-1"


def taskmaster(folder: Path, closed: bool) -> tuple[str, Path, str]:
    task = {"id": 1, "title": "One", "assignee": "ann", "createdAt": CAME, "status": "pending"}
    ended = {"status": "done", "updatedAt": ENDED} if closed else {}
    path = folder / "tasks.json"
    path.write_text(json.dumps({"master": {"tasks": [task | ended]}}))
    return "taskmaster", path, "master.1"


def backlog(folder: Path, closed: bool) -> tuple[str, Path, str]:
    (folder / "tasks").mkdir(exist_ok=True)
    (folder / "config.yml").write_text("project_name: one\n")
    status = "status: Done\nupdated_date: 2026-01-04 12:00" if closed else "status: To Do"
    (folder / "tasks/task-1 - One.md").write_text(
        f"---\nid: task-1\ntitle: One\nassignee: [ann]\ncreated_date: 2026-01-01\n{status}\n---\n"
    )
    return "backlog-md", folder, "task-1"


def shark(folder: Path, closed: bool) -> tuple[str, Path, str]:
    row = {"id": 1, "key": "T-1", "title": "One", "assigned_agent": "ann", "created_at": CAME}
    ended = {"status": "completed", "started_at": BEGUN, "completed_at": ENDED}
    write_lines(folder / "tasks.jsonl", row | (ended if closed else {"status": "todo"}))
    return "shark", folder, "T-1"


def github(folder: Path, closed: bool) -> tuple[str, Path, str]:
    issue = {"number": 1, "title": "One", "assignees": [{"login": "ann"}], "createdAt": CAME}
    ended = {"state": "CLOSED", "closedAt": ENDED} if closed else {"state": "OPEN"}
    path = folder / "issues.json"
    path.write_text(json.dumps([issue | ended]))
    return "github", path, "1"


def linear(folder: Path, closed: bool) -> tuple[str, Path, str]:
    path = folder / "linear.csv"
    path.write_text(
        "ID,Team,Title,Status,Parent issue,Assignee,Created,Started,Completed\n"
        f"L-1,T,One,{'Done' if closed else 'Todo'},,ann,{CAME},"
        f"{BEGUN if closed else ''},{ENDED if closed else ''}\n"
    )
    return "linear", path, "L-1"


def jira(folder: Path, closed: bool) -> tuple[str, Path, str]:
    path = folder / "jira.csv"
    path.write_text(
        "Issue key,Summary,Status,Assignee,Created,Resolved\n"
        f"J-1,One,{'Done' if closed else 'To Do'},ann,01/Jan/26 12:00 AM,"
        f"{'04/Jan/26 12:00 PM' if closed else ''}\n"
    )
    return "jira", path, "J-1"


def table(folder: Path, closed: bool) -> tuple[str, Path, str]:
    path = folder / "plan.csv"
    path.write_text(
        "key,title,status,assignee,created_at,completed_at\n"
        f"C-1,One,{'done' if closed else 'open'},ann,{CAME},{ENDED if closed else ''}\n"
    )
    return "csv", path, "C-1"


EVERY = (beads, taskmaster, backlog, shark, github, linear, jira, table)
every = pytest.mark.parametrize("write", EVERY, ids=lambda write: write.__name__)


@every
def test_what_was_closed_since_the_last_import_was_closed_when_the_file_says(
    conn: Conn, tmp_path: Path, write: Write
) -> None:
    kind, path, key = write(tmp_path, False)
    import_plan(conn, kind, path)
    write(tmp_path, True)

    import_plan(conn, kind, path)

    *_, last = moved(conn, key)
    assert (last[1:4]) == (TaskStatus.COMPLETED, "ann", "04 12")
    task, life = tasks.get_by_key(conn, key=key), flow.of_task(conn, key)
    assert task.completed_at == life.done_at == datetime(2026, 1, 4, 12, tzinfo=UTC)
    assert (life.lead_time, life.done_by, life.skewed) == (timedelta(days=3.5), "ann", False)
    assert {row.source for row in history.list_for_task(conn, key)} == {None, kind}
    assert doctor.run(conn) == []


@every
def test_a_first_import_has_the_same_life(conn: Conn, tmp_path: Path, write: Write) -> None:
    kind, path, key = write(tmp_path, True)

    import_plan(conn, kind, path)

    life = flow.of_task(conn, key)
    assert life.lead_time == timedelta(days=3.5)
    assert (life.done_by, life.skewed) == ("ann", False)


@every
def test_a_third_import_tells_nothing_again(conn: Conn, tmp_path: Path, write: Write) -> None:
    kind, path, key = write(tmp_path, False)
    import_plan(conn, kind, path)
    write(tmp_path, True)
    import_plan(conn, kind, path)
    before = history.list_for_task(conn, key)

    report = import_plan(conn, kind, path)

    assert report.changes == []
    assert history.list_for_task(conn, key) == before


def test_the_start_that_a_file_tells_counts_as_well(conn: Conn, tmp_path: Path) -> None:
    kind, path, key = beads(tmp_path, False)
    import_plan(conn, kind, path)
    beads(tmp_path, True)

    import_plan(conn, kind, path)

    assert moved(conn, key) == [
        ("pending", "in_progress", "ann", "03 00", None),
        ("in_progress", "completed", "ann", "04 12", f"changed in {path}"),
    ]
    assert flow.of_task(conn, key).cycle_time == timedelta(days=1.5)


def test_a_reopening_has_the_time_of_the_latest_change(conn: Conn, tmp_path: Path) -> None:
    kind, path, key = taskmaster(tmp_path, True)
    import_plan(conn, kind, path)
    document = json.loads(path.read_text())
    document["master"]["tasks"][0] |= {"status": "pending", "updatedAt": LATER}
    path.write_text(json.dumps(document))

    import_plan(conn, kind, path)

    assert moved(conn, key)[-1][:4] == ("completed", "pending", "ann", "06 00")
    life = flow.of_task(conn, key)
    assert (life.reopened_count, life.done_at, life.skewed) == (1, None, False)


def test_closings_and_reopenings_of_a_history_come_one_by_one(conn: Conn, tmp_path: Path) -> None:
    kind, path, key = shark(tmp_path, False)
    import_plan(conn, kind, path)
    shark(tmp_path, True)
    rows = [
        ("todo", "in_progress", "2026-01-03 00:00:00"),
        ("in_progress", "completed", "2026-01-03 12:00:00"),
        ("completed", "in_progress", "2026-01-04 00:00:00"),
        ("in_progress", "completed", "2026-01-04 12:00:00"),
    ]
    write_lines(
        path / "task_history.jsonl",
        *(
            {"task_id": 1, "old_status": a, "new_status": b, "agent": "bob", "timestamp": at}
            for a, b, at in rows
        ),
    )

    import_plan(conn, kind, path)

    assert [row[1:4] for row in moved(conn, key)] == [
        ("in_progress", "bob", "03 00"),
        ("completed", "bob", "03 12"),
        ("in_progress", "bob", "04 00"),
        ("completed", "bob", "04 12"),
    ]
    life = flow.of_task(conn, key)
    assert (life.reopened_count, life.cycle_time) == (1, timedelta(days=1.5))
    assert doctor.run(conn) == []


def test_a_task_that_is_closed_again_was_reopened(conn: Conn, tmp_path: Path) -> None:
    kind, path, key = shark(tmp_path, True)
    rows = [
        ("todo", "completed", "2026-01-04 12:00:00"),
        ("completed", "in_progress", "2026-01-05 00:00:00"),
        ("in_progress", "completed", "2026-01-06 00:00:00"),
    ]
    lines = [
        {"task_id": 1, "old_status": a, "new_status": b, "agent": "bob", "timestamp": at}
        for a, b, at in rows
    ]
    write_lines(path / "task_history.jsonl", lines[0])
    import_plan(conn, kind, path)
    write_lines(path / "task_history.jsonl", *lines)

    dry = import_plan(conn, kind, path, dry_run=True)
    report = import_plan(conn, kind, path)
    again = import_plan(conn, kind, path)

    assert dry.updated == report.updated == {"history": 2}
    assert again.updated == {}
    assert [row[1:4] for row in moved(conn, key)][-2:] == [
        ("in_progress", "bob", "05 00"),
        ("completed", "bob", "06 00"),
    ]
    life = flow.of_task(conn, key)
    assert (life.reopened_count, life.skewed) == (1, False)
    assert doctor.run(conn) == []


def test_a_change_without_a_time_has_that_of_the_import(conn: Conn, tmp_path: Path) -> None:
    kind, path, key = github(tmp_path, True)
    import_plan(conn, kind, path)
    github(tmp_path, False)

    import_plan(conn, kind, path)

    last = history.list_for_task(conn, key)[-1]
    assert (last.new_status, last.source) == (TaskStatus.PENDING, "github")
    assert datetime.now(UTC) - last.created_at < timedelta(minutes=5)


def test_what_waits_for_a_task_that_was_closed_there_is_ready(conn: Conn, tmp_path: Path) -> None:
    kind, path, key = beads(tmp_path, False)
    import_plan(conn, kind, path)
    tasks.create(conn, key="mine", title="Mine", parent_id=None)
    dependencies.add_dependency(conn, task="mine", depends_on=key)
    beads(tmp_path, True)

    import_plan(conn, kind, path)

    assert [task.key for task in tasks.list_ready(conn)] == ["mine"]
    (own,) = [row for row in history.list_for_task(conn, "mine") if row.new_status == "pending"][1:]
    assert (own.source, own.agent) == (None, "taskdb")


def test_a_claim_that_lapsed_here_ends_no_earlier_than_it_began(conn: Conn, tmp_path: Path) -> None:
    kind, path, key = beads(tmp_path, False)
    import_plan(conn, kind, path)
    claim = claims.claim(conn, key=key, agent="bob", lease=timedelta(seconds=1))
    assert claim is not None
    conn.execute("update tasks set lease_expires_at = now() - interval '1 s'")
    beads(tmp_path, True)

    import_plan(conn, kind, path, on_conflict=OnConflict.THEIRS)

    (ended,) = claims.list_for_task(conn, key=key)
    assert ended.ended_at is not None
    assert ended.ended_at >= ended.claimed_at
    assert tasks.get_by_key(conn, key=key).status is TaskStatus.COMPLETED


def begun(folder: Path, **more: Any) -> Path:
    row = {"id": "b-1", "title": "One", "created_at": CAME, "priority": 2, "assignee": "ann"}
    return write_lines(folder / "issues.jsonl", {**row, "status": "in_progress", **more})


def test_that_the_lease_of_imported_work_ended_is_no_change_made_here(
    conn: Conn, tmp_path: Path
) -> None:
    """Any agent that claims lets the lapsed claims of an import end."""
    path = begun(tmp_path, started_at=BEGUN)
    import_plan(conn, "beads", path)
    tasks.create(conn, key="mine", title="Mine")
    assert claims.claim(conn, key="mine", agent="bob") is not None
    assert tasks.get_by_key(conn, key="b-1").status is TaskStatus.PENDING
    begun(tmp_path, started_at=BEGUN, status="closed", closed_at=ENDED)

    report = import_plan(conn, "beads", path)

    assert [change.kind.value for change in report.changes] == ["changed", "changed"]
    assert tasks.get_by_key(conn, key="b-1").status is TaskStatus.COMPLETED


def test_what_somebody_did_after_a_lease_ended_is_a_change_made_here(
    conn: Conn, tmp_path: Path
) -> None:
    path = begun(tmp_path)
    import_plan(conn, "beads", path)
    claim = claims.claim(conn, key="b-1", agent="bob")
    assert claim is not None
    claims.release(conn, task_id=claim.task_id, token=claim.token)
    begun(tmp_path, status="closed", closed_at=ENDED)

    with pytest.raises(ImportConflictError, match="b-1 status: in_progress before"):
        import_plan(conn, "beads", path)


def test_a_time_to_come_is_that_of_now(conn: Conn, tmp_path: Path) -> None:
    kind, path, key = beads(tmp_path, False)
    import_plan(conn, kind, path)
    row = {"id": "b-1", "title": "One", "created_at": CAME, "priority": 2, "status": "closed"}
    write_lines(path, row | {"closed_at": "2999-01-01T00:00:00Z"})

    import_plan(conn, kind, path)

    done_at = tasks.get_by_key(conn, key=key).completed_at
    assert done_at is not None
    assert done_at <= datetime.now(UTC)
