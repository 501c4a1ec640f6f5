"""Files that hold nothing: a plan of no task, whichever tracker wrote them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from taskdb.errors import ValidationError
from taskdb.exchange import KINDS, detect, import_plan, read_plan
from taskdb.models.types import TaskStatus
from taskdb.queries import tasks

Conn = psycopg.Connection[Any]
LINEAR = "ID,Team,Title,Description,Status,Parent issue\n"
NOTHING = [
    ("shark", "tasks.jsonl", ""),
    ("taskmaster", "tasks.json", '{"tasks": []}'),
    ("taskmaster", "tasks.json", '{"master": {"tasks": []}}'),
    ("taskmaster", ".taskmaster/tasks/tasks.json", '{"master": {"tasks": []}}'),
    ("beads", "issues.jsonl", ""),
    ("beads", "issues.jsonl", "\n\n"),
    ("beads", ".beads/issues.jsonl", ""),
    ("backlog-md", "backlog/tasks/readme.txt", ""),
    ("github", "issues.json", "[]\n"),
    ("linear", "export.csv", LINEAR),
    ("jira", "export.csv", "Summary,Issue key,Status\n"),
    ("csv", "table.csv", "key,title,status\n"),
    ("csv", "table.csv", ""),
    ("jsonl", "table.jsonl", ""),
]
OTHER = [
    ("taskmaster", "tasks.json", "{}", "holds no list of tasks"),
    ("taskmaster", "tasks.json", "", "is not JSON"),
    ("beads", "issues.jsonl", "[]\n", "holds no issue"),
    ("beads", "issues.jsonl", '{"name": "package"}\n', "holds no issue"),
    ("github", "issues.json", "", "is not JSON"),
    ("github", "issues.json", "{}", "must be a list of issues"),
    ("github", "issues.json", '[{"name": "package"}]', "holds no task"),
    ("linear", "export.csv", "a,b\n1,2\n", "holds no task"),
    ("linear", "export.csv", "a,b\n", "holds no task"),
    ("csv", "table.csv", "[]\n", "holds no task"),
    ("jsonl", "table.jsonl", "[]\n", "holds no task"),
]


@pytest.fixture
def place(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a file, and return it, or the folder that a tracker keeps it in."""

    def place(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if path.name == "readme.txt":
            (path.parent.parent / "config.yml").write_text("project_name: none\n")
        return path if path.parent == tmp_path else tmp_path / Path(name).parts[0]

    return place


@pytest.mark.parametrize(("kind", "name", "text"), NOTHING)
def test_a_file_of_nothing_is_a_plan_of_no_task(
    conn: Conn, place: Callable[[str, str], Path], kind: str, name: str, text: str
) -> None:
    path = place(name, text)

    report = import_plan(conn, kind, path, strict=True)

    assert (report.taken, report.findings, report.remarks) == ({}, [], [])
    assert kind in {detect(path), "jsonl", "shark"}


def test_every_kind_is_tried() -> None:
    # A folder of shark's plan is known by its epics, so there is none without.
    assert {kind for kind, _, _ in NOTHING} == {*KINDS} - {"shark-plan"}


@pytest.mark.parametrize(("kind", "name", "text", "rule"), OTHER)
def test_a_file_of_other_rows_is_refused(
    place: Callable[[str, str], Path], kind: str, name: str, text: str, rule: str
) -> None:
    with pytest.raises(ValidationError, match=rule):
        read_plan(kind, place(name, text))


def test_what_a_file_without_tasks_says_of_itself_is_named(
    conn: Conn, place: Callable[[str, str], Path]
) -> None:
    said = '{"master": {"tasks": [], "metadata": {"description": "Nothing yet"}}, "version": "1"}'

    report = import_plan(conn, "taskmaster", place("tasks.json", said))

    assert report.remarks == ["master, version: said of the file, which has no row to keep it"]


def test_a_file_that_became_empty_prunes_nothing(
    conn: Conn, place: Callable[[str, str], Path]
) -> None:
    path = place("issues.json", '[{"number": 1, "title": "One", "state": "OPEN"}]')
    import_plan(conn, "github", path)
    path.write_text("[]")

    report = import_plan(conn, "github", path, prune=True)

    assert [finding.reason for finding in report.findings] == [
        "is not pruned: the file has no task at all"
    ]
    assert [change.as_text() for change in report.changes] == ["gone 1: it is pending here"]
    assert tasks.get_by_key(conn, key="1").status is TaskStatus.PENDING
