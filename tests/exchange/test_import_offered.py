"""No task is offered that its own tracker would not offer: words, labels, fields, waits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from taskdb.exchange import read_plan
from taskdb.models.types import TaskStatus
from tests.exchange.beads_lines import Read, child, issue, on, waits
from tests.exchange.shark_tables import Tables
from tests.exchange_files import by_key, changed

HELD = TaskStatus.BLOCKED
NOT_OPEN = ("todo", "pending", "backlog", "reopened", "ready_for_development", "draft")


@pytest.mark.parametrize("word", NOT_OPEN)
def test_beads_offers_no_status_but_open(read: Read, word: str) -> None:
    """Its users may define statuses of their own; `bd ready` lists none of them."""
    found = read(issue(1, status=word)).tasks[0]

    assert (found.status, found.blocked_reason) == (HELD, word)


@pytest.mark.parametrize("word", [word for word in NOT_OPEN if word != "pending"] + ["open"])
def test_task_master_offers_no_status_but_pending(tmp_path: Path, word: str) -> None:
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps({"tasks": [{"id": 1, "title": "One", "status": word}]}))

    found = read_plan("taskmaster", path).tasks[0]

    assert (found.status, found.blocked_reason) == (HELD, word)


def test_another_word_for_work_to_do_is_a_finding(read: Read) -> None:
    plan = read(issue(1, status="todo"))

    assert changed(plan.findings) == [
        "issues.jsonl:1: changed task bd-1: its status 'todo' is not 'open'; "
        "it is on hold for that reason"
    ]


def test_a_draft_is_work_in_shark_alone(tables: Tables, tmp_path: Path) -> None:
    tables.task(status="draft")
    path = tmp_path / "plan.csv"
    path.write_text("key,title,status\na,A,Draft\n")

    assert tables.plan().tasks[0].status is TaskStatus.PENDING
    assert read_plan("csv", path).tasks[0].blocked_reason == "Draft"


def test_an_issue_of_beads_for_a_person_is_on_hold(read: Read) -> None:
    """`bd ready` leaves out what is labelled human, in these letters."""
    plan = read(issue(1, labels=["human", "ui"]), issue(2, labels=["Human"]))

    assert [task.blocked_reason for task in plan.tasks] == ["human", None]
    assert plan.tasks[0].labels == ("human", "ui")


def gate(target: str, **metadata: Any) -> dict[str, Any]:
    return on(target, "waits-for", metadata=json.dumps(metadata))


@pytest.mark.parametrize("said", [True, "true"])
def test_a_wait_for_children_may_be_for_the_issue_too(read: Read, said: object) -> None:
    plan = read(
        issue(1),
        child("1.1", 1),
        child("1.2", 1, status="closed"),
        issue(2, dependencies=[gate("bd-1", gate="all-children", also_blocks=said)]),
        issue(3, dependencies=[gate("bd-1", gate="any-children", also_blocks=said)]),
        issue(4, dependencies=[gate("bd-1", gate="any-children", also_blocks=False)]),
    )

    assert waits(plan) == [("bd-2", "bd-1.1"), ("bd-2", "bd-1"), ("bd-3", "bd-1")]
    assert not plan.remarks


def test_nothing_waits_for_an_issue_that_is_over_pinned_or_not_there(read: Read) -> None:
    whole = {"gate": "all-children", "also_blocks": True}
    plan = read(
        issue(1, status="closed", closed_at="2026-01-01T00:00:00Z"),
        issue(2, status="pinned"),
        issue(3, dependencies=[gate(f"bd-{n}", **whole) for n in (1, 2, 9)]),
    )

    assert waits(plan) == []
    assert by_key(plan)["bd-3"].status is TaskStatus.PENDING


def test_an_issue_that_waits_for_one_that_waits_for_it_is_on_hold(read: Read) -> None:
    plan = read(
        issue(1, dependencies=[on("bd-2")]),
        issue(2, dependencies=[gate("bd-1", also_blocks=True)]),
    )

    assert by_key(plan)["bd-2"].blocked_reason == "waits for bd-1, which waits for it"


def test_only_the_gate_of_the_metadata_says_that_one_child_is_enough(read: Read) -> None:
    plan = read(
        issue(1),
        child("1.1", 1),
        child("1.2", 1, status="closed"),
        issue(2, dependencies=[gate("bd-1", gate="all-children", note="not any-children")]),
        issue(3, dependencies=[on("bd-1", "waits-for", metadata="any-children, {")]),
    )

    assert waits(plan) == [("bd-2", "bd-1.1"), ("bd-3", "bd-1.1")]


@pytest.mark.parametrize("label", ["wontfix", "duplicate", "invalid", "status: withdrawn"])
def test_an_open_issue_of_github_that_nobody_will_do_is_on_hold(tmp_path: Path, label: str) -> None:
    path = tmp_path / "issues.json"
    path.write_text(json.dumps([{"number": 1, "state": "OPEN", "labels": [{"name": label}]}]))

    assert read_plan("github", path).tasks[0].blocked_reason == label


def test_the_column_of_a_board_holds_an_issue_of_github(tmp_path: Path) -> None:
    boards, done, review, doing = (
        [{"title": "Board", "status": {"optionId": "1", "name": name}}]
        for name in ("Blocked", "✅ Done", "👀 In review", "🏗 In progress")
    )
    path = tmp_path / "issues.json"
    path.write_text(
        json.dumps(
            [
                {"number": 1, "state": "OPEN", "projectItems": boards},
                {"number": 2, "state": "OPEN", "projectItems": [{"title": "Board"}]},
                {"number": 3, "state": "OPEN", "projectItems": boards, "labels": ["Blocked"]},
                {"number": 4, "state": "OPEN", "projectItems": done},
                {"number": 5, "state": "OPEN", "projectItems": review},
                {"number": 6, "state": "OPEN", "projectItems": doing, "labels": ["testing"]},
            ]
        )
    )

    reasons = [task.blocked_reason for task in read_plan("github", path).tasks]

    assert reasons == ["Blocked", None, "Blocked", "✅ Done", "👀 In review", None]


def test_an_issue_of_github_whose_conversation_is_locked_is_work(tmp_path: Path) -> None:
    path = tmp_path / "issues.json"
    path.write_text(json.dumps([{"number": 1, "title": "One", "state": "open", "locked": True}]))

    plan = read_plan("github", path)

    assert [task.status for task in plan.tasks] == [TaskStatus.PENDING]
    assert plan.tasks[0].metadata["locked"] is True
    assert plan.findings.rows == []


@pytest.mark.parametrize(
    "name",
    [
        *("waiting on", "waitsFor", "Predecessors", "prerequisites", "requires", "depends"),
        *("deleted_at", "archivedAt", "blocked-on", "isArchived", "deletedOn"),
        *("is_blocked", "onHold", "Blocked By (Dependencies)", "dependsOnIds", "parent_blocked"),
        "Eingehende Vorgangsverknüpfung (Blocks)",
    ],
)
def test_a_field_whose_name_holds_a_task_does(tmp_path: Path, name: str) -> None:
    path = tmp_path / "plan.jsonl"
    row = {"key": "a", "title": "A", "status": "open"}
    rows = [{**row, name: "b"}, {**row, "key": "b", name: ""}, {**row, "key": "c", name: None}]
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))

    found = read_plan("jsonl", path).tasks

    assert [task.status for task in found] == [HELD, TaskStatus.PENDING, TaskStatus.PENDING]
    assert found[0].blocked_reason == name


@pytest.mark.parametrize(
    "name", ["dependency_count", "blocked_at", "dependencies_summary", "unblocked by", "dependents"]
)
def test_a_field_whose_name_only_counts_holds_nothing_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / "plan.jsonl"
    path.write_text(json.dumps({"key": "a", "title": "A", "status": "open", name: 3}))

    assert read_plan("jsonl", path).tasks[0].status is TaskStatus.PENDING


@pytest.mark.parametrize("word", ["Invalid", "Incomplete", "Superseded"])
def test_a_resolution_without_a_result_cancels_an_issue_of_jira(tmp_path: Path, word: str) -> None:
    path = tmp_path / "jira.csv"
    path.write_text(f"Issue key,Summary,Status,Resolution\nP-1,One,Closed,{word}\n")

    assert read_plan("jira", path).tasks[0].status is TaskStatus.CANCELLED


@pytest.fixture
def database(tables: Tables) -> Tables:
    """A newer database of shark: six tasks, two bugs and two questions."""
    for _ in range(6):
        tables.task()
    for number, status in ((1, "draft"), (2, "completed")):
        tables.add("bugs", id=number, key=f"B00{number}", title="Bug", status=status)
    for number, status in ((1, "open"), (2, "withdrawn")):
        tables.add("questions", id=number, key=f"Q00{number}", title="Why", status=status)
    tables.add("schema_version", version=13)
    return tables


Relate = Callable[..., None]


@pytest.fixture
def relate(database: Tables) -> Relate:
    """Add a relation between two entities, each a kind and a number."""

    def relate(start: tuple[str, int], kind: str, end: tuple[str, int]) -> None:
        ends: dict[str, object] = {}
        for side, (what, number) in (("from", start), ("to", end)):
            ends |= {f"{side}_entity_type": what, f"{side}_entity_id": number}
        database.add("entity_relationships", relationship_type=kind, **ends)

    return relate


def test_tasks_of_a_newer_shark_wait_by_its_table_for_all_entities(
    database: Tables, relate: Relate
) -> None:
    relate(("task", 1), "depends_on", ("task", 2))
    relate(("task", 3), "blocks", ("task", 2))
    relate(("task", 5), "related_to", ("task", 4))

    plan = database.plan()

    assert [(e.task, e.depends_on) for e in plan.edges] == [("T-1", "T-2"), ("T-2", "T-3")]
    assert by_key(plan)["T-5"].metadata["relations"] == [{"type": "related_to", "key": "T-4"}]
    assert {finding.what for finding in plan.findings} == {"bug", "question"}


def test_tasks_of_a_newer_shark_wait_for_bugs_and_questions(
    database: Tables, relate: Relate
) -> None:
    relate(("task", 1), "depends_on", ("bug", 1))
    relate(("task", 2), "depends_on", ("bug", 2))
    relate(("question", 1), "question_blocks", ("task", 3))
    relate(("question", 2), "question_blocks", ("task", 4))
    relate(("bug", 9), "blocks", ("task", 5))
    relate(("task", 6), "blocks", ("bug", 1))

    plan = database.plan()

    assert [task.blocked_reason for task in plan.tasks] == [
        "waits for bug B001",
        None,
        "waits for question Q001",
        None,
        "waits for bug 9",
        None,
    ]
    assert by_key(plan)["T-3"].metadata["relations"] == [
        {"type": "inward question_blocks", "key": "question Q001"}
    ]
    assert not plan.remarks[1:]


def test_what_both_tables_of_shark_have_counts_once(database: Tables) -> None:
    moment = "2026-01-01 10:00:00"
    older = {"task_id": 1, "note_type": "comment", "content": "Same", "created_at": moment}
    newer = {"entity_type": "task", "entity_id": 1, "note_type": "comment", "created_at": moment}
    database.add("task_notes", id=1, **older)
    database.add("entity_notes", id=7, content="Same", **newer)
    database.add("entity_notes", id=8, content="New", **newer)
    database.add("entity_notes", id=9, content="Of a bug", **{**newer, "entity_type": "bug"})
    database.add(
        "entity_history",
        entity_type="task",
        entity_id=1,
        from_status="draft",
        to_status="todo",
        changed_by="ann",
        changed_at=moment,
    )
    database.add("tags", id=1, name="voice")
    database.add("entity_tags", entity_type="task", entity_id=1, tag_id=1)
    database.add("entity_tags", entity_type="epic", entity_id=1, tag_id=1)

    plan = database.plan()
    task = by_key(plan)["T-1"]

    assert [note["content"] for note in task.metadata["notes"]] == ["Same", "New"]
    assert [(row.task, row.new_status, row.agent) for row in plan.history] == [
        ("T-1", TaskStatus.PENDING, "ann")
    ]
    assert task.labels == ("voice",)
    assert [f.where for f in plan.findings if f.what not in ("bug", "question")] == [
        "entity_tags.jsonl:2",
        "entity_notes.jsonl:3",
    ]
