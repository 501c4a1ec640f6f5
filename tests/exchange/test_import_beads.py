"""The reader of beads' issue files, on small ones made by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from taskdb.errors import ValidationError
from taskdb.exchange import ReadOptions, read_plan
from taskdb.exchange.plan import Plan
from taskdb.models.types import DependencyType, TaskStatus
from tests.exchange_files import by_key, changed, refused, write_lines

Read = Callable[..., Plan]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read a file of these lines."""

    def read(*rows: object, prefix: str = "") -> Plan:
        path = write_lines(tmp_path / "issues.jsonl", *rows)
        return read_plan("beads", path, prefix=prefix)

    return read


def issue(number: object, **values: Any) -> dict[str, Any]:
    return {
        "id": f"bd-{number}",
        "title": f"Issue {number}",
        "status": "open",
        "issue_type": "task",
        "priority": 2,
        "created_at": "2025-10-16T14:22:38.123456789-07:00",
        **values,
    }


def on(target: str, kind: str = "blocks", owner: object = None, **more: Any) -> dict[str, Any]:
    return {"issue_id": owner, "depends_on_id": target, "type": kind, **more}


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("open", TaskStatus.PENDING),
        ("pending", TaskStatus.PENDING),
        ("in_progress", TaskStatus.IN_PROGRESS),
        ("hooked", TaskStatus.IN_PROGRESS),
        ("review", TaskStatus.IN_REVIEW),
        ("closed", TaskStatus.COMPLETED),
        ("done", TaskStatus.COMPLETED),
        ("tombstone", TaskStatus.CANCELLED),
        ("blocked", TaskStatus.BLOCKED),
    ],
)
def test_each_status_of_theirs_means_one_of_ours(read: Read, word: str, status: TaskStatus) -> None:
    plan = read(issue(1, status=word))

    assert plan.tasks[0].status is status
    assert plan.tasks[0].metadata["source"]["status"] == word
    assert not len(plan.findings)


def test_an_issue_of_an_unknown_status_is_on_hold_and_reported(read: Read) -> None:
    plan = read(issue(1, status="awaiting_review"))

    assert plan.tasks[0].status is TaskStatus.BLOCKED
    assert plan.tasks[0].blocked_reason == "awaiting_review"
    assert "its status 'awaiting_review' is unknown" in changed(plan.findings)[0]


@pytest.mark.parametrize("word", ["", None])
def test_an_absent_status_is_open_as_for_the_tool_itself(read: Read, word: object) -> None:
    plan = read(issue(1, status=word))

    assert plan.tasks[0].status is TaskStatus.PENDING
    assert not len(plan.findings)


def test_an_unknown_status_with_a_time_of_closing_is_closed(read: Read) -> None:
    plan = read(issue(1, status="verified", closed_at="2025-10-17T00:00:00Z"))

    assert plan.tasks[0].status is TaskStatus.COMPLETED
    assert not len(plan.findings)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"status": "pinned"}, "pinned"),
        ({"pinned": True}, "pinned"),
        ({"ephemeral": True}, "ephemeral"),
        ({"is_template": True}, "template"),
        ({"issue_type": "gate"}, "gate"),
        ({"issue_type": "message"}, "message"),
        ({"issue_type": "agent"}, "agent"),
        ({"issue_type": "molecule"}, "molecule"),
        ({"issue_type": "merge-request"}, "merge-request"),
        ({"pinned": True, "issue_type": "gate"}, "pinned; gate"),
    ],
)
def test_what_is_no_work_is_on_hold_without_a_finding(
    read: Read, fields: dict[str, Any], reason: str
) -> None:
    plan = read(issue(1, **fields))

    assert plan.tasks[0].status is TaskStatus.BLOCKED
    assert plan.tasks[0].blocked_reason == reason
    assert not len(plan.findings)


@pytest.mark.parametrize(
    ("fields", "reason"), [({"issue_type": "probe"}, "probe"), ({"frozen": True}, "frozen")]
)
def test_an_unknown_type_or_flag_is_a_hold_and_reported(
    read: Read, fields: dict[str, Any], reason: str
) -> None:
    plan = read(issue(1, **fields))

    assert (plan.tasks[0].status, plan.tasks[0].blocked_reason) == (TaskStatus.BLOCKED, reason)
    assert repr(reason) in changed(plan.findings)[0]
    assert "it is on hold for that reason" in changed(plan.findings)[0]


@pytest.mark.parametrize("fields", [{"pinned": False}, {"crystallizes": True}, {"ephemeral": 0}])
def test_flags_that_are_off_or_harmless_hold_nothing_back(
    read: Read, fields: dict[str, Any]
) -> None:
    assert read(issue(1, **fields)).tasks[0].status is TaskStatus.PENDING


def test_a_closed_gate_is_closed(read: Read) -> None:
    assert read(issue(1, issue_type="gate", status="closed")).tasks[0].blocked_reason is None


def test_a_blocker_in_another_project_is_a_hold(read: Read) -> None:
    plan = read(issue(1, dependencies=[on("external:web:3")]), issue(2), issue(3))

    (task, *_) = plan.tasks
    assert (task.status, task.blocked_reason) == (TaskStatus.BLOCKED, "waits for external:web:3")
    assert task.metadata["relations"] == [{"type": "blocks", "key": "external:web:3"}]
    assert not len(plan.findings)


def waits(plan: Plan) -> list[tuple[str, str]]:
    return [(edge.task, edge.depends_on) for edge in plan.waits]


def child(number: object, parent: object, **values: Any) -> dict[str, Any]:
    return issue(number, parent=f"bd-{parent}", **values)


def test_children_of_a_blocked_parent_wait_for_what_blocks_it(read: Read) -> None:
    plan = read(
        issue(1),
        issue(2, issue_type="epic", dependencies=[on("bd-1")]),
        child(3, 2),
        child(4, 3),
        child(5, 2, status="closed"),
        issue(6),
    )

    assert waits(plan) == [("bd-3", "bd-1"), ("bd-4", "bd-1")]
    assert all(edge.derived for edge in plan.waits)
    assert [(edge.task, edge.depends_on) for edge in plan.edges] == [("bd-2", "bd-1")]


def test_a_closed_blocker_or_parent_holds_no_child_back(read: Read) -> None:
    plan = read(
        issue(1, status="closed"),
        issue(2, dependencies=[on("bd-1")]),
        child(3, 2),
        issue(4, status="closed", dependencies=[on("bd-3")]),
        child(5, 4),
    )

    assert waits(plan) == []


def test_children_of_a_deferred_parent_wait_for_its_time_or_its_release(read: Read) -> None:
    dated, undated, below = (
        by_key(
            read(
                issue(1, status="deferred", defer_until="2099-01-01T00:00:00Z"),
                child("1.1", 1),
                issue(2, status="deferred"),
                child("2.1", 2),
                child("2.1.1", "2.1"),
            )
        ),
        "bd-2.1",
        "bd-2.1.1",
    )

    assert dated["bd-1.1"].scheduled_at == datetime(2099, 1, 1, tzinfo=UTC)
    assert dated[undated].blocked_reason == "its parent bd-2 is on hold: deferred"
    assert dated[below].blocked_reason == "its parent bd-2.1 is on hold: deferred"


def test_children_of_a_pinned_parent_are_work(read: Read) -> None:
    plan = read(issue(1, pinned=True), child(2, 1), issue(3, issue_type="molecule"), child(4, 3))

    tasks = by_key(plan)
    assert tasks["bd-2"].status is tasks["bd-4"].status is TaskStatus.PENDING


def test_a_child_that_its_parent_waits_for_is_on_hold_and_closes_no_loop(read: Read) -> None:
    plan = read(
        issue(1, dependencies=[on("bd-2")]), issue(2, dependencies=[on("bd-3")]), child(3, 1)
    )

    assert waits(plan) == []
    assert by_key(plan)["bd-3"].blocked_reason == (
        "its parent bd-1 waits for bd-2, which waits for it"
    )


def test_children_beyond_the_limit_of_derived_edges_are_on_hold(read: Read) -> None:
    blockers = [issue(f"b{n}") for n in range(60)]
    parent = issue("p", dependencies=[on(f"bd-b{n}") for n in range(60)])
    children = [child(f"c{n}", "p") for n in range(60)]

    plan = read(*blockers, parent, *children)

    rows = len(plan.tasks) + len(plan.edges)
    assert len(plan.waits) <= 8 * rows
    held = [task for task in plan.tasks if task.blocked_reason == "its parent bd-p is blocked"]
    assert len(plan.waits) == 60 * (60 - len(held))
    assert len(held) > 0


def test_lines_of_memories_are_kept_and_unknown_kinds_refused(read: Read) -> None:
    plan = read(
        {"_type": "issue", **issue(1)},
        {"_type": "memory", "key": "k", "value": "v"},
        {"_type": "mood", "id": "bd-9", "title": "x"},
    )

    assert [task.key for task in plan.tasks] == ["bd-1"]
    assert plan.about == {"memories": [{"key": "k", "value": "v"}]}
    assert "is of the unknown kind 'mood'" in refused(plan.findings)[0]


def test_different_issues_under_one_id_can_be_renamed(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "issues.jsonl",
        issue(1, title="one"),
        issue(1, title="two", created_at="2025-01-01T00:00:00Z"),
        issue(1, title="two"),
        issue(1, title="two", status="closed"),
    )

    plan = read_plan("beads", path, options=ReadOptions(rename_duplicates=True))

    assert [(task.key, task.where) for task in plan.tasks] == [
        ("bd-1~2", "issues.jsonl:1"),
        ("bd-1~3", "issues.jsonl:2"),
        ("bd-1", "issues.jsonl:4"),
    ]
    assert plan.renamed == {
        "bd-1~2": "bd-1 at issues.jsonl:1",
        "bd-1~3": "bd-1 at issues.jsonl:2",
    }
    assert refused(plan.findings) == [
        "issues.jsonl:3: refused task bd-1: line 4 has the same id, and the last one counts"
    ]


def test_a_hooked_issue_is_reserved_for_its_assignee(read: Read) -> None:
    hooked, other = read(
        issue(1, status="hooked", assignee="ann"), issue(2, status="in_progress", assignee="ann")
    ).tasks

    assert (hooked.assigned_agent, other.assigned_agent) == ("ann", None)
    (long,) = read(issue(1, status="hooked", assignee="x" * 201)).tasks
    assert long.assigned_agent is None


def test_a_time_of_closing_without_a_status_is_closed(read: Read) -> None:
    plan = read(issue(1, status=None, closed_at="2025-10-17T00:00:00Z"))

    assert plan.tasks[0].status is TaskStatus.COMPLETED


def test_labels_are_data(read: Read) -> None:
    labels = ["ui", "p:1", "ui", "a\x00b", "x" * 201, 7]

    (task,) = read(issue(1, labels=labels)).tasks

    assert task.labels == ("ui", "p:1", "a\ufffdb")
    assert len(task.metadata["labels"]) == 6


@pytest.mark.parametrize(
    ("kind", "edge", "parent"),
    [
        ("requires", ("bd-2", "bd-1"), None),
        ("blocks", ("bd-2", "bd-1"), None),
        ("requires-reversed", ("bd-1", "bd-2"), None),
        ("parent", None, ("bd-2", "bd-1")),
        ("parent-reversed", None, ("bd-1", "bd-2")),
    ],
)
def test_edges_by_other_words_can_be_taken(
    tmp_path: Path, kind: str, edge: tuple[str, str] | None, parent: tuple[str, str] | None
) -> None:
    path = write_lines(
        tmp_path / "issues.jsonl", issue(1), issue(2, dependencies=[on("bd-1", "needs")])
    )

    plan = read_plan("beads", path, options=ReadOptions(edges={"needs": kind}))

    assert [(e.task, e.depends_on) for e in plan.edges] == ([edge] if edge else [])
    parents = [(task.key, task.parent) for task in plan.tasks if task.parent]
    assert parents == ([parent] if parent else [])
    assert plan.remarks == []


def test_edges_by_other_words_are_named_with_number_direction_and_option(read: Read) -> None:
    plan = read(
        issue(1),
        issue(2, dependencies=[on("bd-1", "depends-on"), on("bd-3", "subtask-of")]),
        issue(3, dependencies=[on("bd-1", "depends-on"), on("bd-1", "related")]),
    )

    assert plan.remarks == [
        "2 edges of type depends-on and 1 of subtask-of hold nothing back "
        "(depends-on: bd-2 -> bd-1; subtask-of: bd-2 -> bd-3); "
        "take them with --edge depends-on=requires --edge subtask-of=parent"
    ]


def test_of_many_words_for_edges_the_most_frequent_are_named(read: Read) -> None:
    words = [on("bd-1", f"word-{number}") for number in range(30)]

    (remark,) = read(issue(1), issue(2, dependencies=[*words, on("bd-1", "word-7")])).remarks

    assert remark.startswith("2 edges of type word-7, 1 of word-0, ")
    assert "and others of 20 more types hold nothing back" in remark


def test_many_issues_under_one_id_get_keys_in_linear_work(tmp_path: Path) -> None:
    rows = [issue(1, title=f"Title {number}") for number in range(3000)]
    path = write_lines(tmp_path / "issues.jsonl", *rows)

    plan = read_plan("beads", path, options=ReadOptions(rename_duplicates=True))

    assert len({task.key for task in plan.tasks}) == 3000


def test_a_kind_of_edge_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "issues.jsonl", issue(1))

    with pytest.raises(ValidationError, match=r"edges must be requires, .*and not 'maybe'"):
        read_plan("beads", path, options=ReadOptions(edges={"x": "maybe"}))


def test_a_deferred_issue_is_pending_at_its_time_or_blocked_without_one(read: Read) -> None:
    first, second, third = read(
        issue(1, status="deferred", defer_until="2030-01-01T00:00:00Z"),
        issue(2, status="deferred"),
        issue(3, status="deferred", defer_until="sometime"),
    ).tasks

    assert (first.status, first.scheduled_at) == (
        TaskStatus.PENDING,
        datetime(2030, 1, 1, tzinfo=UTC),
    )
    for undated in (second, third):
        assert (undated.status, undated.blocked_reason) == (TaskStatus.BLOCKED, "deferred")


@pytest.mark.parametrize(("said", "priority"), [(0, 1), (1, 3), (2, 5), (3, 7), (4, 9), (None, 1)])
def test_each_priority_of_theirs_means_one_of_ours(
    read: Read, said: int | None, priority: int
) -> None:
    plan = read(issue(1, priority=said))

    assert plan.tasks[0].priority == priority
    assert plan.tasks[0].metadata["source"].get("priority") == said
    assert not len(plan.findings)


def test_an_absent_priority_is_the_most_urgent(read: Read) -> None:
    row = issue(1)
    del row["priority"]

    assert read(row).tasks[0].priority == 1


@pytest.mark.parametrize("said", [5, -1, "2", 1.5, True])
def test_any_other_priority_counts_as_5_and_is_reported(read: Read, said: object) -> None:
    plan = read(issue(1, priority=said))

    assert plan.tasks[0].priority == 5
    assert plan.tasks[0].metadata["source"]["priority"] == said
    assert "is not 0 to 4" in changed(plan.findings)[0]


def test_edges_become_gates_parents_or_relations(read: Read) -> None:
    plan = read(
        issue(1),
        issue(2, dependencies=[on("bd-1", created_by="ann", created_at="2025-10-16T00:00:00Z")]),
        issue(3, dependencies=[on("bd-1", "conditional-blocks"), on("bd-2", "waits-for")]),
        issue(4, dependencies=[on("bd-1", "parent-child"), on("bd-2", "discovered-from", x="y")]),
        issue(5, dependencies=[on("bd-1", "parent"), on("external:web:3", "related")]),
    )

    tasks = by_key(plan)
    assert [(e.task, e.depends_on, e.dependency_type) for e in plan.edges] == [
        ("bd-2", "bd-1", DependencyType.BLOCKS),
        ("bd-3", "bd-1", DependencyType.BLOCKS),
        ("bd-3", "bd-2", DependencyType.BLOCKS),
    ]
    assert plan.edges[0].created_by == "ann"
    assert plan.edges[0].created_at == datetime(2025, 10, 16, tzinfo=UTC)
    assert tasks["bd-4"].parent == "bd-1"
    assert tasks["bd-4"].metadata["relations"] == [
        {"type": "discovered-from", "key": "bd-2", "x": "y"}
    ]
    assert tasks["bd-5"].metadata["relations"] == [
        {"type": "parent", "key": "bd-1"},
        {"type": "related", "key": "external:web:3"},
    ]
    assert not len(plan.findings)


def test_the_field_parent_is_a_parent_too(read: Read) -> None:
    plan = read(issue(1), issue(2, parent="bd-1", dependencies=[on("bd-1", "parent-child")]))

    assert by_key(plan)["bd-2"].parent == "bd-1"
    assert not len(plan.findings)


def test_a_second_parent_is_refused(read: Read) -> None:
    plan = read(
        issue(1),
        issue(2),
        issue(3, dependencies=[on("bd-1", "parent-child"), on("bd-2", "parent-child")]),
    )

    assert by_key(plan)["bd-3"].parent == "bd-1"
    assert refused(plan.findings) == [
        "issues.jsonl:3: refused parent bd-3: bd-2 would be a second parent; bd-1 is one already"
    ]


def test_edges_that_cannot_be_taken_are_refused_one_by_one(read: Read) -> None:
    plan = read(
        issue(1),
        issue(2, dependencies=[on("bd-9"), on("external:web:3"), on("", "related")]),
        issue(3, dependencies=[on("bd-1", owner="bd-2"), on("bd-1", owner="bd-3")]),
        issue(4, dependencies="bd-1", parent=7),
    )

    assert [(e.task, e.depends_on) for e in plan.edges] == [("bd-3", "bd-1")]
    assert sorted(line.split(" refused ")[1] for line in refused(plan.findings)) == [
        "dependency bd-2: on bd-9 (blocks): bd-9 is no task of this file",
        "dependency bd-2: related: names no issue that it depends on",
        "dependency bd-3: blocks bd-1: belongs to bd-2, not to the issue of its line",
    ]
    assert [line.split(": ")[2] for line in changed(plan.findings)] == [
        "dependencies 'bd-1' is not a list of objects; left out",
        "parent 7 is not an id; left out",
    ]


def test_of_lines_with_the_same_id_the_last_counts(read: Read) -> None:
    plan = read(issue(1, title="old", dependencies=[on("bd-2")]), issue(2), issue(1, title="new"))

    assert [(task.key, task.title) for task in plan.tasks] == [("bd-2", "Issue 2"), ("bd-1", "new")]
    assert plan.edges == []
    assert refused(plan.findings) == [
        "issues.jsonl:1: refused task bd-1: line 3 has the same id, and the last one counts"
    ]


def test_every_field_finds_its_place(read: Read) -> None:
    plan = read(
        issue(
            1,
            description="What",
            design="How",
            acceptance_criteria="Works",
            notes="later",
            status="closed",
            closed_at="2025-10-17T00:00:00Z",
            updated_at="2025-10-18T00:00:00Z",
            due_at="2025-11-01T00:00:00Z",
            deleted_at="0001-01-01T00:00:00Z",
            assignee="ann",
            created_by="bob",
            estimated_minutes=90,
            labels=["ui", "p:1"],
            comments=[{"id": 1, "text": "yes"}],
            close_reason="done",
            metadata={"theirs": 1},
        )
    )

    (task,) = plan.tasks
    assert task.requirements == {"design": "How", "acceptance_criteria": "Works"}
    assert (task.created_by, task.estimated_hours) == ("bob", Decimal("1.50"))
    assert task.created_at == datetime(2025, 10, 16, 21, 22, 38, 123456, tzinfo=UTC)
    assert task.completed_at == datetime(2025, 10, 17, tzinfo=UTC)
    assert task.metadata == {
        "source": {
            "kind": "beads",
            "file": plan.path,
            "at": "issues.jsonl:1",
            "status": "closed",
            "priority": 2,
            "assignee": "ann",
            "updated_at": "2025-10-18T00:00:00+00:00",
            "deleted_at": "0001-01-01T00:00:00Z",
        },
        "labels": ["ui", "p:1"],
        "comments": [{"id": 1, "text": "yes"}],
        "due_at": "2025-11-01T00:00:00+00:00",
        "issue_type": "task",
        "notes": "later",
        "close_reason": "done",
        "metadata": {"theirs": 1},
    }
    assert "the year 1" in changed(plan.findings)[0]


def test_lines_that_are_no_issues_are_refused(read: Read) -> None:
    plan = read(b"<<<<<<< HEAD", issue(1), {"title": "no id"}, issue("x" * 100), issue("\n"))

    assert [task.key for task in plan.tasks] == ["bd-1"]
    assert [finding.where for finding in plan.findings] == [
        "issues.jsonl:1:1",
        "issues.jsonl:3",
        "issues.jsonl:4",
        "issues.jsonl:5",
    ]


def test_a_prefix_goes_before_every_key(read: Read) -> None:
    plan = read(
        issue(1),
        issue(2, dependencies=[on("bd-1"), on("bd-1", "related", owner="bd-2"), on("bd-7", "x")]),
        prefix="web-",
    )

    assert [task.key for task in plan.tasks] == ["web-bd-1", "web-bd-2"]
    assert (plan.edges[0].task, plan.edges[0].depends_on) == ("web-bd-2", "web-bd-1")
    relations = by_key(plan)["web-bd-2"].metadata["relations"]
    assert [relation["key"] for relation in relations] == ["web-bd-1", "bd-7"]


def test_a_key_that_a_prefix_makes_too_long_is_refused(read: Read) -> None:
    plan = read(issue(1), issue("x" * 90), prefix="web-1234")

    assert [task.key for task in plan.tasks] == ["web-1234bd-1"]
    assert "its key has 101 characters" in refused(plan.findings)[0]


def test_a_file_without_an_issue_is_refused(read: Read) -> None:
    with pytest.raises(ValidationError, match="plan holds no issue"):
        read({"name": "package"})
