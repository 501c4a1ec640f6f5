"""Dependencies, other relations and keys of a shark plan."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from taskdb.models.types import DependencyType
from tests.exchange.shark_tables import DAY, Tables
from tests.exchange_files import by_key, refused


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


def test_a_cycle_over_both_places_is_found(tables: Tables) -> None:
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
