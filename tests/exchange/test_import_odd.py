"""Readers meet odd values in every field: they take, change or refuse them, and never fail."""

from __future__ import annotations

import contextlib
import copy
import json
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest

from taskdb.admin import doctor
from taskdb.errors import ValidationError
from taskdb.exchange import OnConflict, import_plan
from tests.exchange_files import write_lines

Conn = psycopg.Connection[Any]
DAY = "2026-03-03T21:59:07Z"
ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    7,
    2**70,
    1.5,
    "",
    "  ",
    "x",
    "a\x00b",
    "\ud800",
    "x" * 600,
    "a\nb",
    [],
    [1, None],
    [["x"]],
    {},
    {"id": {"id": []}},
    [{"name": 7}],
)

BEADS: dict[str, Any] = {
    "id": "bd-1",
    "title": "One",
    "status": "open",
    "issue_type": "task",
    "priority": 1,
    "assignee": "ann",
    "created_by": "bob",
    "created_at": DAY,
    "closed_at": DAY,
    "defer_until": DAY,
    "estimated_minutes": 5,
    "labels": ["a"],
    "pinned": False,
    "parent": "bd-2",
    "comments": [{"author": "ann", "text": "x"}],
    "dependencies": [{"issue_id": "bd-1", "depends_on_id": "bd-2", "type": "blocks"}],
    "metadata": {"a": 1},
}
EVENT: dict[str, Any] = {
    "issue_id": "bd-1",
    "event_type": "status_changed",
    "actor": "ann",
    "old_value": '{"status": "open"}',
    "new_value": '{"status": "closed"}',
    "comment": "x",
    "created_at": DAY,
}
TASKMASTER: dict[str, Any] = {
    "id": 1,
    "title": "One",
    "status": "pending",
    "dependencies": [2],
    "priority": "high",
    "details": "x",
    "tags": ["a"],
    "assignee": "ann",
    "updatedAt": DAY,
    "subtasks": [{"id": 1, "title": "Sub", "status": "done", "parentId": 1}],
}
SHARK: dict[str, Any] = {
    "id": 1,
    "key": "T-1",
    "feature_id": 1,
    "title": "One",
    "status": "todo",
    "priority": 5,
    "depends_on": '["T-2"]',
    "assigned_agent": "ann",
    "time_spent_minutes": 5,
    "context_data": "{}",
    "created_at": DAY,
    "completed_at": DAY,
}
GITHUB: dict[str, Any] = {
    "number": 1,
    "title": "One",
    "state": "OPEN",
    "labels": [{"name": "a"}],
    "author": {"login": "ann"},
    "assignees": [{"login": "ann"}],
    "issueType": {"name": "Bug"},
    "parent": {"number": 2},
    "blockedBy": {"nodes": [{"number": 2, "state": "OPEN"}]},
    "closedAt": DAY,
    "url": "https://forge.test/a/b/issues/1",
}


def spoil(random: Random, values: Any) -> Any:
    """Return a copy of *values* in which one field, at any depth, is odd."""
    spoiled = copy.deepcopy(values)
    place = spoiled
    while True:
        names = list(place) if isinstance(place, dict) else list(range(len(place)))
        name = random.choice(names)
        deeper = place[name]
        if isinstance(deeper, dict | list) and deeper and random.random() < 0.6:
            place = deeper
            continue
        place[name] = random.choice(ODD)
        return spoiled


def write(kind: str, folder: Path, random: Random) -> Path:
    """Write a plan of *kind* of which some rows are odd."""
    if kind == "beads":
        rows = [spoil(random, BEADS) for _ in range(4)]
        return write_lines(folder / "issues.jsonl", *rows, {"id": "bd-2", "title": "Two"})
    if kind == "backup":
        write_lines(folder / "events.jsonl", *(spoil(random, EVENT) for _ in range(4)))
        write_lines(folder / "labels.jsonl", spoil(random, {"issue_id": "bd-1", "label": "a"}))
        write_lines(folder / "dependencies.jsonl", spoil(random, BEADS["dependencies"][0]))
        write_lines(folder / "issues.jsonl", spoil(random, BEADS), BEADS)
        return folder
    if kind == "shark":
        write_lines(folder / "tasks.jsonl", *(spoil(random, SHARK) for _ in range(4)))
        return folder
    document: Any
    if kind == "taskmaster":
        document = {"side": {"tasks": [spoil(random, TASKMASTER) for _ in range(4)]}}
        document["side"]["metadata"] = random.choice(ODD)
    else:
        document = [spoil(random, GITHUB) for _ in range(4)]
    path = folder / "plan.json"
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("kind", ["beads", "backup", "taskmaster", "shark", "github"])
def test_an_odd_value_is_never_a_failure(conn: Conn, tmp_path: Path, kind: str, seed: int) -> None:
    random = Random(f"{kind} {seed}")
    name = "beads" if kind == "backup" else kind
    for _ in range(2):
        path = write(kind, tmp_path, random)
        with contextlib.suppress(ValidationError):
            import_plan(conn, name, path, on_conflict=OnConflict.THEIRS, prune=True)

    assert doctor.run(conn) == []
