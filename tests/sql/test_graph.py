"""The graph of dependencies and the tree of parents: no cycle gets in, whatever the way.

What each of them costs is in the tests at the end, on shapes that make a naive walk explode.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any
from uuid import uuid4

import networkx  # type: ignore[import-untyped]
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskdb.admin import doctor
from taskdb.errors import CircularDependencyError, IntegrityError, NotFoundError
from taskdb.models import DependencyType, NewDependency, NewTask, TaskStatus
from taskdb.queries import dependencies, tasks
from tests.plans import Plan, make_graph
from tests.statements import statement

Connection = psycopg.Connection[Any]
Edges = Sequence[tuple[str, str]]

SUGGESTS = DependencyType.SUGGESTS
BLOCKS = DependencyType.BLOCKS


def add(conn: Connection, *edges: tuple[str, str]) -> int:
    return dependencies.add_dependencies(conn, [NewDependency(*edge) for edge in edges])


def refused(conn: Connection, act: Callable[[], Any]) -> tuple[str, ...]:
    """Let *act* be refused for a cycle, undo what it did, and return the cycle's path."""
    with pytest.raises(CircularDependencyError) as refusal, conn.transaction():
        act()
    return refusal.value.path


def edges_of(conn: Connection) -> set[tuple[str, str]]:
    rows = conn.execute(
        b"select t.key, d.key from task_dependencies as e"
        b" join tasks as t on t.id = e.task_id join tasks as d on d.id = e.depends_on_id"
    ).fetchall()
    return {(task, blocker) for task, blocker in rows}


# One edge after another


def test_an_edge_back_is_refused_with_the_path(conn: Connection, plan: Plan) -> None:
    path = refused(
        conn,
        lambda: dependencies.add_dependency(conn, task=plan.design, depends_on=plan.test),
    )

    assert path in {
        (plan.test, plan.build, plan.design, plan.test),
        (plan.build, plan.design, plan.test, plan.build),
        (plan.design, plan.test, plan.build, plan.design),
    }
    assert (plan.design, plan.test) not in edges_of(conn)
    assert doctor.run(conn) == []


def test_the_refusal_says_what_to_do(conn: Connection, plan: Plan) -> None:
    with pytest.raises(CircularDependencyError, match=r"circular dependency: .* -> ") as refusal:
        dependencies.add_dependency(conn, task=plan.design, depends_on=plan.build)

    assert refusal.value.hint == "Remove one dependency of this path first."
    assert refusal.value.sqlstate == "TD002"


@pytest.mark.parametrize("kind", list(DependencyType))
def test_no_task_waits_for_itself(conn: Connection, plan: Plan, kind: DependencyType) -> None:
    path = refused(
        conn,
        lambda: dependencies.add_dependency(
            conn, task=plan.chore, depends_on=plan.chore, dependency_type=kind
        ),
    )

    assert path == (plan.chore, plan.chore)


def test_an_edge_to_itself_of_a_task_that_was_deleted_meanwhile_is_a_cycle(
    conn: Connection,
) -> None:
    gone = uuid4()

    with pytest.raises(psycopg.DatabaseError) as caught:
        conn.execute(
            "insert into task_dependencies (task_id, depends_on_id) values ($1, $1)", [gone]
        )

    assert caught.value.sqlstate == "TD002"
    assert caught.value.diag.message_primary == f"circular dependency: {gone} -> {gone}"


def test_an_edge_that_blocks_closes_a_cycle_as_well(conn: Connection, plan: Plan) -> None:
    refused(
        conn,
        lambda: dependencies.add_dependency(
            conn, task=plan.design, depends_on=plan.release, dependency_type=BLOCKS
        ),
    )


def test_advice_closes_no_cycle_and_gates_nothing(conn: Connection, plan: Plan) -> None:
    dependencies.add_dependency(
        conn, task=plan.design, depends_on=plan.release, dependency_type=SUGGESTS
    )

    design = tasks.get_by_key(conn, key=plan.design)
    assert (design.status, design.open_dependencies) == (TaskStatus.PENDING, 0)
    assert doctor.run(conn) == []


def test_a_cycle_may_be_closed_once_another_edge_is_gone(conn: Connection, plan: Plan) -> None:
    dependencies.remove_dependency(conn, task=plan.build, depends_on=plan.design)
    dependencies.add_dependency(conn, task=plan.design, depends_on=plan.release)

    assert refused(conn, lambda: add(conn, (plan.build, plan.design)))
    assert doctor.run(conn) == []


def test_an_edge_to_nowhere_names_the_keys(conn: Connection, plan: Plan) -> None:
    with pytest.raises(NotFoundError, match="ghost, phantom"):
        add(conn, ("ghost", plan.chore), (plan.chore, "phantom"))
    with pytest.raises(NotFoundError):
        dependencies.add_dependency(conn, task="ghost", depends_on=plan.chore)
    with pytest.raises(NotFoundError):
        dependencies.remove_dependency(conn, task=plan.chore, depends_on=plan.design)


def test_a_second_edge_of_a_pair_is_refused(conn: Connection, plan: Plan) -> None:
    with pytest.raises(IntegrityError, match="must not be a dependency of the task twice"):
        dependencies.add_dependency(
            conn, task=plan.build, depends_on=plan.design, dependency_type=SUGGESTS
        )


# Plain SQL


def test_an_edge_cannot_be_changed(conn: Connection, plan: Plan) -> None:
    for change in (
        "dependency_type = 'suggests'",
        "task_id = depends_on_id, depends_on_id = task_id",
        "depends_on_id = (select id from tasks where key = 'chore')",
    ):
        with (
            pytest.raises(psycopg.DatabaseError, match="a dependency cannot be changed") as refusal,
            conn.transaction(),
        ):
            statement(conn, f"update task_dependencies set {change}")
        assert refusal.value.sqlstate == "TD003"
    statement(conn, "update task_dependencies set created_by = 'nobody'")
    assert doctor.run(conn) == []


def test_edges_that_are_there_already_may_be_skipped(conn: Connection, plan: Plan) -> None:
    added = statement(
        conn,
        "insert into task_dependencies (task_id, depends_on_id)"
        " select t.id, d.id from tasks as t, tasks as d"
        " where t.key = 'T-E01-F02-002' and d.key <> t.key"
        " on conflict do nothing",
    )

    assert added.rowcount == 3
    assert tasks.get_by_key(conn, key=plan.release).open_dependencies == 5
    assert doctor.run(conn) == []


def test_one_statement_may_make_tasks_and_their_edges(conn: Connection, plan: Plan) -> None:
    statement(
        conn,
        "with made as ("
        "    insert into tasks (key, title) values ('n1', 'n1'), ('n2', 'n2'), ('n3', 'n3')"
        "    returning id, key"
        ") insert into task_dependencies (task_id, depends_on_id)"
        " select t.id, d.id from made as t join made as d on d.key > t.key"
        " union all select t.id, d.id from made as t, tasks as d where d.key = 'chore'",
    )

    counts = {key: tasks.get_by_key(conn, key=key).open_dependencies for key in ("n1", "n2", "n3")}
    assert counts == {"n1": 3, "n2": 2, "n3": 1}
    assert doctor.run(conn) == []


def test_one_statement_that_makes_a_cycle_of_new_and_old_is_refused(
    conn: Connection, plan: Plan
) -> None:
    with (
        pytest.raises(psycopg.DatabaseError, match="circular dependency") as refusal,
        conn.transaction(),
    ):
        statement(
            conn,
            "with made as (insert into tasks (key, title) values ('n1', 'n1') returning id)"
            " insert into task_dependencies (task_id, depends_on_id)"
            " select made.id, t.id from made, tasks as t where t.key = 'T-E01-F02-002'"
            " union all"
            " select t.id, made.id from made, tasks as t where t.key = 'T-E01-F01-001'",
        )

    assert refusal.value.sqlstate == "TD002"
    assert doctor.run(conn) == []


# A statement's CTEs see the same snapshot, and their triggers run at its end: whichever comes
# first, each change must count once.
AT_ONCE = [
    "with other as (update tasks set status = 'completed', status_forced = true"
    " where key = 'T-E01-F01-003' returning id)"
    " delete from task_dependencies as edge using tasks as d"
    " where d.id = edge.depends_on_id and d.key = 'T-E01-F02-001'",
    "with gone as (delete from task_dependencies as edge using tasks as d"
    " where d.id = edge.depends_on_id and d.key = 'T-E01-F02-001' returning edge.task_id)"
    " update tasks set status = 'completed', status_forced = true where key = 'T-E01-F01-003'",
    "with other as (update tasks set status = 'pending', status_forced = true"
    " where key = 'T-E01-F01-001' returning id)"
    " insert into task_dependencies (task_id, depends_on_id)"
    " select t.id, d.id from tasks as t, tasks as d"
    " where t.key = 'T-E01-F01-002' and d.key = 'chore'",
    "with made as (insert into task_dependencies (task_id, depends_on_id)"
    " select t.id, d.id from tasks as t, tasks as d"
    " where t.key = 'T-E01-F01-002' and d.key = 'chore' returning task_id)"
    " update tasks set status = 'pending', status_forced = true where key = 'T-E01-F01-001'",
    "with made as (insert into task_dependencies (task_id, depends_on_id)"
    " select t.id, d.id from tasks as t, tasks as d"
    " where t.key = 'T-E01-F01-002' and d.key = 'chore' returning task_id)"
    " update tasks set status = 'completed', status_forced = true where key = 'chore'",
    "with other as (update tasks set status = 'completed', status_forced = true"
    " where key = 'chore' returning id)"
    " insert into task_dependencies (task_id, depends_on_id)"
    " select t.id, d.id from tasks as t, tasks as d"
    " where t.key = 'T-E01-F01-002' and d.key = 'chore'",
    "with gone as (delete from tasks where key = 'T-E01-F02-001' returning id)"
    " update tasks set status = 'completed', status_forced = true where key = 'T-E01-F01-003'",
    "with other as (update tasks set status = 'completed', status_forced = true"
    " where key = 'T-E01-F01-003' returning id)"
    " delete from tasks where key = 'T-E01-F02-001'",
    "update tasks set status = 'completed', status_forced = true",
    "update tasks set status = 'cancelled', status_forced = true"
    " where key in ('T-E01-F01-002', 'T-E01-F01-003')",
    "with back as (update tasks set status = 'pending', status_forced = true"
    " where key = 'T-E01-F01-001' returning id)"
    " update tasks set status = 'completed', status_forced = true"
    " where key in ('T-E01-F01-002', 'T-E01-F01-003')",
]


@pytest.mark.parametrize("text", AT_ONCE, ids=range(len(AT_ONCE)))
def test_one_statement_that_changes_blockers_and_edges_counts_each_once(
    conn: Connection, plan: Plan, text: str
) -> None:
    tasks.update_status(conn, key=plan.design, status=TaskStatus.COMPLETED, force=True)

    statement(conn, text)

    assert doctor.run(conn) == []


def test_several_changes_in_one_transaction_count_each_once(conn: Connection, plan: Plan) -> None:
    add(conn, (plan.release, plan.chore))
    for status in (TaskStatus.COMPLETED, TaskStatus.PENDING, TaskStatus.COMPLETED):
        for key in (plan.chore, plan.test):
            tasks.update_status(conn, key=key, status=status, force=True)
    dependencies.remove_dependency(conn, task=plan.release, depends_on=plan.docs)

    assert tasks.get_by_key(conn, key=plan.release).status is TaskStatus.PENDING
    assert doctor.run(conn) == []


def test_what_a_savepoint_takes_back_is_not_counted(conn: Connection, plan: Plan) -> None:
    with conn.transaction() as inner:
        add(conn, (plan.chore, plan.release))
        tasks.update_status(conn, key=plan.design, status=TaskStatus.COMPLETED, force=True)
        raise psycopg.Rollback(inner)

    assert tasks.get_by_key(conn, key=plan.chore).status is TaskStatus.PENDING
    assert tasks.get_by_key(conn, key=plan.build).open_dependencies == 1
    with conn.transaction():
        add(conn, (plan.release, plan.chore))
    tasks.update_status(conn, key=plan.chore, status=TaskStatus.COMPLETED, force=True)
    assert tasks.get_by_key(conn, key=plan.release).open_dependencies == 2
    assert doctor.run(conn) == []


def test_edges_alone_cannot_be_truncated(conn: Connection, plan: Plan) -> None:
    with (
        pytest.raises(psycopg.DatabaseError, match="cannot be truncated") as refusal,
        conn.transaction(),
    ):
        statement(conn, "truncate task_dependencies")

    assert refusal.value.sqlstate == "TD003"
    statement(conn, "truncate tasks cascade")
    assert edges_of(conn) == set()
    make_graph(conn, ("b", "a"), keys="ab")
    assert doctor.run(conn) == []


def test_deleting_edges_by_hand_opens_what_they_gated(conn: Connection, plan: Plan) -> None:
    statement(conn, "delete from task_dependencies")

    assert {task.status for task in tasks.list_tasks(conn)} == {TaskStatus.PENDING}
    assert doctor.run(conn) == []


def test_the_id_of_a_task_stays(conn: Connection, plan: Plan) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        statement(conn, "update tasks set id = gen_random_uuid() where key = 'chore'")


CALM = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


# Parents


def put_under(conn: Connection, key: str, parent: str | None) -> None:
    parent_id = None if parent is None else tasks.get_by_key(conn, key=parent).id
    tasks.update(conn, key=key, parent_id=parent_id)


def tree(conn: Connection, *members: str) -> None:
    """Tasks as "child<parent", the parent in the same call."""
    pairs = [member.partition("<") for member in members]
    new = [NewTask(key=key, title=key, parent=parent or None) for key, _, parent in pairs]
    tasks.create_many(conn, new)


def test_a_task_is_no_part_of_its_own_part(conn: Connection) -> None:
    tree(conn, "top", "mid<top", "low<mid")

    path = refused(conn, lambda: put_under(conn, "top", "low"))

    assert path == ("top", "low", "mid", "top")
    assert doctor.run(conn) == []


def test_a_task_is_no_part_of_itself(conn: Connection) -> None:
    tree(conn, "top")

    assert refused(conn, lambda: put_under(conn, "top", "top")) == ("top", "top")
    assert refused(conn, lambda: tree(conn, "self<self")) == ("self", "self")


def test_new_tasks_are_not_each_others_parents(conn: Connection) -> None:
    path = refused(conn, lambda: tree(conn, "a<c", "b<a", "c<b", "d<c", "e"))

    assert path in {("a", "c", "b", "a"), ("c", "b", "a", "c"), ("b", "a", "c", "b")}
    assert tasks.list_tasks(conn) == []


def test_one_statement_that_turns_a_tree_into_a_cycle_is_refused(conn: Connection) -> None:
    tree(conn, "top", "mid<top", "x")

    with (
        pytest.raises(psycopg.DatabaseError, match="circular dependency"),
        conn.transaction(),
    ):
        statement(
            conn,
            "update task_details as details set parent_id = parent.id"
            " from tasks as task, tasks as parent where task.id = details.task_id"
            " and (task.key, parent.key) in (('top', 'x'), ('x', 'mid'))",
        )

    assert doctor.run(conn) == []


def test_a_tree_may_be_turned_upside_down_in_one_statement(conn: Connection) -> None:
    tree(conn, "top", "mid<top", "low<mid")

    statement(
        conn,
        "update task_details as details set parent_id = ("
        "    select parent.id from tasks as task, tasks as parent where task.id = details.task_id"
        "    and (task.key, parent.key) in (('top', 'mid'), ('mid', 'low'))"
        ")",
    )

    assert tasks.get_by_key(conn, key="low").parent_id is None
    assert doctor.run(conn) == []


def test_the_tree_is_guarded_even_if_its_guard_is_deleted(conn: Connection) -> None:
    tree(conn, "top", "mid<top", "x")
    statement(conn, "delete from guards")

    assert refused(conn, lambda: put_under(conn, "top", "mid"))
    put_under(conn, "x", "mid")
    assert statement(conn, "select count(*) from guards where name = 'parents'").fetchone() == (1,)


def test_parts_do_not_gate_the_whole(conn: Connection) -> None:
    tree(conn, "top", "mid<top")

    assert dependencies.why_not_ready(conn, key="top") == []


@pytest.mark.slow
@CALM
@given(moves=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=20))
def test_moves_in_the_tree_are_taken_if_and_only_if_they_close_no_cycle(
    conn: Connection, moves: list[tuple[int, int]]
) -> None:
    statement(conn, "delete from tasks")
    tree(conn, *"0123456")
    graph = networkx.DiGraph()
    graph.add_nodes_from("0123456")
    for child, parent in ((str(child), str(parent)) for child, parent in moves):
        trial = graph.copy()
        trial.remove_edges_from(list(trial.out_edges(child)))
        trial.add_edge(child, parent)
        if networkx.is_directed_acyclic_graph(trial):
            put_under(conn, child, parent)
            graph = trial
        else:
            path = refused(conn, lambda: put_under(conn, child, parent))  # noqa: B023
            assert path[0] == path[-1]
            assert set(pairwise(path)) <= set(trial.edges)

    assert doctor.run(conn) == []
