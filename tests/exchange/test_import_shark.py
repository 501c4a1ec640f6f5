"""The reader of shark-task-manager's tables, on small ones made by hand."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from taskdb.errors import ValidationError
from taskdb.exchange import read_plan
from taskdb.exchange.plan import Plan
from taskdb.exchange.shark import task_status
from taskdb.models.types import DependencyType, Level, PlanStatus, TaskStatus
from tests.exchange_files import by_key, changed, refused, write_lines

DAY = "2025-12-20 17:45:04"


class Tables:
    """A folder of tables: one epic, one feature, and what a test adds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ids = itertools.count(1)
        self.rows: dict[str, list[dict[str, Any] | bytes]] = {
            "epics": [
                {"id": 4, "key": "E04", "title": "Core", "status": "active", "priority": "high"}
            ],
            "features": [
                {"id": 1, "epic_id": 4, "key": "E04-F01", "title": "Schema", "status": "active"}
            ],
            "tasks": [],
        }

    def task(self, **values: Any) -> dict[str, Any]:
        number = next(self.ids)
        row = {
            "id": number,
            "feature_id": 1,
            "key": f"T-{number}",
            "title": f"Task {number}",
            "status": "todo",
            "priority": 5,
            "created_at": DAY,
            **values,
        }
        self.rows["tasks"].append(row)
        return row

    def add(self, table: str, **values: Any) -> None:
        self.rows.setdefault(table, []).append(values)

    def plan(self, prefix: str = "") -> Plan:
        for table, rows in self.rows.items():
            write_lines(self.folder / f"{table}.jsonl", *rows)
        return read_plan("shark", self.folder, prefix=prefix)


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return Tables(tmp_path / "db")


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("todo", TaskStatus.PENDING),
        ("draft", TaskStatus.PENDING),
        ("ready_for_refinement", TaskStatus.PENDING),
        ("ready_for_refinement_ba", TaskStatus.PENDING),
        ("ready_for_development", TaskStatus.PENDING),
        ("in_progress", TaskStatus.IN_PROGRESS),
        ("in_development", TaskStatus.IN_PROGRESS),
        ("ready_for_review", TaskStatus.IN_REVIEW),
        ("ready_for_code_review", TaskStatus.IN_REVIEW),
        ("ready_for_qa", TaskStatus.IN_REVIEW),
        ("ready_for_approval", TaskStatus.IN_REVIEW),
        ("in_code_review", TaskStatus.IN_REVIEW),
        ("in_qa", TaskStatus.IN_REVIEW),
        ("in_approval", TaskStatus.IN_REVIEW),
        ("completed", TaskStatus.COMPLETED),
        ("blocked", TaskStatus.BLOCKED),
        ("in_security_review", TaskStatus.IN_REVIEW),
        ("ready_for_compliance_check", TaskStatus.IN_REVIEW),
        ("approved", TaskStatus.IN_REVIEW),
        ("done", TaskStatus.COMPLETED),
        ("cancelled", TaskStatus.CANCELLED),
        ("rejected", TaskStatus.CANCELLED),
        ("on_hold", TaskStatus.BLOCKED),
        ("in_refinement", TaskStatus.BLOCKED),
        ("in_refinement_ba", TaskStatus.BLOCKED),
        ("in_research", TaskStatus.BLOCKED),
        ("Todo", TaskStatus.PENDING),
        ("ready", None),
        ("", None),
        (None, None),
    ],
)
def test_each_status_of_theirs_means_one_of_ours(
    word: str | None, status: TaskStatus | None
) -> None:
    assert task_status(word) is status


def test_a_task_of_an_unknown_status_is_on_hold_and_reported(tables: Tables) -> None:
    tables.task(status="abandoned")

    plan = tables.plan()

    (task,) = plan.tasks
    assert (task.status, task.blocked_reason) == (TaskStatus.BLOCKED, "abandoned")
    assert task.metadata["source"]["status"] == "abandoned"
    assert changed(plan.findings) == [
        "tasks.jsonl:1: changed task T-1: its status 'abandoned' is unknown; "
        "it is on hold, for the reason 'abandoned'"
    ]


def test_every_field_of_a_task_finds_its_place(tables: Tables) -> None:
    tables.task(
        description="How",
        agent_type="backend",
        priority=2,
        assigned_agent="ann",
        file_path="/home/x/T-1.md",
        execution_order=3,
        time_spent_minutes=45,
        context_data='{"step": 1}',
        status="completed",
        completed_at="2025-12-25 21:25:56.162784375-06:00",
        updated_at="2025-12-30 22:03:53",
        slug="task-one",
        tests_passed=0,
        completed_by=None,
        files_changed='["a.go"]',
        invention={"of": "theirs"},
    )

    (task,) = tables.plan().tasks

    assert (task.description, task.agent_type, task.priority) == ("How", "backend", 2)
    assert (task.file_path, task.execution_order) == ("/home/x/T-1.md", 3)
    assert (task.feature, task.actual_hours, task.context) == (
        "E04-F01",
        Decimal("0.75"),
        {"step": 1},
    )
    assert task.created_at == datetime(2025, 12, 20, 17, 45, 4, tzinfo=UTC)
    assert task.completed_at == datetime(2025, 12, 26, 3, 25, 56, 162784, tzinfo=UTC)
    assert task.metadata == {
        "source": {
            "kind": "shark",
            "file": str(tables.folder),
            "at": "tasks.jsonl:1",
            "id": 1,
            "status": "completed",
            "priority": 2,
            "assignee": "ann",
            "updated_at": "2025-12-30T22:03:53+00:00",
        },
        "slug": "task-one",
        "tests_passed": 0,
        "files_changed": '["a.go"]',
        "invention": {"of": "theirs"},
    }


def test_epics_and_features_are_taken_with_what_has_no_column(tables: Tables) -> None:
    tables.rows["epics"][0] |= {"business_value": "low", "slug": "core", "created_at": DAY}  # type: ignore[operator]
    tables.rows["features"][0] |= {"execution_order": 2, "progress_pct": 50.0}  # type: ignore[operator]
    tables.task()

    plan = tables.plan()

    (epic,), (feature,) = plan.epics, plan.features
    assert (epic.status, epic.priority, epic.business_value) == (
        PlanStatus.ACTIVE,
        Level.HIGH,
        Level.LOW,
    )
    assert epic.metadata["slug"] == "core"
    assert epic.metadata["source"]["priority"] == "high"
    assert epic.created_at == datetime(2025, 12, 20, 17, 45, 4, tzinfo=UTC)
    assert (feature.epic, feature.execution_order) == ("E04", 2)
    assert feature.metadata["source"]["progress_pct"] == 50.0
    assert not len(plan.findings)


def test_what_an_epic_says_wrongly_is_changed_and_kept(tables: Tables) -> None:
    tables.rows["epics"][0] |= {"status": "paused", "priority": "urgent", "created_at": "soon"}  # type: ignore[operator]
    tables.task()

    plan = tables.plan()

    (epic,) = plan.epics
    assert (epic.status, epic.priority, epic.created_at) == (PlanStatus.DRAFT, Level.MEDIUM, None)
    assert epic.metadata["source"]["priority"] == "urgent"
    assert epic.metadata["source"]["created_at"] == "soon"
    assert len(changed(plan.findings)) == 3


def test_epics_and_features_need_keys_of_their_form(tables: Tables) -> None:
    tables.add("epics", id=5, key="EPIC-5", title="Other", status="active", priority="low")
    tables.add("features", id=2, epic_id=4, key="E05-F01", title="Stray", status="active")
    tables.add("features", id=3, epic_id=4, key="F01", title="Short", status="active")
    tables.task(feature_id=3)

    plan = tables.plan()

    assert [feature.key for feature in plan.features] == ["E04-F01"]
    assert [line.split(": ", 2)[2] for line in refused(plan.findings)] == [
        "its key must be E04, or E04-F01 for a feature, with 2 to 6 digits",
        "its key does not begin with that of its epic, E04",
        "its key must be E04, or E04-F01 for a feature, with 2 to 6 digits",
    ]
    assert plan.tasks[0].feature is None


def test_a_feature_goes_with_its_epic_and_a_task_comes_without_its_feature(
    tables: Tables,
) -> None:
    tables.rows["epics"] = [b"{"]
    tables.task()

    plan = tables.plan()

    assert plan.features == []
    assert plan.tasks[0].feature is None
    assert refused(plan.findings) == [
        "epics.jsonl:1:2: refused line: Expecting property name enclosed in double quotes",
        "features.jsonl:1: refused feature E04-F01: its epic is not in epics.jsonl, or was refused",
    ]
    assert "taken without one" in changed(plan.findings)[0]


def test_dependencies_are_read_from_both_places(tables: Tables) -> None:
    tables.task()
    tables.task(depends_on='["T-1"]')
    tables.task()
    tables.add("task_relationships", id=1, from_task_id=3, to_task_id=2, relationship_type="blocks")
    tables.add(
        "task_relationships",
        id=2,
        from_task_id=3,
        to_task_id=1,
        relationship_type="depends_on",
        created_at=DAY,
    )

    plan = tables.plan()

    edges = [(e.task, e.depends_on, e.dependency_type) for e in plan.edges]
    assert edges == [
        ("T-2", "T-1", DependencyType.REQUIRES),
        ("T-2", "T-3", DependencyType.BLOCKS),
        ("T-3", "T-1", DependencyType.REQUIRES),
    ]
    assert plan.edges[2].created_at == datetime(2025, 12, 20, 17, 45, 4, tzinfo=UTC)


def test_a_loop_over_both_places_is_found(tables: Tables) -> None:
    tables.task(depends_on='["T-2"]')
    tables.task()
    tables.add("task_relationships", id=1, from_task_id=1, to_task_id=2, relationship_type="blocks")

    plan = tables.plan()

    assert [finding.path for finding in plan.findings] == [("T-1", "T-2", "T-1")]


def test_other_relations_go_to_metadata(tables: Tables) -> None:
    tables.task()
    tables.task()
    tables.add(
        "task_relationships", id=1, from_task_id=2, to_task_id=1, relationship_type="spawned_from"
    )

    plan = tables.plan()

    assert plan.edges == []
    assert by_key(plan)["T-2"].metadata["relations"] == [{"type": "spawned_from", "key": "T-1"}]


def test_relations_of_tasks_that_are_gone_are_refused(tables: Tables) -> None:
    tables.task()
    tables.add(
        "task_relationships", id=1, from_task_id=1, to_task_id=9, relationship_type="depends_on"
    )

    assert refused(tables.plan().findings) == [
        "task_relationships.jsonl:1: refused dependency: depends_on: one of its tasks is not in "
        "tasks.jsonl, or was refused"
    ]


@pytest.mark.parametrize(
    ("said", "reason"),
    [("T-1", "is not JSON"), ('{"a": 1}', "is not a list of keys"), ("[3]", "names 3, not a key")],
)
def test_what_is_no_list_of_keys_is_reported(tables: Tables, said: str, reason: str) -> None:
    tables.task()
    tables.task(depends_on=said)

    plan = tables.plan()

    assert plan.edges == []
    assert reason in plan.findings.rows[0].as_text()


def test_a_key_counts_once_and_must_be_a_key(tables: Tables) -> None:
    tables.task(key="T-A")
    tables.task(key="T-A")
    tables.task(key="")
    tables.task(key="x" * 101)
    tables.task(key="a\tb")

    plan = tables.plan()

    assert [task.key for task in plan.tasks] == ["T-A"]
    assert refused(plan.findings) == [
        "tasks.jsonl:2: refused task T-A: its key stands at tasks.jsonl:1 already",
        "tasks.jsonl:3: refused task: has no key",
        "tasks.jsonl:4: refused task: its key has 101 characters; 100 are allowed",
        "tasks.jsonl:5: refused task: its key holds control characters",
    ]


def test_a_prefix_goes_before_the_keys_of_tasks_only(tables: Tables) -> None:
    tables.task()
    tables.task(depends_on='["T-1"]')

    plan = tables.plan(prefix="old-")

    assert [task.key for task in plan.tasks] == ["old-T-1", "old-T-2"]
    assert (plan.edges[0].task, plan.edges[0].depends_on) == ("old-T-2", "old-T-1")
    assert plan.tasks[0].feature == "E04-F01"


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


def test_ids_that_are_no_ids_refer_to_nothing(tables: Tables) -> None:
    tables.task(id=None)
    tables.task(id=[1])
    tables.add("task_notes", id=1, task_id=None, content="whose?")
    tables.add("task_notes", id=2, task_id=[1], content="whose?")

    plan = tables.plan()

    assert len(plan.tasks) == 2
    assert len(refused(plan.findings)) == 2


def test_a_folder_without_tasks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"path holds no tasks\.jsonl"):
        read_plan("shark", tmp_path)
