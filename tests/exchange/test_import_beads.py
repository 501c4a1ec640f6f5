"""The reader of beads' issue files, on small ones made by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from taskdb.errors import ValidationError
from taskdb.exchange import ReadOptions, read_plan
from taskdb.models.types import TaskStatus
from tests.exchange.beads_lines import Read, issue, on
from tests.exchange_files import by_key, changed, refused, write_lines


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("open", TaskStatus.PENDING),
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


@pytest.mark.slow
def test_many_issues_under_one_id_get_keys_in_linear_work(tmp_path: Path) -> None:
    rows = [issue(1, title=f"Title {number}") for number in range(3000)]
    path = write_lines(tmp_path / "issues.jsonl", *rows)

    plan = read_plan("beads", path, options=ReadOptions(rename_duplicates=True))

    assert len({task.key for task in plan.tasks}) == 3000


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
