"""A plan is imported again: what changed in the file, here, and on both sides."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest

from taskdb.admin import doctor
from taskdb.errors import TaskdbError
from taskdb.exchange import ImportConflictError, ImportRefusedError, OnConflict, Report, import_plan
from taskdb.models.types import TaskStatus
from taskdb.queries import claims, dependencies, tasks
from tests.command_line import Caller
from tests.exchange_files import CASES, write_lines
from tests.tiers import first_of

Conn = psycopg.Connection[Any]
Take = Callable[..., Report]
DAY = "2026-09-01T00:00:00Z"


@pytest.fixture
def take(conn: Conn, tmp_path: Path) -> Take:
    """Import a beads file of these issues, always at the same path."""

    def take(*issues: dict[str, Any], **options: Any) -> Report:
        rows = [
            {"title": "One", "status": "open", "priority": 2, "created_at": DAY, **each}
            for each in issues
        ]
        path = write_lines(tmp_path / "issues.jsonl", *rows)
        return import_plan(conn, "beads", path, **options)

    return take


def changes(report: Report) -> list[str]:
    return [change.as_text() for change in report.changes if "metadata" not in change.field]


def on(*targets: str) -> list[dict[str, str]]:
    return [{"depends_on_id": target, "type": "blocks"} for target in targets]


def blockers(conn: Conn, key: str) -> set[str]:
    return {row.key for row in dependencies.dependencies_of(conn, key=key)}


def test_what_changed_in_the_file_is_applied_field_by_field(conn: Conn, take: Take) -> None:
    take({"id": "a"}, {"id": "b", "description": "What"})

    report = take(
        {"id": "a"},
        {
            "id": "b",
            "title": "Two",
            "priority": 0,
            "design": "How",
            "estimated_minutes": 90,
            "status": "closed",
            "closed_at": DAY,
        },
    )

    task = tasks.get_by_key(conn, key="b")
    assert (task.title, task.description, task.priority) == ("Two", None, 1)
    assert (task.status, task.requirements) == (TaskStatus.COMPLETED, {"design": "How"})
    assert str(task.estimated_hours) == "1.50"
    assert changes(report) == [
        "changed b title: 'One' -> 'Two'",
        "changed b description: 'What' -> None",
        "changed b priority: 5 -> 1",
        "changed b requirements: None -> {'design': 'How'}",
        "changed b status: pending -> completed",
        "changed b estimated_hours: None -> '1.50'",
    ]
    assert (report.taken, report.unchanged) == ({}, {"tasks": 1})
    assert report.updated["tasks"] == 1
    assert doctor.run(conn) == []


def test_the_case_of_a_file_that_moved_on(conn: Conn, tmp_path: Path) -> None:
    if not CASES.is_dir():
        pytest.skip(f"the cases are not here: {CASES}")
    expected = json.loads((CASES / "expected.json").read_text())
    (case,) = (value for key, value in expected.items() if "beads-before" in key)
    path = tmp_path / "issues.jsonl"
    shutil.copy(CASES / "beads-before.jsonl", path)
    import_plan(conn, "beads", path)

    shutil.copy(CASES / "beads-after.jsonl", path)
    report = import_plan(conn, "beads", path)

    ready = [key for (key,) in conn.execute("select key from ready_tasks")]
    assert ready == case["after"]["ready"]
    assert {(change.key, change.field) for change in report.changes} >= {
        ("z-2", "title"),
        ("z-2", "priority"),
        ("z-2", "status"),
    }
    assert {change.key for change in report.changes} == {"z-2"}
    assert report.unchanged == {"tasks": 1}


def test_what_a_file_says_of_itself_follows_it(conn: Conn, tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"

    def take(about: dict[str, Any], *numbers: int, **options: Any) -> Report:
        rows = [{"id": number, "title": f"Task {number}"} for number in numbers]
        path.write_text(json.dumps({"master": {"tasks": rows, "metadata": about}}))
        return import_plan(conn, "taskmaster", path, **options)

    def kept() -> dict[str, Any]:
        rows = conn.execute("select key, metadata -> 'about_file' from full_tasks").fetchall()
        return {key: about["master"]["metadata"] for key, about in rows if about}

    take({"description": "First"}, 1, 2)
    shown = take({"description": "Second"}, 1, 2, dry_run=True)
    assert [change.field for change in shown.changes] == ["metadata.about_file"]
    assert kept() == {"master.1": {"description": "First"}}

    take({"description": "Second"}, 1, 2)
    assert kept() == {"master.1": {"description": "Second"}}
    # A new task gets none while another has it.
    take({"description": "Third"}, 0, 1, 2)
    assert kept() == {"master.1": {"description": "Third"}}
    assert take({"description": "Third"}, 0, 1, 2).changes == []
    take({"description": "Fourth"}, 0, 2)
    assert kept()["master.0"] == {"description": "Fourth"}
    take({}, 0, 2)
    assert kept()["master.0"] == {}


def test_a_dry_run_shows_the_same_and_writes_nothing(conn: Conn, take: Take) -> None:
    take({"id": "a"}, {"id": "gone"})
    new = [{"id": "a", "title": "Two"}, {"id": "b"}]

    dry = take(*new, dry_run=True, prune=True)
    again = take(*new, dry_run=True, prune=True)

    assert dry.changes == again.changes
    assert changes(dry) == ["changed a title: 'One' -> 'Two'", "gone gone: it is pending here"]
    assert (dry.taken["tasks"], dry.updated["pruned tasks"]) == (1, 1)
    assert dry.remarks[-1] == "dry run: nothing was written"
    assert tasks.get_by_key(conn, key="a").title == "One"
    real = take(*new, prune=True)
    assert real.changes == dry.changes


def test_what_changed_here_only_stays(conn: Conn, take: Take) -> None:
    take({"id": "a"})
    tasks.update(conn, key="a", title="Ours", priority=9)

    report = take({"id": "a", "description": "New"})

    task = tasks.get_by_key(conn, key="a")
    assert (task.title, task.priority, task.description) == ("Ours", 9, "New")
    assert changes(report) == ["changed a description: None -> 'New'"]


def test_the_same_change_on_both_sides_is_no_conflict(conn: Conn, take: Take) -> None:
    take({"id": "a"})
    tasks.update(conn, key="a", title="Same")

    assert changes(take({"id": "a", "title": "Same"})) == []


@pytest.mark.parametrize(
    ("on_conflict", "title"), [(OnConflict.THEIRS, "Theirs"), (OnConflict.OURS, "Ours")]
)
def test_a_conflict_is_settled_as_the_caller_says(
    conn: Conn, take: Take, on_conflict: OnConflict, title: str
) -> None:
    take({"id": "a"}, {"id": "b"})
    tasks.update(conn, key="a", title="Ours")
    new = [{"id": "a", "title": "Theirs"}, {"id": "b", "title": "Two"}]

    with pytest.raises(ImportConflictError, match="changed 1 of the same fields") as conflict:
        take(*new)
    assert tasks.get_by_key(conn, key="b").title == "One"
    report = take(*new, on_conflict=on_conflict)
    again = take(*new)

    assert tasks.get_by_key(conn, key="a").title == title
    assert tasks.get_by_key(conn, key="b").title == "Two"
    line = "both a title: 'One' before, 'Theirs' in the file, 'Ours' here"
    assert line in changes(report)
    assert line in changes(conflict.value.report)
    assert again.changes == []


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("open", TaskStatus.PENDING),
        ("closed", TaskStatus.COMPLETED),
        ("in_progress", TaskStatus.IN_PROGRESS),
        ("tombstone", TaskStatus.CANCELLED),
        ("perhaps", TaskStatus.BLOCKED),
        ("deferred", TaskStatus.BLOCKED),
    ],
)
@pytest.mark.parametrize(
    "before", first_of(["open", "closed", "tombstone", "deferred", "perhaps"], 2)
)
def test_every_status_can_become_every_other(
    conn: Conn, take: Take, before: str, word: str, status: TaskStatus
) -> None:
    take({"id": "a", "status": before})

    take({"id": "a", "status": word})

    task = tasks.get_by_key(conn, key="a")
    assert task.status is status
    assert task.blocked_reason == (word if status is TaskStatus.BLOCKED else None)
    assert take({"id": "a", "status": word}).changes == []
    assert doctor.run(conn) == []


def test_a_live_claim_is_never_torn(conn: Conn, take: Take) -> None:
    take({"id": "a"}, {"id": "b"})
    for key in ("a", "b"):
        assert claims.claim(conn, key=key, agent="ann") is not None
    new = {"id": "a", "status": "closed", "title": "Two"}

    report = take(new, prune=True, on_conflict=OnConflict.THEIRS)

    a, b = tasks.get_by_key(conn, key="a"), tasks.get_by_key(conn, key="b")
    assert (a.status, a.title) == (TaskStatus.IN_PROGRESS, "Two")
    assert b.status is TaskStatus.IN_PROGRESS
    assert [finding.reason.partition(" is at work")[0] for finding in report.refused] == [
        "completed in the file now, but ann",
        "is not pruned: ann",
    ]
    conn.execute(
        "update tasks set lease_expires_at = now() - interval '1 second'"
        " where claim_agent is not null"
    )
    take(new, on_conflict=OnConflict.THEIRS)
    assert tasks.get_by_key(conn, key="a").status is TaskStatus.COMPLETED


def test_edges_and_parents_that_changed_are_changed(conn: Conn, take: Take) -> None:
    take(
        {"id": "a"},
        {"id": "b", "dependencies": on("a")},
        {"id": "c", "dependencies": on("a"), "parent": "a"},
    )
    dependencies.add_dependency(conn, task="c", depends_on="b")

    report = take(
        {"id": "a"},
        {"id": "b"},
        {"id": "c", "dependencies": on("a", "d"), "parent": "b"},
        {"id": "d"},
    )

    assert blockers(conn, "b") == set()
    assert blockers(conn, "c") == {"a", "b", "d"}
    parent = tasks.get_by_key(conn, key="c").parent_id
    assert parent == tasks.get_by_key(conn, key="b").id
    assert changes(report) == [
        "changed b waits for a: 'blocks' -> None",
        "changed c parent: 'a' -> 'b'",
        "changed c waits for d: None -> 'blocks'",
    ]
    assert doctor.run(conn) == []


def test_an_edge_that_closes_a_cycle_with_one_made_here_is_refused(conn: Conn, take: Take) -> None:
    take({"id": "a"}, {"id": "b"})
    dependencies.add_dependency(conn, task="a", depends_on="b")

    report = take({"id": "a"}, {"id": "b", "dependencies": on("a")})

    assert blockers(conn, "b") == set()
    (refusal,) = report.refused
    assert "closes the cycle" in refusal.reason
    assert set(refusal.path) == {"a", "b"}


def test_tasks_that_are_gone_are_named_and_cancelled_on_demand(conn: Conn, take: Take) -> None:
    take({"id": "a"}, {"id": "b"}, {"id": "c", "status": "closed"})

    named = take({"id": "a"})
    pruned = take({"id": "a"}, prune=True)

    assert changes(named) == changes(pruned)
    assert sorted(changes(named)) == [
        "gone b: it is pending here",
        "gone c: it is completed here",
    ]
    assert (named.updated, pruned.updated) == ({}, {"pruned tasks": 1})
    assert tasks.get_by_key(conn, key="b").status is TaskStatus.CANCELLED
    assert tasks.get_by_key(conn, key="c").status is TaskStatus.COMPLETED
    take({"id": "a"}, {"id": "b"})
    assert tasks.get_by_key(conn, key="b").status is TaskStatus.PENDING


@pytest.mark.parametrize("prune", [True, False])
def test_what_waited_for_a_task_that_is_gone_waits_no_longer(
    conn: Conn, take: Take, *, prune: bool
) -> None:
    """A tracker deletes a task together with the edges, and the parts, that led to it."""
    take({"id": "a"}, {"id": "b", "dependencies": on("a")}, {"id": "c", "parent": "a"}, {"id": "d"})

    report = take({"id": "b"}, {"id": "c", "parent": "d"}, {"id": "d"}, prune=prune)

    assert changes(report)[:2] == [
        "changed b waits for a: 'blocks' -> None",
        "changed c parent: 'a' -> 'd'",
    ]
    assert blockers(conn, "b") == set()
    assert tasks.get_by_key(conn, key="b").status is TaskStatus.PENDING
    assert doctor.run(conn) == []


def test_a_task_that_the_file_has_lost_holds_back_what_still_names_it(
    conn: Conn, take: Take
) -> None:
    waiting = {"id": "b", "dependencies": on("a")}
    take({"id": "a"}, waiting)

    for _ in range(2):
        take(waiting | {"title": "Two"})
        assert blockers(conn, "b") == {"a"}

    take({"id": "b", "title": "Two"})
    assert blockers(conn, "b") == set()


def test_nothing_is_pruned_where_a_line_could_not_be_read(
    conn: Conn, take: Take, tmp_path: Path
) -> None:
    take({"id": "a"}, {"id": "b"})
    path = write_lines(tmp_path / "issues.jsonl", {"id": "a", "title": "One"}, b"<<<<<<< HEAD")

    report = import_plan(conn, "beads", path, prune=True)

    assert tasks.get_by_key(conn, key="b").status is TaskStatus.PENDING
    assert "could not be read, and may be it" in report.refused[-1].reason


def test_metadata_that_changed_is_replaced_name_by_name(conn: Conn, take: Take) -> None:
    take({"id": "a", "labels": ["x"], "notes": "old"})
    there = tasks.get_by_key(conn, key="a").metadata
    assert there is not None
    tasks.update(conn, key="a", metadata={**there, "ours": 1})

    report = take({"id": "a", "labels": ["y"], "external_ref": "gh-9"})

    metadata = tasks.get_by_key(conn, key="a").metadata
    assert metadata is not None
    assert (metadata["labels"], metadata["ours"]) == (["y"], 1)
    assert tasks.get_by_key(conn, key="a").labels == ["y"]
    assert metadata["external_ref"] == "gh-9"
    assert "notes" not in metadata
    fields = {change.field for change in report.changes}
    assert fields == {
        "labels",
        "metadata.labels",
        "metadata.external_ref",
        "metadata.notes",
    }


def test_a_line_that_only_moved_is_unchanged(conn: Conn, take: Take) -> None:
    take({"id": "a"}, {"id": "b"})

    report = take({"id": "b"}, {"id": "a"})

    assert (report.changes, report.unchanged) == ([], {"tasks": 2})


def test_strict_takes_no_change_beside_a_finding(conn: Conn, take: Take) -> None:
    take({"id": "a"})

    with pytest.raises(ImportRefusedError):
        take({"id": "a", "title": "Two", "status": "perhaps"}, strict=True)

    assert tasks.get_by_key(conn, key="a").title == "One"


@pytest.mark.slow
def test_the_command_line_shows_the_difference_and_stops(
    capsys: pytest.CaptureFixture[str], database_url: str, tmp_path: Path
) -> None:
    taskdb = Caller(capsys, database_url)
    path = write_lines(tmp_path / "issues.jsonl", {"id": "a", "title": "One", "status": "open"})
    taskdb("import", "beads", path)
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("set search_path = taskdb, shared")
        conn.execute("update tasks set title = 'Ours'")
    write_lines(path, {"id": "a", "title": "Theirs", "status": "open"})

    dry = taskdb("import", "beads", path, "--dry-run")
    stopped = taskdb("import", "beads", path)
    taken = taskdb("import", "beads", path, "--on-conflict", "theirs", "--json")

    line = "both a title: 'One' before, 'Theirs' in the file, 'Ours' here"
    assert (dry.status, stopped.status, taken.status) == (0, 1, 0)
    assert line in dry.out
    assert line in stopped.out
    assert "--on-conflict theirs" in stopped.err
    assert taken.data["updated"] == {"tasks": 1, "fields": 1}


def test_a_parent_and_its_part_can_change_places(conn: Conn, take: Take) -> None:
    take({"id": "a"}, {"id": "b", "parent": "a"})

    take({"id": "a", "parent": "b"}, {"id": "b"})

    a, b = tasks.get_by_key(conn, key="a"), tasks.get_by_key(conn, key="b")
    assert (a.parent_id, b.parent_id) == (b.id, None)


WORDS = ("open", "open", "open", "in_progress", "closed", "deferred", "blocked", "perhaps")


def random_issues(random: Random) -> list[dict[str, Any]]:
    """Return up to twelve issues, with edges, parents and cycles among them."""
    numbers = random.sample(range(12), random.randint(1, 12))
    rows = []
    for number in numbers:
        targets = random.sample(range(12), random.randint(0, 3))
        kinds = ("blocks", "blocks", "parent-child", "related")
        rows.append(
            {
                "id": f"r-{number}",
                "title": random.choice(("One", "Two", "Three")),
                "status": random.choice(WORDS),
                "priority": random.randint(0, 4),
                "issue_type": random.choice(("task", "task", "gate")),
                "labels": random.sample(["a", "b"], random.randint(0, 2)),
                "dependencies": [
                    {"depends_on_id": f"r-{target}", "type": random.choice(kinds)}
                    for target in targets
                ],
            }
        )
    return rows


def edit_here(conn: Conn, random: Random) -> None:
    """Do what people do here between two imports."""
    keys = [key for (key,) in conn.execute("select key from tasks order by key").fetchall()]
    for key in random.sample(keys, min(3, len(keys))):
        tasks.update(conn, key=key, title="Here", priority=random.randint(1, 10))
    claim = claims.claim_next(conn, agent="ann")
    if claim is not None and random.random() < 0.5:
        claims.complete(conn, task_id=claim.task_id, token=claim.token)
    for _ in range(3):
        task, blocker = random.choice(keys), random.choice(keys)
        try:
            with conn.transaction():
                dependencies.add_dependency(conn, task=task, depends_on=blocker)
        except TaskdbError:
            continue


@pytest.mark.parametrize("seed", first_of([167, *range(40)], 11))
def test_whatever_changed_on_both_sides_a_third_import_has_nothing_to_do(
    conn: Conn, take: Take, seed: int
) -> None:
    random = Random(seed)
    take(*random_issues(random))
    edit_here(conn, random)
    new = random_issues(random)
    on_conflict = random.choice((OnConflict.THEIRS, OnConflict.OURS))

    dry = take(*new, dry_run=True, on_conflict=on_conflict, prune=True)
    report = take(*new, on_conflict=on_conflict, prune=True)
    again = take(*new)

    assert dry.changes == report.changes
    # A task in progress is left to the next import.
    left = {finding.key for finding in report.refused}
    assert {change.key for change in again.changes if change.kind != "gone"} <= left
    assert doctor.run(conn) == []


def test_what_another_import_owns_is_no_blocker_and_no_parent(
    conn: Conn, take: Take, tmp_path: Path
) -> None:
    theirs = write_lines(tmp_path / "theirs.jsonl", {"id": "x", "title": "X", "status": "open"})
    import_plan(conn, "beads", theirs)
    take({"id": "a"}, {"id": "x"})

    report = take({"id": "a", "parent": "x", "dependencies": on("x")}, {"id": "x"})

    assert tasks.get_by_key(conn, key="a").parent_id is None
    assert blockers(conn, "a") == set()
    assert {finding.what for finding in report.refused} >= {"task", "dependency"}
