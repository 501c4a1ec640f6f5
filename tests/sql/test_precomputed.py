"""Columns that a load computes itself of its new tasks: a write less where they are right.

What a statement gives may be wrong in any way; when the second rows have come, it is not.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskdb.admin import doctor
from taskdb.errors import ValidationError
from taskdb.models import DependencyType, NewDependency, NewTask, TaskStatus
from taskdb.queries import history, tasks
from tests.sql.test_graph import CALM
from tests.statements import statement

Connection = psycopg.Connection[Any]

WRITES = "select pg_stat_get_xact_tuples_updated('tasks'::regclass)"
STATE = (
    "select key, status, open_dependencies, effective_priority::int, is_ready, status_seq"
    " from tasks order by key"
)


def rows(conn: Connection, text: str, *values: Any) -> list[tuple[Any, ...]]:
    return statement(conn, text, *values).fetchall()


def test_a_load_writes_each_of_its_tasks_once(conn: Connection) -> None:
    new = [NewTask(title=f"Task {n}", key=f"k{n}", priority=1 + n % 10) for n in range(40)]
    edges = [NewDependency(f"k{n}", f"k{n - by}") for n in range(40) for by in (1, 7) if n >= by]
    before = rows(conn, WRITES)

    tasks.create_many(conn, new, edges)

    assert rows(conn, WRITES) == before
    assert doctor.run(conn) == []
    last = tasks.get_by_key(conn, key="k39")
    assert (last.status, last.open_dependencies) == (TaskStatus.BLOCKED, 2)
    assert tasks.get_by_key(conn, key="k9").effective_priority == 1
    assert [row.new_status for row in history.list_for_task(conn, "k39")] == ["blocked"]


def test_a_load_that_meets_other_tasks_leaves_one_row_of_history_each(conn: Connection) -> None:
    """The server alone knows the state of tasks that are not of the load."""
    old = [NewTask(title="Done", key="done"), NewTask(title="Open", key="open", priority=9)]
    tasks.create_many(conn, old)
    statement(conn, "update tasks set status = 'cancelled' where key = 'done'")
    new = [
        NewTask(title="a", key="a", priority=2),
        NewTask(title="b", key="b"),
        NewTask(title="c", key="c"),
        NewTask(title="d", key="d", status=TaskStatus.COMPLETED),
    ]
    edges = [
        NewDependency("a", "done", DependencyType.BLOCKS),
        NewDependency("b", "a"),
        NewDependency("c", "d"),
        NewDependency("c", "open"),
        NewDependency("a", "open", DependencyType.SUGGESTS),
        NewDependency("open", "b"),
    ]

    tasks.create_many(conn, new, edges)

    assert doctor.run(conn) == []
    found = {key: rest for key, *rest in rows(conn, STATE)}
    assert found["a"] == ["pending", 0, 2, True, 1]
    assert found["b"] == ["blocked", 1, 5, False, 1]
    assert found["c"] == ["blocked", 1, 5, False, 1]


def test_a_load_that_is_more_urgent_than_it_knows_is_written_once_more(conn: Connection) -> None:
    tasks.create(conn, key="old", title="It waits for the load", priority=1)
    new = [NewTask(title=key, key=key, priority=9) for key in "abc"]
    edges = [NewDependency("old", "c"), NewDependency("c", "b"), NewDependency("b", "a")]
    [(before,)] = rows(conn, WRITES)

    tasks.create_many(conn, new, edges)

    # Three writes are for their ranks.
    assert rows(conn, WRITES) == [(before + 4 + 3,)]
    assert [row[1:4] for row in rows(conn, STATE)] == [
        ("pending", 0, 1),
        ("blocked", 1, 1),
        ("blocked", 1, 1),
        ("blocked", 1, 1),
    ]
    assert doctor.run(conn) == []


def test_a_priority_that_is_no_number_is_refused_by_its_name(conn: Connection) -> None:
    priority: Any = "high"
    new = [NewTask(title="a", key="a", priority=priority), NewTask(title="b", key="b")]

    with pytest.raises(ValidationError) as refused:
        tasks.create_many(conn, new, [NewDependency("b", "a"), NewDependency("a", "b")])

    assert refused.value.field == "priority"


def insert(conn: Connection, key: str, **given: Any) -> UUID:
    """Make the first row of a task."""
    id = uuid4()
    values = {"id": id, "key": key, "title": key, "details_follow": True, **given}
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    statement(conn, f"insert into tasks ({', '.join(values)}) values ({places})", *values.values())
    return id


def add(conn: Connection, edges: Sequence[tuple[UUID, UUID]]) -> None:
    statement(
        conn,
        "insert into task_dependencies (task_id, depends_on_id)"
        " select * from unnest($1::uuid[], $2::uuid[])",
        [task for task, _ in edges],
        [blocker for _, blocker in edges],
    )


def finish(conn: Connection, ids: Sequence[UUID]) -> None:
    statement(
        conn,
        "insert into task_details (task_id, priority, created_at, updated_at)"
        " select id, priority, created_at, updated_at from tasks where id = any($1)",
        list(ids),
    )


def test_what_is_given_without_an_announcement_does_not_count(conn: Connection) -> None:
    insert(
        conn,
        "a",
        details_follow=None,
        open_dependencies=3,
        has_dependents=True,
        effective_priority=1,
    )

    assert rows(conn, STATE) == [("a", "pending", 0, 5, True, 1)]
    assert doctor.run(conn) == []


@pytest.mark.parametrize("edges", [0, 1, 2, 3])
def test_a_wrong_count_and_priority_are_put_right(conn: Connection, edges: int) -> None:
    """By no edges at all, by one in a statement of its own, and by several."""
    ids = [
        insert(conn, key, open_dependencies=2, has_dependents=True, effective_priority=1)
        for key in "abcd"
    ]
    if edges:
        add(conn, [(ids[0], blocker) for blocker in ids[1 : 1 + edges]])

    finish(conn, ids)

    assert doctor.run(conn) == []
    found = {key: rest for key, *rest in rows(conn, STATE)}
    assert found["a"][:3] == ["blocked" if edges else "pending", edges, 5]
    assert all(found[key][:3] == ["pending", 0, 5] for key in "bcd")


def test_edges_of_two_statements_count_together(conn: Connection) -> None:
    """Each alone is as many as was given."""
    a, b, c, d = (
        insert(conn, key, open_dependencies=count, has_dependents=True)
        for key, count in [("a", 1), ("b", 1), ("c", 0), ("d", 0)]
    )
    add(conn, [(a, b), (b, c)])
    add(conn, [(a, c), (b, d)])

    finish(conn, [a, b, c, d])

    assert doctor.run(conn) == []
    found = {key: rest for key, *rest in rows(conn, STATE)}
    assert (found["a"][1], found["b"][1]) == (2, 2)


def test_doctor_repairs_a_task_whose_second_row_never_came(conn: Connection) -> None:
    insert(conn, "a", open_dependencies=3, has_dependents=True, effective_priority=1)

    assert doctor.run(conn) != []
    doctor.repair(conn)

    assert doctor.run(conn) == []
    assert rows(conn, STATE)[0][1:4] == ("pending", 0, 5)


@CALM
@given(chance=st.randoms(use_true_random=False))
def test_whatever_a_load_gives_the_edges_decide(conn: Connection, chance: random.Random) -> None:
    statement(conn, "delete from tasks")
    size = chance.randint(2, 9)
    keys = [f"k{number}" for number in range(size)]
    ids = [
        insert(
            conn,
            key,
            priority=chance.randint(1, 10),
            effective_priority=chance.randint(1, 10),
            open_dependencies=chance.choice([0, 0, 1, 2, 3]),
            has_dependents=chance.random() < 0.5,
            details_follow=chance.random() < 0.8,
            status=chance.choice(["pending"] * 4 + ["completed", "cancelled", "in_progress"]),
        )
        for key in keys
    ]
    made = {row[0] for row in rows(conn, "select task_id from task_details")}
    pairs = [(t, b) for t in range(size) for b in range(t) if chance.random() < 0.4]
    chance.shuffle(pairs)
    while pairs:
        count = chance.randint(1, len(pairs))
        now, pairs = pairs[:count], pairs[count:]
        with conn.transaction():
            add(conn, [(ids[t], ids[b]) for t, b in now])
        if chance.random() < 0.2:
            change = chance.choice(["status = 'cancelled'", "status = 'failed'", "priority = 1"])
            statement(
                conn,
                f"update tasks set {change}, status_forced = true where key = $1",
                chance.choice(keys),
            )
        if chance.random() < 0.2:
            statement(conn, "delete from task_dependencies where task_id = $1", chance.choice(ids))
    waiting = [id for id in ids if id not in made]
    chance.shuffle(waiting)
    while waiting:
        count = chance.randint(1, len(waiting))
        finish(conn, waiting[:count])
        waiting = waiting[count:]

    assert doctor.run(conn) == []
