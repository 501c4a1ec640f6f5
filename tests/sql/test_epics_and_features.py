"""Epics and features: their keys, their tasks, their progress."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from taskdb.errors import IntegrityError, NotFoundError, ValidationError
from taskdb.models.types import Level, PlanStatus, TaskStatus
from taskdb.queries import epics, features, tasks
from tests.plans import Plan


def test_epics_are_listed_by_status_and_priority_in_pages(conn: psycopg.Connection) -> None:
    epics.create(conn, key="E02", title="Two", priority=Level.HIGH, status=PlanStatus.ACTIVE)
    epics.create(conn, key="E01", title="One", priority=Level.HIGH, business_value=Level.LOW)
    epics.create(conn, key="E03", title="Three", status=PlanStatus.ACTIVE)

    def listed(**filters: Any) -> list[str]:
        return [epic.key for epic in epics.list_epics(conn, **filters)]

    assert listed() == ["E01", "E02", "E03"]
    assert listed(status=PlanStatus.ACTIVE) == ["E02", "E03"]
    assert listed(priority=Level.HIGH) == ["E01", "E02"]
    assert listed(priority=Level.HIGH, status=PlanStatus.ACTIVE) == ["E02"]
    assert listed(limit=2) == ["E01", "E02"]
    assert listed(limit=2, after_key="E02") == ["E03"]


def test_epic_is_read_changed_and_deleted_with_all_under_it(
    conn: psycopg.Connection, plan: Plan
) -> None:
    epic = epics.get_by_key(conn, key=plan.epic)

    changed = epics.update(
        conn, key=plan.epic, description="Words", status=PlanStatus.ACTIVE, metadata={"a": 1}
    )
    emptied = epics.update(conn, key=plan.epic, description=None, business_value=Level.HIGH)

    assert (changed.description, changed.status, changed.title) == (
        "Words",
        PlanStatus.ACTIVE,
        epic.title,
    )
    assert (emptied.description, emptied.metadata, emptied.business_value) == (
        None,
        {"a": 1},
        Level.HIGH,
    )
    assert epics.get(conn, id=epic.id) == emptied
    assert epics.delete(conn, key=plan.epic) == epic.id
    assert features.list_features(conn) == []
    assert [task.key for task in tasks.list_tasks(conn)] == [plan.chore]
    for missing in (
        lambda: epics.get(conn, id=epic.id),
        lambda: epics.update(conn, key=plan.epic, title="New"),
        lambda: epics.delete(conn, key=plan.epic),
        lambda: epics.progress(conn, key=plan.epic),
    ):
        with pytest.raises(NotFoundError):
            missing()


def test_epic_key_has_its_form_and_is_taken_once(conn: psycopg.Connection, plan: Plan) -> None:
    for key in ("e01", "E1", "E0000001", "E01-F01", "E01\n"):
        with pytest.raises(ValidationError, match="key must be E and"), conn.transaction():
            epics.create(conn, key=key, title="Wrong")
    with pytest.raises(IntegrityError, match="key"), conn.transaction():
        epics.create(conn, key=plan.epic, title="Again")


def test_features_are_listed_changed_and_deleted(conn: psycopg.Connection, plan: Plan) -> None:
    epic = epics.get_by_key(conn, key=plan.epic)
    other = epics.create(conn, key="E02", title="Other")
    features.create(conn, epic_id=other.id, key="E02-F01", title="Other", status=PlanStatus.ACTIVE)

    def listed(**filters: Any) -> list[str]:
        return [feature.key for feature in features.list_features(conn, **filters)]

    assert listed() == [*plan.features, "E02-F01"]
    assert listed(epic_id=epic.id) == list(plan.features)
    assert listed(status=PlanStatus.ACTIVE) == ["E02-F01"]
    assert listed(epic_id=epic.id, status=PlanStatus.ACTIVE) == []
    assert listed(limit=1, after_key=plan.features[0]) == [plan.features[1]]

    changed = features.update(conn, key="E02-F01", title="New", execution_order=3)
    assert (changed.title, changed.execution_order, changed.status) == (
        "New",
        3,
        PlanStatus.ACTIVE,
    )
    assert features.get(conn, id=changed.id) == changed
    features.delete(conn, key=plan.features[1])
    assert {task.key for task in tasks.list_tasks(conn)} == {
        plan.design,
        plan.build,
        plan.test,
        plan.chore,
    }
    with pytest.raises(NotFoundError):
        features.update(conn, key=plan.features[1], title="Gone")


def test_feature_key_begins_with_its_epics(conn: psycopg.Connection, plan: Plan) -> None:
    epic = epics.get_by_key(conn, key=plan.epic)

    for key in ("E02-F01", "F01", "E01-F1", "E01"):
        with pytest.raises(ValidationError, match="key must"), conn.transaction():
            features.create(conn, epic_id=epic.id, key=key, title="Wrong")


@pytest.mark.parametrize("field", ["feature_id", "parent_id"])
def test_nothing_belongs_to_what_is_not_there(
    conn: psycopg.Connection, plan: Plan, field: str
) -> None:
    nobody: dict[str, Any] = {field: uuid4()}

    with pytest.raises(IntegrityError, match=field.removesuffix("_id")), conn.transaction():
        tasks.create(conn, key="orphan", title="Orphan", **nobody)
    with pytest.raises(IntegrityError, match=field.removesuffix("_id")), conn.transaction():
        tasks.update(conn, key=plan.chore, **nobody)
    with pytest.raises(IntegrityError, match="epic"), conn.transaction():
        features.create(conn, epic_id=uuid4(), key="E01-F09", title="Orphan")


def complete(conn: psycopg.Connection, key: str) -> None:
    tasks.update_status(conn, key=key, status=TaskStatus.COMPLETED, force=True)


def test_progress_counts_completed_of_what_is_not_cancelled(
    conn: psycopg.Connection, plan: Plan
) -> None:
    complete(conn, plan.design)
    complete(conn, plan.build)
    tasks.update_status(conn, key=plan.build, status=TaskStatus.ARCHIVED)
    tasks.update_status(conn, key=plan.release, status=TaskStatus.CANCELLED, force=True)
    epic = epics.get_by_key(conn, key=plan.epic)

    first, second = features.list_progress(conn, epic_id=epic.id)
    whole = epics.progress(conn, key=plan.epic)

    assert (first.task_count, first.counted_count, first.completed_count) == (3, 3, 2)
    assert first.progress_pct == Decimal("66.67")
    assert (second.task_count, second.counted_count, second.completed_count) == (2, 1, 0)
    assert second.progress_pct == 0
    assert features.progress(conn, key=plan.features[0]) == first
    assert whole.progress_pct == Decimal("33.34")
    assert whole.weighted_progress_pct == Decimal("50.00")
    assert (whole.feature_count, whole.task_count, whole.completed_count) == (2, 5, 2)
    assert epics.list_progress(conn) == [whole]


def test_progress_of_what_is_empty_is_zero(conn: psycopg.Connection) -> None:
    epic = epics.create(conn, key="E09", title="Empty")
    assert epics.progress(conn, key="E09").progress_pct == 0

    features.create(conn, epic_id=epic.id, key="E09-F01", title="Empty")

    assert features.progress(conn, key="E09-F01").progress_pct == 0
    assert epics.progress(conn, key="E09").weighted_progress_pct == 0
    assert features.update_progress(conn, key="E09-F01") == 0


def test_cached_progress_changes_on_request_only(conn: psycopg.Connection, plan: Plan) -> None:
    complete(conn, plan.docs)
    assert features.get_by_key(conn, key=plan.features[1]).progress_pct == 0

    refreshed = features.update_progress(conn, key=plan.features[1])

    assert refreshed == Decimal("50.00")
    assert features.get_by_key(conn, key=plan.features[1]).progress_pct == refreshed
    with pytest.raises(NotFoundError):
        features.update_progress(conn, key="E99-F01")
