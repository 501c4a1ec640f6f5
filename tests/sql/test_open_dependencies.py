"""Counts of a task's dependencies, however their changes meet in one transaction."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskdb.database import connect
from taskdb.models import DependencyType, NewDependency, NewTask
from taskdb.queries import tasks
from tests.plans import make_graph
from tests.statements import statement
from tests.tiers import first_of

Connection = psycopg.Connection[Any]

GATING = [DependencyType.REQUIRES, DependencyType.BLOCKS]


WRONG = b"""
select task.key, task.status, task.open_dependencies, edge.open_count, edge.stale_count
from tasks as task
cross join lateral (
    select
        count(*) filter (where not is_satisfied(e.dependency_type, b.status, b.completed_at))
            as open_count,
        count(*) filter (
            where e.is_satisfied <> is_satisfied(e.dependency_type, b.status, b.completed_at)
        ) as stale_count
    from task_dependencies as e
    inner join tasks as b on b.id = e.depends_on_id
    where e.task_id = task.id
) as edge
where
    task.open_dependencies <> edge.open_count
    or edge.stale_count > 0
    or (task.status = 'pending' and task.open_dependencies > 0)
    or (task.status = 'blocked' and task.open_dependencies = 0 and task.blocked_reason is null)
    or task.has_dependents < exists (
        select from task_dependencies as e
        where e.depends_on_id = task.id and e.dependency_type <> 'suggests'
    )
"""


def check(conn: Connection) -> None:
    """Compare every count with its edges."""
    assert conn.execute(WRONG).fetchall() == []


COMPLETE = "update tasks set status = 'completed', status_forced = true where key = any({})"
REOPEN = "update tasks set status = 'pending', status_forced = true where key = any({})"
ADD = (
    "insert into task_dependencies (task_id, depends_on_id, dependency_type)"
    " select t.id, b.id, 'requires' from tasks t, tasks b where t.key = {} and b.key = any({})"
)
REMOVE = (
    "delete from task_dependencies as e using tasks as b"
    " where b.id = e.depends_on_id and b.key = any({})"
)


def test_one_statement_completes_many_blockers(conn: Connection) -> None:
    keys = [f"b{number}" for number in range(100)]
    new = [NewTask(key=key, title=key) for key in ["top", *keys]]
    tasks.create_many(conn, new, [NewDependency("top", key) for key in keys])

    statement(conn, COMPLETE.format("$1"), keys[:60])
    check(conn)
    assert tasks.get_by_key(conn, key="top").open_dependencies == 40
    statement(conn, REOPEN.format("$1"), keys[30:])
    check(conn)
    assert tasks.get_by_key(conn, key="top").open_dependencies == 70


@pytest.mark.parametrize("first", ["complete", "add"])
def test_a_statement_may_complete_a_blocker_and_add_the_edge_to_it(
    conn: Connection, first: str
) -> None:
    make_graph(conn, "t>a", keys="tab")
    acts = {"complete": COMPLETE.format("$1"), "add": ADD.format("'t'", "$1")}
    second = next(name for name in acts if name != first)

    statement(conn, f"with other as ({acts[first]}) {acts[second]}", ["b"])

    check(conn)
    assert tasks.get_by_key(conn, key="t").open_dependencies == 1


@pytest.mark.parametrize("first", ["complete", "remove"])
def test_a_statement_may_complete_one_blocker_and_remove_another(
    conn: Connection, first: str
) -> None:
    make_graph(conn, "t>a", "t>b", "t>c", keys="tabc")
    acts = {"complete": COMPLETE.format("array['a']"), "remove": REMOVE.format("array['b']")}
    second = next(name for name in acts if name != first)

    statement(conn, f"with other as ({acts[first]}) {acts[second]}")

    check(conn)
    assert tasks.get_by_key(conn, key="t").open_dependencies == 1


def test_what_a_savepoint_takes_back_is_not_counted(conn: Connection) -> None:
    make_graph(conn, "t>a", "t>b", keys="tabc")
    for act in (COMPLETE.format("array['a', 'b']"), ADD.format("'t'", "array['c']")):
        with suppress(psycopg.Rollback), conn.transaction() as inner:
            statement(conn, act)
            check(conn)
            raise psycopg.Rollback(inner)
        check(conn)
    assert tasks.get_by_key(conn, key="t").open_dependencies == 2
    with conn.transaction():
        statement(conn, ADD.format("'t'", "array['c']"))
    statement(conn, COMPLETE.format("array['a', 'c']"))
    check(conn)
    assert tasks.get_by_key(conn, key="t").open_dependencies == 1


def test_an_edge_says_what_its_blocker_says_whatever_is_inserted(conn: Connection) -> None:
    make_graph(conn, keys="tab")
    statement(conn, COMPLETE.format("array['b']"))
    for key in "ab":
        statement(
            conn,
            "insert into task_dependencies (task_id, depends_on_id, is_satisfied)"
            " select t.id, b.id, $2 from tasks t, tasks b where t.key = 't' and b.key = $1",
            key,
            key == "a",
        )
        check(conn)
    statement(conn, REMOVE.format("array['a', 'b']"))
    statement(
        conn,
        "insert into task_dependencies (task_id, depends_on_id, is_satisfied)"
        " select t.id, b.id, b.key = 'a' from tasks t, tasks b"
        " where t.key = 't' and b.key <> 't'",
    )
    check(conn)


def acts_of(conn: Connection, chance: random.Random, keys: list[str]) -> list[str]:
    """Some changes that one statement may make at once: none touches a row of another."""
    pairs = {
        tuple(row)
        for row in conn.execute(
            b"select t.key, b.key from task_dependencies as e"
            b" join tasks as t on t.id = e.task_id join tasks as b on b.id = e.depends_on_id"
        ).fetchall()
    }
    moved = chance.sample(keys, chance.randint(1, 3))
    status = chance.choice(["completed", "pending", "cancelled", "archived", "failed"])
    acts = [
        f"update tasks set status = '{status}', status_forced = true, blocked_reason = null"
        f" where key = any(array{moved})"
    ]
    free = [(a, b) for b in keys for a in keys if b < a and (a, b) not in pairs]
    if free and chance.random() < 0.7:
        added = ", ".join(
            f"('{a}', '{b}', '{chance.choice([*DependencyType]).value}', {chance.random() < 0.1})"
            for a, b in chance.sample(free, min(len(free), chance.randint(1, 3)))
        )
        acts.append(
            "insert into task_dependencies (task_id, depends_on_id, dependency_type, is_satisfied)"
            " select t.id, b.id, v.type::shared.dependency_type, v.satisfied"
            f" from (values {added}) as v (task, blocker, type, satisfied)"
            " join tasks t on t.key = v.task join tasks b on b.key = v.blocker"
        )
    if pairs and chance.random() < 0.5:
        gone = ", ".join(str(pair) for pair in chance.sample(sorted(pairs), 1))
        acts.append(
            "delete from task_dependencies as e using tasks t, tasks b"
            f" where t.id = e.task_id and b.id = e.depends_on_id and (t.key, b.key) in ({gone})"
        )
    chance.shuffle(acts)
    return acts


@pytest.mark.parametrize("half", first_of([1, 2]))
@settings(
    max_examples=13,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32), size=st.integers(3, 9))
def test_whatever_transactions_do_counts_are_right(
    database_url: str, half: int, seed: int, size: int
) -> None:
    """Statements change several things at once, of rows that are old, new or written before."""
    chance = random.Random(seed)
    keys = [f"k{number}" for number in range(size)]
    with connect(database_url) as conn:
        conn.autocommit = True
        statement(conn, "truncate tasks cascade")
        with conn.transaction():
            make_random(conn, chance, keys)
            for _ in range(chance.randrange(3)):
                act_at_random(conn, chance, keys)
        for _ in range(6):
            with conn.transaction():
                for _ in range(chance.randint(1, 3)):
                    act_at_random(conn, chance, keys)


def act_at_random(conn: Connection, chance: random.Random, keys: list[str]) -> None:
    """Do several things in one statement, and perhaps undo it, and check before and after."""
    *rest, last = acts_of(conn, chance, keys)
    parts = ", ".join(f"act_{number} as ({act})" for number, act in enumerate(rest))
    text = f"with {parts} {last}" if rest else last
    undone = chance.random() < 0.3
    with suppress(psycopg.Rollback), conn.transaction() as inner:
        statement(conn, text)
        check(conn)
        if undone:
            raise psycopg.Rollback(inner)
    check(conn)


def make_random(conn: Connection, chance: random.Random, keys: list[str]) -> None:
    pairs = {tuple(sorted(chance.sample(keys, 2))) for _ in keys}
    tasks.create_many(
        conn,
        [NewTask(key=key, title=key) for key in keys],
        [NewDependency(task, blocker, chance.choice(GATING)) for blocker, task in pairs],
    )
