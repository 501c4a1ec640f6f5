"""A plan of each tracker beside taskdb: both change, it is imported again, and exported."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from taskdb.admin import doctor
from taskdb.database import connect
from taskdb.exchange import ImportConflictError, OnConflict, Report, import_plan
from taskdb.models.types import DependencyType, TaskStatus
from taskdb.queries import claims, dependencies, tasks
from tests.command_line import Caller
from tests.exchange_files import write_lines

DAY = "2026-01-02T00:00:00Z"
END = "2026-01-04T12:00:00Z"


@dataclass(frozen=True)
class Item:
    """A task of a file."""

    number: int
    title: str
    text: str = "What"
    priority: str = "medium"
    closed: bool = False
    waits: tuple[int, ...] = ()
    labels: tuple[str, ...] = field(default=("ui",))


# Writes a file and returns its path; the keys are made of the second.
@dataclass(frozen=True)
class Tracker:
    kind: str
    key: str
    write: Callable[[Path, list[Item]], Path]
    # Reads an export of its own kind: title and status of each key.
    read: Callable[[Path], dict[str, tuple[str, str]]] | None = None


def beads(folder: Path, items: list[Item]) -> Path:
    levels = {"high": 1, "medium": 2, "low": 3}
    return write_lines(
        folder / "issues.jsonl",
        *(
            {
                "id": f"b-{item.number}",
                "title": item.title,
                "description": item.text,
                "status": "closed" if item.closed else "open",
                "priority": levels[item.priority],
                "labels": list(item.labels),
                "created_at": DAY,
                **({"closed_at": END} if item.closed else {}),
                "dependencies": [
                    {"depends_on_id": f"b-{each}", "type": "blocks"} for each in item.waits
                ],
            }
            for item in items
        ),
    )


def read_beads(path: Path) -> dict[str, tuple[str, str]]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return {row["id"]: (row["title"], row["status"]) for row in rows}


def taskmaster(folder: Path, items: list[Item]) -> Path:
    path = folder / "tasks.json"
    listed = [
        {
            "id": item.number,
            "title": item.title,
            "description": item.text,
            "status": "done" if item.closed else "pending",
            "priority": item.priority,
            "tags": list(item.labels),
            "dependencies": list(item.waits),
            "subtasks": [],
            **({"updatedAt": END} if item.closed else {}),
        }
        for item in items
    ]
    path.write_text(json.dumps({"master": {"tasks": listed, "metadata": {"description": "It"}}}))
    return path


def read_taskmaster(path: Path) -> dict[str, tuple[str, str]]:
    listed = json.loads(path.read_text())["master"]["tasks"]
    return {f"master.{row['id']}": (row["title"], row["status"]) for row in listed}


def shark(folder: Path, items: list[Item]) -> Path:
    levels = {"high": 3, "medium": 5, "low": 8}
    write_lines(
        folder / "tasks.jsonl",
        *(
            {
                "id": item.number,
                "key": f"T-{item.number}",
                "title": item.title,
                "description": item.text,
                "status": "completed" if item.closed else "todo",
                "priority": levels[item.priority],
                "depends_on": json.dumps([f"T-{each}" for each in item.waits]),
                "created_at": DAY,
                "completed_at": END if item.closed else None,
            }
            for item in items
        ),
    )
    return folder


def backlog(folder: Path, items: list[Item]) -> Path:
    place = folder / "backlog/tasks"
    place.mkdir(parents=True, exist_ok=True)
    (folder / "backlog/config.yml").write_text("project_name: it\n")
    for path in place.iterdir():
        path.unlink()
    for item in items:
        # The name follows the title, as the tool renames it.
        (place / f"task-{item.number} - {item.title}.md").write_text(
            f"---\nid: task-{item.number}\ntitle: {item.title}\n"
            f"status: {'Done' if item.closed else 'To Do'}\n"
            f"created_date: 2026-01-02\nupdated_date: 2026-01-04 12:00\n"
            f"labels: [{', '.join(item.labels)}]\npriority: {item.priority}\n"
            f"dependencies: [{', '.join(f'task-{each}' for each in item.waits)}]\n---\n\n"
            f"## Description\n\n{item.text}\n"
        )
    return folder


def github(folder: Path, items: list[Item]) -> Path:
    path = folder / "issues.json"
    listed = [
        {
            "number": item.number,
            "title": item.title,
            "body": item.text,
            "state": "CLOSED" if item.closed else "OPEN",
            "createdAt": DAY,
            "closedAt": END if item.closed else None,
            "labels": [{"name": name} for name in item.labels],
            "blockedBy": {"nodes": [{"number": each, "state": "OPEN"} for each in item.waits]},
        }
        for item in items
    ]
    path.write_text(json.dumps(listed))
    return path


def linear(folder: Path, items: list[Item]) -> Path:
    names = "ID,Team,Title,Description,Status,Priority,Labels,Parent issue,Created,Completed"
    rows = [
        f"L-{item.number},T,{item.title},{item.text},{'Done' if item.closed else 'Todo'},"
        f"{item.priority.capitalize()},{' '.join(item.labels)},,{DAY},"
        f'{END if item.closed else ""},"{", ".join(f"L-{each}" for each in item.waits)}"'
        for item in items
    ]
    path = folder / "linear.csv"
    path.write_text("\n".join([f"{names},Blocked by", *rows]) + "\n")
    return path


def jira(folder: Path, items: list[Item]) -> Path:
    names = "Issue key,Summary,Description,Status,Issue Type,Priority,Labels,Created,Resolved"
    link = "Inward issue link (Blocks)"
    rows = [
        f"J-{item.number},{item.title},{item.text},{'Done' if item.closed else 'To Do'},Task,"
        f"{item.priority.capitalize()},{' '.join(item.labels)},02/Jan/26 12:00 AM,"
        f"{'04/Jan/26 12:00 PM' if item.closed else ''},"
        + ",".join([*(f"J-{each}" for each in item.waits), "", ""][:2])
        for item in items
    ]
    path = folder / "jira.csv"
    path.write_text("\n".join([f"{names},{link},{link}", *rows]) + "\n")
    return path


def table(folder: Path, items: list[Item]) -> Path:
    rows = [
        f"C-{item.number},{item.title},{item.text},{'done' if item.closed else 'open'},"
        f"{item.priority},{';'.join(item.labels)},{';'.join(f'C-{each}' for each in item.waits)},"
        f"{DAY},{END if item.closed else ''}"
        for item in items
    ]
    names = "key,title,description,status,priority,labels,blocked_by,created_at,completed_at"
    path = folder / "plan.csv"
    path.write_text("\n".join([names, *rows]) + "\n")
    return path


EVERY = (
    Tracker("beads", "b-", beads, read_beads),
    Tracker("taskmaster", "master.", taskmaster, read_taskmaster),
    Tracker("shark", "T-", shark),
    Tracker("backlog-md", "task-", backlog),
    Tracker("github", "", github),
    Tracker("linear", "L-", linear),
    Tracker("jira", "J-", jira),
    Tracker("csv", "C-", table),
)
every = pytest.mark.parametrize("tracker", EVERY, ids=lambda tracker: tracker.kind)

FIRST = [
    Item(1, "One"),
    Item(2, "Two"),
    Item(3, "Three"),
    Item(4, "Four", waits=(3,)),
    Item(5, "Five"),
    Item(6, "Six", waits=(1,)),
    Item(7, "Seven"),
]
# In the file: a text, a title (changed here as well), a closing of work in progress here, a
# closing, an edge less and one more, a task gone and one added.
SECOND = [
    replace(FIRST[0], text="Which"),
    replace(FIRST[1], title="Theirs"),
    replace(FIRST[2], closed=True),
    replace(FIRST[3], waits=(2,), priority="high"),
    replace(FIRST[4], closed=True),
    FIRST[5],
    Item(8, "Eight", waits=(1,)),
]


def take(url: str, tracker: Tracker, path: Path, **options: Any) -> Report:
    with connect(url) as conn:
        return import_plan(conn, tracker.kind, path, **options)


@pytest.fixture
def changed_here(database_url: str) -> Callable[[Tracker], None]:
    def change(tracker: Tracker) -> None:
        """Change a plan here: a title twice, a claim, a hold, an edge more."""
        with connect(database_url) as conn:
            tasks.update(conn, key=f"{tracker.key}1", title="Mine", labels=["here"])
            tasks.update(conn, key=f"{tracker.key}2", title="Ours")
            assert claims.claim(conn, key=f"{tracker.key}3", agent="ann") is not None
            tasks.update_status(
                conn,
                key=f"{tracker.key}7",
                status=TaskStatus.BLOCKED,
                blocked_reason="ask bob",
            )
            dependencies.add_dependency(
                conn,
                task=f"{tracker.key}6",
                depends_on=f"{tracker.key}2",
                dependency_type=DependencyType.BLOCKS,
            )

    return change


def changes(report: Report) -> set[str]:
    return {each.as_text() for each in report.changes if "metadata" not in each.field}


def told(tracker: Tracker) -> set[str]:
    """The changes that the second file makes."""
    key = tracker.key
    kind = "requires" if tracker.kind in ("taskmaster", "shark", "backlog-md") else "blocks"
    lines = {
        f"changed {key}1 description: 'What' -> 'Which'",
        f"both {key}2 title: 'Two' before, 'Theirs' in the file, 'Ours' here",
        f"changed {key}4 waits for {key}3: '{kind}' -> None",
        f"changed {key}4 waits for {key}2: None -> '{kind}'",
        f"changed {key}5 status: pending -> completed",
        f"gone {key}7: it is blocked here",
    }
    if tracker.kind != "github":
        # Its issues have no priority.
        lines.add(f"changed {key}4 priority: 5 -> 3")
    return lines


@every
def test_both_sides_change_and_each_keeps_its_own(
    database_url: str,
    changed_here: Callable[[Tracker], None],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    tracker: Tracker,
) -> None:
    key = tracker.key
    take(database_url, tracker, tracker.write(tmp_path, FIRST))
    changed_here(tracker)
    path = tracker.write(tmp_path, SECOND)

    dry = take(database_url, tracker, path, dry_run=True)
    with pytest.raises(ImportConflictError, match="of the same fields"):
        take(database_url, tracker, path)
    real = take(database_url, tracker, path, on_conflict=OnConflict.OURS)
    again = take(database_url, tracker, path)

    # The status of a task that an agent works on is left alone: for the next time, or for good.
    (refused,) = dry.refused
    assert (refused.what, refused.key) == ("status", f"{key}3")
    both = f"both {key}3 status: pending before, completed in the file, in_progress here"
    assert changes(dry) == told(tracker)
    assert changes(real) == told(tracker) | {both}
    assert changes(again) == {f"gone {key}7: it is blocked here"}
    with connect(database_url) as conn:
        there = {n: tasks.get_by_key(conn, key=f"{key}{n}") for n in range(1, 9)}
        waits = {
            n: {
                row.key.removeprefix(key) for row in dependencies.dependencies_of(conn, f"{key}{n}")
            }
            for n in (4, 6, 8)
        }
        assert doctor.run(conn) == []
    assert (there[1].title, there[1].description, there[1].labels) == ("Mine", "Which", ["here"])
    assert there[2].title == "Ours"
    assert {n: task.status.value for n, task in there.items()} == {
        1: "pending",
        2: "pending",
        3: "in_progress",
        4: "blocked",
        5: "completed",
        6: "blocked",
        7: "blocked",
        8: "blocked",
    }
    assert there[7].blocked_reason == "ask bob"
    assert f"{there[5].completed_at:%Y-%m-%d %H:%M}" == "2026-01-04 12:00"
    assert waits == {4: {"2"}, 6: {"1", "2"}, 8: {"1"}}

    out = tmp_path / "out"
    kind = tracker.kind if tracker.read else "csv"
    assert Caller(capsys, database_url)("export", "--format", kind, "-o", out).status == 0
    if tracker.read:
        said = tracker.read(out)
        assert {said[f"{key}{n}"][0] for n in (1, 2, 8)} == {"Mine", "Ours", "Eight"}
        word = "closed" if tracker.kind == "beads" else "done"
        assert (said[f"{key}5"][1], said[f"{key}7"][1]) == (word, "deferred")
    else:
        assert f"{key}1,Mine,Which,pending," in out.read_text()
        assert f"{key}6,Six,What,pending," in out.read_text()


@pytest.mark.slow
@every
def test_theirs_takes_the_files_values_and_prune_cancels(
    database_url: str,
    changed_here: Callable[[Tracker], None],
    tmp_path: Path,
    tracker: Tracker,
) -> None:
    key = tracker.key
    take(database_url, tracker, tracker.write(tmp_path, FIRST))
    changed_here(tracker)

    path = tracker.write(tmp_path, SECOND)
    report = take(database_url, tracker, path, on_conflict=OnConflict.THEIRS, prune=True)

    with connect(database_url) as conn:
        there = {n: tasks.get_by_key(conn, key=f"{key}{n}") for n in (1, 2, 3, 7)}
        assert doctor.run(conn) == []
    # A change made here only stays; a live claim is not broken.
    assert (there[1].title, there[2].title) == ("Mine", "Theirs")
    assert (there[3].status, there[7].status) == (TaskStatus.IN_PROGRESS, TaskStatus.CANCELLED)
    assert report.updated["pruned tasks"] == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "tracker",
    [each for each in EVERY if each.read or each.kind == "csv"],
    ids=lambda each: each.kind,
)
def test_an_export_read_again_changes_nothing(
    database_url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, tracker: Tracker
) -> None:
    path = tracker.write(tmp_path, SECOND)
    take(database_url, tracker, path, strict=True)
    assert Caller(capsys, database_url)("export", "--format", tracker.kind, "-o", path).status == 0

    report = take(database_url, tracker, path, strict=True)

    assert changes(report) == set()
