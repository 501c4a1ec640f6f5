"""Hierarchies, orders and dependencies of tasks."""

from __future__ import annotations

from itertools import pairwise

import psycopg
import pytest

from taskdb.errors import CircularDependencyError, NotFoundError
from taskdb.models import NewTask
from taskdb.models.types import DependencyType, TaskStatus
from taskdb.queries import dependencies, selection, tasks
from tests.plans import Plan


def test_hierarchy_gives_depth_and_path_each_after_its_parent(
    conn: psycopg.Connection, plan: Plan
) -> None:
    root = tasks.get_by_key(conn, key=plan.chore)
    left = tasks.create(conn, key="left", title="Left", parent_id=root.id)
    tasks.create(conn, key="right", title="Right", parent_id=root.id)
    tasks.create(conn, key="leaf", title="Leaf", parent_id=left.id)

    nodes = tasks.hierarchy(conn, key=plan.chore)

    assert [(node.key, node.depth) for node in nodes] == [
        ("chore", 0),
        ("left", 1),
        ("leaf", 2),
        ("right", 1),
    ]
    assert nodes[2].path == ["chore", "left", "leaf"]
    assert nodes[2].parent_id == left.id
    assert tasks.hierarchy(conn, key="nobody") == []


@pytest.mark.slow
def test_a_deep_hierarchy_is_read_by_levels_and_found_whole(conn: psycopg.Connection) -> None:
    """Each row has its path: of all levels of a deep tree they would be quadratic in size."""
    keys = [f"{n:04}{'x' * 90}" for n in range(1500)]
    new = [NewTask(key=key, title="t") for key in keys]
    for above, below in pairwise(new):
        below.parent = above.key
    tasks.create_many(conn, new)

    nodes = tasks.hierarchy(conn, key=keys[0])

    assert [node.key for node in nodes] == keys[:101]
    assert [node.key for node in tasks.hierarchy(conn, key=keys[7], levels=1)] == keys[7:9]
    assert tasks.hierarchy(conn, key=keys[100])[-1].path[-1] == keys[200]
    assert len(selection.under(conn, key=keys[0])) == 1499
    assert selection.under(conn, key=keys[-1]) == selection.under(conn, key="nobody") == []


def test_task_under_its_own_part_is_refused_with_the_path(
    conn: psycopg.Connection, plan: Plan
) -> None:
    root = tasks.get_by_key(conn, key=plan.chore)
    leaf = tasks.create(conn, key="leaf", title="Leaf", parent_id=root.id)

    with pytest.raises(CircularDependencyError) as refused, conn.transaction():
        tasks.update(conn, key=plan.chore, parent_id=leaf.id)

    assert refused.value.path[0] == refused.value.path[-1]
    assert set(refused.value.path) == {"chore", "leaf"}


def test_execution_order_puts_each_task_after_all_it_waits_for(
    conn: psycopg.Connection, plan: Plan
) -> None:
    tasks.update_status(conn, key=plan.design, status=TaskStatus.IN_PROGRESS)
    tasks.update_status(conn, key=plan.design, status=TaskStatus.COMPLETED)

    order = [task.key for task in tasks.execution_order(conn, epic=plan.epic)]

    assert set(order) == {plan.build, plan.test, plan.docs, plan.release}
    for task, blocker in plan.edges:
        if blocker != plan.design:
            assert order.index(blocker) < order.index(task)


def test_execution_order_of_a_feature_leaves_out_the_others(
    conn: psycopg.Connection, plan: Plan
) -> None:
    order = tasks.execution_order(conn, epic=plan.epic, feature=plan.features[1])

    assert [task.key for task in order] == [plan.docs, plan.release]
    assert [task.open_dependencies for task in order] == [1, 2]
    assert tasks.execution_order(conn, epic="E99") == []


def test_all_dependencies_come_each_after_its_own(conn: psycopg.Connection, plan: Plan) -> None:
    before = [task.key for task in dependencies.all_dependencies_of(conn, key=plan.release)]
    after = [task.key for task in dependencies.all_dependents_of(conn, key=plan.design)]

    assert before[:2] == [plan.design, plan.build]
    assert set(before[2:]) == {plan.test, plan.docs}
    assert (after[0], after[-1]) == (plan.build, plan.release)
    assert set(after[1:3]) == {plan.test, plan.docs}
    assert dependencies.all_dependencies_of(conn, key=plan.chore) == []


def test_suggestions_are_not_among_all_dependencies(conn: psycopg.Connection, plan: Plan) -> None:
    dependencies.add_dependency(
        conn, task=plan.chore, depends_on=plan.design, dependency_type=DependencyType.SUGGESTS
    )

    assert dependencies.all_dependencies_of(conn, key=plan.chore) == []
    assert [edge.key for edge in dependencies.dependencies_of(conn, key=plan.chore)] == [
        plan.design
    ]


def test_removing_a_dependency_leaves_the_others(conn: psycopg.Connection, plan: Plan) -> None:
    edge = dependencies.remove_dependency(conn, task=plan.release, depends_on=plan.docs)

    assert edge.depends_on_id == tasks.get_by_key(conn, key=plan.docs).id
    left = dependencies.dependencies_of(conn, key=plan.release)
    assert [each.key for each in left] == [plan.test]
    assert tasks.get_by_key(conn, key=plan.release).open_dependencies == 1
    with pytest.raises(NotFoundError):
        dependencies.remove_dependency(conn, task=plan.release, depends_on=plan.docs)
