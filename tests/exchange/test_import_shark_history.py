"""Times, history and what has no column of ours, of a shark plan."""

from __future__ import annotations

from datetime import UTC, datetime

from taskdb.models.types import TaskStatus
from tests.exchange.shark_tables import DAY, Tables
from tests.exchange_files import by_key, changed, refused


def test_work_in_progress_is_a_lapsed_claim_of_its_assignee(tables: Tables) -> None:
    tables.task(
        status="in_development", assigned_agent="ann", started_at="2025-12-26 10:00:00+00:00"
    )
    tables.task(status="in_progress", updated_at="2025-12-27 10:00:00")

    first, second = tables.plan().tasks

    assert first.claim is not None
    assert (first.claim.agent, first.claim.claimed_at) == (
        "ann",
        datetime(2025, 12, 26, 10, tzinfo=UTC),
    )
    assert second.claim is not None
    assert (second.claim.agent, second.started_at) == (
        "unknown",
        datetime(2025, 12, 27, 10, tzinfo=UTC),
    )


def test_a_time_of_completion_stays_only_with_a_completed_task(tables: Tables) -> None:
    tables.task(status="ready_for_qa", completed_at="2026-01-01 00:00:00")

    plan = tables.plan()

    (task,) = plan.tasks
    assert task.completed_at is None
    assert task.metadata["source"]["completed_at"] == "2026-01-01T00:00:00+00:00"
    assert "but is in_review" in changed(plan.findings)[0]


def test_completion_before_creation_becomes_the_creation(tables: Tables) -> None:
    tables.task(status="completed", completed_at="2025-12-01 00:00:00")

    plan = tables.plan()

    (task,) = plan.tasks
    assert task.completed_at == task.created_at
    assert task.metadata["source"]["completed_at"] == "2025-12-01T00:00:00+00:00"
    assert "before its creation" in changed(plan.findings)[0]


def test_a_reason_for_blocking_stays_with_a_blocked_task(tables: Tables) -> None:
    tables.task(status="blocked", blocked_reason="no keys")
    tables.task(status="todo", blocked_reason="was held")

    first, second = tables.plan().tasks

    assert (first.status, first.blocked_reason) == (TaskStatus.BLOCKED, "no keys")
    assert second.blocked_reason is None
    assert second.metadata["source"]["blocked_reason"] == "was held"


def test_history_keeps_its_times_agents_and_words(tables: Tables) -> None:
    tables.task()
    tables.add(
        "task_history",
        id=1,
        task_id=1,
        old_status=None,
        new_status="todo",
        agent=None,
        notes="made",
        forced=0,
        timestamp=DAY,
    )
    tables.add(
        "task_history",
        id=2,
        task_id=1,
        old_status="ready_for_qa",
        new_status="completed",
        agent="ann",
        forced=1,
        timestamp="2025-12-25 21:25:56.5-06:00",
        rejection_reason="none",
    )

    plan = tables.plan()

    first, second = plan.history
    assert (first.old_status, first.new_status, first.agent, first.note, first.forced) == (
        None,
        TaskStatus.PENDING,
        "unknown",
        "made",
        False,
    )
    assert (second.old_status, second.new_status, second.agent, second.forced) == (
        TaskStatus.IN_REVIEW,
        TaskStatus.COMPLETED,
        "ann",
        True,
    )
    assert second.created_at == datetime(2025, 12, 26, 3, 25, 56, 500_000, tzinfo=UTC)
    assert by_key(plan)["T-1"].metadata["source_history"] == [
        {"at": "2025-12-20T17:45:04+00:00", "to": "todo"},
        {
            "at": "2025-12-26T03:25:56.500000+00:00",
            "from": "ready_for_qa",
            "to": "completed",
            "rejection_reason": "none",
        },
    ]
    assert not len(plan.findings)


def test_history_that_cannot_be_taken_is_reported_row_by_row(tables: Tables) -> None:
    tables.task()
    moved = {"old_status": "todo", "new_status": "completed", "timestamp": DAY}
    tables.add("task_history", task_id=9, **moved)
    tables.add("task_history", task_id=1, **moved | {"new_status": "", "notes": "Imported"})
    tables.add("task_history", task_id=1, **moved | {"timestamp": "never"})
    tables.add("task_history", task_id=1, **moved | {"new_status": "in_refinement"})
    tables.add("task_history", task_id=1, **moved | {"new_status": "perhaps"})

    plan = tables.plan()

    assert [row.new_status for row in plan.history] == [TaskStatus.BLOCKED, TaskStatus.BLOCKED]
    assert by_key(plan)["T-1"].metadata["source_history"][0]["note"] == "Imported"
    assert [finding.as_text().split(": ", 1)[1] for finding in plan.findings] == [
        "refused history: its task is not in tasks.jsonl, or was refused",
        "changed history T-1: names no status; it stands in metadata.source_history",
        "changed history T-1: timestamp 'never' is not a date and time; left out",
        "refused history T-1: has no time",
        "changed history T-1: its status 'perhaps' is unknown; it counts as on hold",
    ]


def test_notes_sessions_criteria_and_documents_go_to_metadata(tables: Tables) -> None:
    tables.task()
    tables.add("task_notes", id=1, task_id=1, note_type="decision", content="SQLite")
    tables.add("work_sessions", id=1, task_id=1, agent_id="ann", outcome="completed")
    tables.add("task_criteria", id=1, task_id=1, criterion="works", status="pending")
    tables.add("documents", id=7, title="Design", file_path="docs/design.md")
    tables.add("task_documents", task_id=1, document_id=7)
    tables.add("epic_documents", epic_id=4, document_id=7)

    plan = tables.plan()

    metadata = plan.tasks[0].metadata
    assert metadata["notes"] == [{"note_type": "decision", "content": "SQLite"}]
    assert metadata["work_sessions"] == [{"agent_id": "ann", "outcome": "completed"}]
    assert metadata["criteria"] == [{"criterion": "works", "status": "pending"}]
    assert metadata["documents"] == [{"title": "Design", "file_path": "docs/design.md"}]
    assert plan.epics[0].metadata["documents"] == metadata["documents"]


def test_rows_without_an_owner_or_a_place_are_refused(tables: Tables) -> None:
    tables.task()
    tables.add("task_notes", id=1, task_id=9, content="lost")
    tables.add("documents", id=7, title="Design")
    tables.add("feature_documents", feature_id=9, document_id=7)
    tables.add("task_documents", task_id=1, document_id=8)
    tables.add("ideas", id=1, key="I-1", title="Perhaps")
    tables.add("moods", id=1, key="I-2")

    plan = tables.plan()

    assert [line.split(" refused ")[1] for line in refused(plan.findings)] == [
        "note: its task is not in tasks.jsonl, or was refused",
        "document: its feature_id names no row that was taken",
        "document: belongs to no epic, feature or task",
        "document T-1: document 8 does not exist",
        "mood I-2: taskdb has no place for the rows of moods",
    ]
    assert plan.about == {"ideas": [{"id": 1, "key": "I-1", "title": "Perhaps"}]}


def test_a_field_with_a_name_that_the_importer_needs_gives_way(tables: Tables) -> None:
    tables.task(source="theirs", notes="also theirs")
    tables.add("task_notes", id=1, task_id=1, content="a row")

    metadata = tables.plan().tasks[0].metadata

    assert metadata["source_"] == "theirs"
    assert metadata["notes_"] == "also theirs"
    assert metadata["source"]["kind"] == "shark"
    assert metadata["notes"] == [{"content": "a row"}]
