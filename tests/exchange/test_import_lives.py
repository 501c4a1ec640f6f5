"""History is the tracker's: what was done there counts from its own times, by its own people."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from taskdb.exchange import import_plan
from taskdb.queries import flow, history, selection, tasks
from tests.exchange_files import DATA, needs_data, write_lines

Conn = psycopg.Connection[Any]
CAME = "2026-01-01T00:00:00Z"
BEGUN = "2026-01-03T00:00:00Z"
ENDED = "2026-01-04T12:00:00Z"


def moved(conn: Conn, key: str) -> list[tuple[Any, ...]]:
    """Return a task's imported history: from, to, by whom, when, why."""
    return [
        (row.old_status, row.new_status, row.agent, f"{row.created_at:%d %H}", row.note)
        for row in history.list_for_task(conn, key)
        if row.source is not None
    ]


def beads(**fields: Any) -> dict[str, Any]:
    usual = {"id": "b-1", "title": "One", "issue_type": "task", "created_by": "eve"}
    times = {"created_at": CAME, "updated_at": ENDED}
    return {**usual, **times, "assignee": "ann", "priority": 2, **fields}


def test_a_closed_issue_has_the_life_that_it_had(conn: Conn, tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "issues.jsonl",
        beads(status="closed", started_at=BEGUN, closed_at=ENDED, close_reason="shipped"),
    )

    report = import_plan(conn, "beads", path)
    assert report.taken["history from moments"] == 3
    assert moved(conn, "b-1") == [
        (None, "pending", "eve", "01 00", None),
        ("pending", "in_progress", "ann", "03 00", None),
        ("in_progress", "completed", "ann", "04 12", "shipped"),
    ]
    life = flow.of_task(conn, "b-1")
    assert (life.lead_time, life.cycle_time) == (timedelta(days=3.5), timedelta(days=1.5))
    assert (life.done_by, life.skewed) == ("ann", False)


def test_a_deleted_issue_was_closed_when_it_was_deleted(conn: Conn, tmp_path: Path) -> None:
    deleted = beads(status="tombstone", deleted_at=ENDED, deleted_by="bob", delete_reason="twice")
    import_plan(conn, "beads", write_lines(tmp_path / "issues.jsonl", deleted))

    assert moved(conn, "b-1")[1:] == [("pending", "cancelled", "bob", "04 12", "twice")]


def test_an_open_issue_that_never_moved_has_no_history(conn: Conn, tmp_path: Path) -> None:
    report = import_plan(
        conn, "beads", write_lines(tmp_path / "issues.jsonl", beads(status="open"))
    )

    assert moved(conn, "b-1") == []
    assert "history from moments" not in report.taken


@pytest.mark.slow
def test_what_was_closed_before_it_came_is_skewed(conn: Conn, tmp_path: Path) -> None:
    row = beads(status="closed", created_at=ENDED, closed_at=CAME)
    import_plan(conn, "beads", write_lines(tmp_path / "issues.jsonl", row))

    assert [each[1] for each in moved(conn, "b-1")] == ["completed"]
    assert flow.of_task(conn, "b-1").skewed
    assert flow.summary(conn).skewed_count == 1


def test_a_reset_takes_no_history(conn: Conn, tmp_path: Path) -> None:
    row = beads(status="closed", closed_at=ENDED)
    import_plan(conn, "beads", write_lines(tmp_path / "issues.jsonl", row), reset=True)

    assert moved(conn, "b-1") == []


def test_work_under_way_began_when_the_file_says(conn: Conn, tmp_path: Path) -> None:
    row = beads(status="in_progress", started_at=BEGUN)
    import_plan(conn, "beads", write_lines(tmp_path / "issues.jsonl", row))

    assert flow.of_task(conn, "b-1").started_at == datetime(2026, 1, 3, tzinfo=UTC)


ISSUE = {"number": 7, "title": "One", "assignees": [{"login": "ann"}], "author": {"login": "eve"}}


@pytest.mark.parametrize(
    ("kind", "text", "closed"),
    [
        (
            "github",
            json.dumps([{**ISSUE, "state": "CLOSED", "createdAt": CAME, "closedAt": ENDED}]),
            ("completed", "ann"),
        ),
        (
            "linear",
            "ID,Team,Title,Status,Parent issue,Assignee,Creator,Created,Started,Canceled\n"
            f"L-1,T,One,Canceled,,ann,eve,{CAME},{BEGUN},{ENDED}\n",
            ("cancelled", "ann"),
        ),
        (
            "jira",
            "Issue key,Summary,Status,Assignee,Creator,Created,Resolved\n"
            "J-1,One,Done,ann,eve,2026-01-01 00:00,2026-01-04 12:00\n",
            ("completed", "ann"),
        ),
        (
            "csv",
            f"key,title,status,owner,author,created,closed_at,closed_by\nC-1,One,done,ann,eve,{CAME},{ENDED},bob\n",
            ("completed", "bob"),
        ),
    ],
)
def test_a_tracker_says_when_it_was_closed_and_by_whom(
    conn: Conn, tmp_path: Path, kind: str, text: str, closed: tuple[str, str]
) -> None:
    path = tmp_path / ("issues.json" if kind == "github" else "issues.csv")
    path.write_text(text)
    import_plan(conn, kind, path)

    (task,) = tasks.list_tasks(conn)
    rows = moved(conn, task.key)
    assert rows[0] == (None, "pending", "eve", "01 00", None)
    assert (rows[-1][1], rows[-1][2], rows[-1][3]) == (*closed, "04 12")


def test_a_history_that_stops_early_is_ended(conn: Conn, tmp_path: Path) -> None:
    task = {"id": 1, "key": "T-1", "title": "One", "status": "completed", "created_at": CAME}
    write_lines(tmp_path / "tasks.jsonl", {**task, "completed_at": ENDED})
    begun = {"task_id": 1, "old_status": "todo", "new_status": "in_progress", "timestamp": BEGUN}
    write_lines(tmp_path / "task_history.jsonl", {"id": 1, "agent": "ann", **begun})
    report = import_plan(conn, "shark", tmp_path)

    assert (report.taken["history"], report.taken["history from moments"]) == (1, 1)
    assert [row[1] for row in moved(conn, "T-1")] == ["in_progress", "completed"]
    assert flow.of_task(conn, "T-1").cycle_time == timedelta(days=1.5)


@pytest.mark.slow
@needs_data
@pytest.mark.parametrize(
    "name",
    [
        "beads/steveyegge+beads/2025-12-19_1021issues_949af953.jsonl",
        "beads/fullofcaffeine+hxhx/2026-02-20_442issues_a3d14b26.jsonl",
    ],
)
def test_burn_up_of_real_files_is_that_of_their_closing_times(conn: Conn, name: str) -> None:
    import_plan(conn, "beads", DATA / name)
    last = {
        row["id"]: row
        for line in (DATA / name).read_text().strip().split("\n")
        for row in [json.loads(line)]
    }
    closed = [row for row in last.values() if row["status"] == "closed"]
    days = Counter(
        datetime.fromisoformat(row["closed_at"]).astimezone(UTC).date() for row in closed
    )

    burnt = flow.burn_up(conn, task_ids=selection.chosen(conn))
    for day in burnt[:-1]:
        assert day.done_count == sum(number for at, number in days.items() if at <= day.day)
    until = datetime.now(UTC)
    since = until - timedelta(days=3000)
    worked = {
        row.day: row.completed_count for row in flow.throughput(conn, since=since, until=until)
    }
    assert {day: number for day, number in worked.items() if number} == days
