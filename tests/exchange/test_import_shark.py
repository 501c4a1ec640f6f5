"""The reader of shark-task-manager's tables, on small ones made by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from taskdb.errors import ValidationError
from taskdb.exchange import read_plan
from taskdb.exchange.shark import task_status
from taskdb.models.types import Level, PlanStatus, TaskStatus
from tests.exchange.shark_tables import DAY, Tables
from tests.exchange_files import changed, refused


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
