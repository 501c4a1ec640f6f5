"""Effective priority: a task is at least as urgent as what waits for it, by hand and recomputed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import pairwise, permutations
from typing import Any

import networkx  # type: ignore[import-untyped]
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskdb.admin import doctor
from taskdb.exchange import detect, import_plan
from taskdb.models import DependencyType, NewDependency, NewTask, TaskStatus
from taskdb.queries import claims, dependencies, tasks
from tests.exchange_files import DATA, needs_data, stats
from tests.plans import make_graph
from tests.rows_read import rows_read
from tests.statements import statement

Connection = psycopg.Connection[Any]

# Two trackers' plans, each with its dependencies.
REAL = [
    next((name for name in stats() if name.startswith(kind)), kind)
    for kind in ("shark/db/", "beads/")
]
GATING = [DependencyType.REQUIRES, DependencyType.BLOCKS]


def priorities(conn: Connection) -> dict[str, int]:
    """Return each task's priority, once the doctor agrees."""
    assert doctor.run(conn) == []
    return dict(conn.execute(b"select key, effective_priority from tasks").fetchall())


def move(conn: Connection, key: str, status: TaskStatus) -> None:
    tasks.update_status(conn, key=key, status=status, force=True)


def reads(conn: Connection, act: Callable[..., object], **named: object) -> int:
    """Count the rows of tasks and edges that one act reads."""
    before = rows_read(conn)
    act(conn, **named)
    return rows_read(conn) - before


# Computed by hand


def test_priority_goes_down_a_chain(conn: Connection) -> None:
    make_graph(conn, "d>c", "c>b", "b>a", a=9, b=3, c=7, d=4)

    assert priorities(conn) == {"a": 3, "b": 3, "c": 4, "d": 4}


def test_of_two_ways_through_a_diamond_the_more_urgent_counts(conn: Connection) -> None:
    make_graph(
        conn, "top>left", "top>right", "left>base", "right>base", top=6, left=8, right=2, base=9
    )

    assert priorities(conn) == {"top": 6, "left": 6, "right": 2, "base": 2}


def test_an_edge_passes_priority_on_while_it_is_there(conn: Connection) -> None:
    make_graph(conn, "b>a", a=9, b=8, c=1)

    dependencies.add_dependency(conn, task="c", depends_on="b")
    assert priorities(conn) == {"a": 1, "b": 1, "c": 1}
    dependencies.remove_dependency(conn, task="c", depends_on="b")
    assert priorities(conn) == {"a": 8, "b": 8, "c": 1}


def test_advice_passes_no_priority_on(conn: Connection) -> None:
    make_graph(conn, a=9, b=1)

    dependencies.add_dependency(
        conn, task="b", depends_on="a", dependency_type=DependencyType.SUGGESTS
    )

    assert priorities(conn) == {"a": 9, "b": 1}


def test_a_cancelled_task_in_the_middle_passes_nothing_until_it_is_taken_up_again(
    conn: Connection,
) -> None:
    make_graph(conn, "c>b", "b>a", a=9, b=5, c=2)

    move(conn, "b", TaskStatus.CANCELLED)
    assert priorities(conn) == {"a": 9, "b": 2, "c": 2}
    move(conn, "b", TaskStatus.ARCHIVED)
    assert priorities(conn) == {"a": 9, "b": 2, "c": 2}
    move(conn, "b", TaskStatus.PENDING)
    assert priorities(conn) == {"a": 2, "b": 2, "c": 2}


def test_a_failed_or_completed_task_passes_its_priority_on(conn: Connection) -> None:
    make_graph(conn, "b>a", a=9, b=2)

    for status in (TaskStatus.FAILED, TaskStatus.COMPLETED, TaskStatus.ARCHIVED):
        move(conn, "b", status)
        assert priorities(conn) == {"a": 2, "b": 2}


def test_a_deleted_task_passes_nothing(conn: Connection) -> None:
    make_graph(conn, "d>c", "c>b", "b>a", a=9, b=8, c=7, d=1)

    tasks.delete(conn, key="c")

    assert priorities(conn) == {"a": 8, "b": 8, "d": 1}


@pytest.mark.slow
def test_a_priority_that_changes_changes_what_it_waits_for(conn: Connection) -> None:
    make_graph(conn, "b>a", "c>a", a=9, b=5, c=7)

    for priority, expected in ((8, 7), (10, 7), (1, 1), (6, 6)):
        tasks.update(conn, key="b", priority=priority)
        assert priorities(conn) == {"a": expected, "b": priority, "c": 7}


def test_a_priority_of_its_own_shows_when_the_borrowed_one_goes(conn: Connection) -> None:
    make_graph(conn, "b>a", a=9, b=2)

    tasks.update(conn, key="a", priority=6)
    assert priorities(conn) == {"a": 2, "b": 2}
    tasks.update(conn, key="b", priority=10)
    assert priorities(conn) == {"a": 6, "b": 10}


def test_one_statement_may_change_many_priorities(conn: Connection) -> None:
    make_graph(conn, "c>b", "b>a", "e>d", "d>b", a=9, b=8, c=1, d=7, e=3)

    statement(conn, "update tasks set priority = 11 - priority")

    assert priorities(conn) == {"a": 2, "b": 3, "c": 10, "d": 4, "e": 8}


def test_one_statement_may_cancel_a_whole_branch(conn: Connection) -> None:
    make_graph(conn, "d>c", "c>b", "b>a", "x>a", a=9, b=8, c=7, d=1, x=6)

    statement(conn, "update tasks set status = 'cancelled' where key in ('b', 'c', 'd')")

    assert priorities(conn) == {"a": 6, "b": 8, "c": 7, "d": 1, "x": 6}


@pytest.mark.parametrize("order", list(permutations("ypq")), ids="".join)
def test_in_whatever_order_the_changes_of_one_statement_are_passed_on(
    conn: Connection, order: tuple[str, str, str]
) -> None:
    """The base owes its 4 to y, who leaves; q, back with p's 2, lost that before it spread."""
    make_graph(conn, "p>q", "q>r", "y>r", p=2, q=9, r=9, y=4)
    move(conn, "q", TaskStatus.CANCELLED)
    assert priorities(conn) == {"p": 2, "q": 2, "r": 4, "y": 4}
    change = {
        "y": "update tasks set status = 'cancelled' where key = 'y'",
        "p": "update tasks set priority = 9 where key = 'p'",
        "q": "update tasks set status = 'pending', status_forced = true where key = 'q'",
    }
    first, second, third = (change[key] for key in order)

    statement(conn, f"with second as ({second}), third as ({third}) {first}")

    assert priorities(conn) == {"p": 9, "q": 9, "r": 9, "y": 4}


# Its purpose, and its cost


def test_what_urgent_work_waits_for_is_claimed_first(conn: Connection) -> None:
    make_graph(conn, "late>first", early=3, first=9, late=1)

    claim = claims.claim_next(conn, agent="ada")

    assert claim
    assert (claim.key, claim.effective_priority) == ("first", 1)


def test_claims_and_completions_write_no_other_task(conn: Connection) -> None:
    make_graph(conn, "late>first", "first>base", base=9, first=9, late=1)
    base = claims.claim_next(conn, agent="ada")
    assert base
    claims.complete(conn, task_id=base.task_id, token=base.token)
    before = conn.execute(b"select xmin, ctid from tasks where key = 'base'").fetchall()
    first = claims.claim_next(conn, agent="ada")
    assert first

    claims.complete(conn, task_id=first.task_id, token=first.token)

    assert conn.execute(b"select xmin, ctid from tasks where key = 'base'").fetchall() == before
    assert priorities(conn) == {"base": 1, "first": 1, "late": 1}


@pytest.mark.slow
def test_priority_goes_through_a_lattice_of_diamonds_in_linear_time(conn: Connection) -> None:
    """40 layers have 2^40 paths; each task is visited once, on the way there and back."""
    layers = [(f"l{layer}", f"r{layer}") for layer in range(40)]
    edges = [
        f"{upper}>{lower}"
        for above, below in pairwise(layers)
        for upper in above
        for lower in below
    ]
    hurried = {"x": 3, "y": 2, "z": 1}
    make_graph(conn, *edges, keys=(), **{key: 9 for layer in layers for key in layer}, **hurried)
    inheriting, revoking = [], []

    for key, priority in hurried.items():
        inheriting.append(reads(conn, dependencies.add_dependency, task=key, depends_on="l0"))
        assert priorities(conn)["l39"] == priorities(conn)["r39"] == priority
    for key, rest in (("z", 2), ("y", 3), ("x", 9)):
        revoking.append(reads(conn, dependencies.remove_dependency, task=key, depends_on="l0"))
        assert priorities(conn)["l39"] == priorities(conn)["r39"] == rest

    # 80 tasks and 156 edges, each read some dozen times (and every version that was written).
    assert max(inheriting) < 236 * 60
    assert max(revoking) < 236 * 60


# Random plans


def by_networkx(conn: Connection) -> dict[str, int]:
    """Compute the priorities with networkx, from all tasks that reach one past none abandoned."""
    rows = conn.execute(
        b"select key, priority, status = 'cancelled'"
        b" or (status = 'archived' and completed_at is null) from tasks"
    ).fetchall()
    edges = conn.execute(
        b"select w.key, b.key from task_dependencies as e join tasks as w on w.id = e.task_id"
        b" join tasks as b on b.id = e.depends_on_id where e.dependency_type <> 'suggests'"
    ).fetchall()
    abandoned = {key for key, _, gone in rows if gone}
    priority = {key: value for key, value, _ in rows}
    graph = networkx.DiGraph()
    graph.add_nodes_from(priority)
    graph.add_edges_from(edge for edge in edges if edge[0] not in abandoned)
    return {
        key: min(priority[other] for other in {key, *networkx.ancestors(graph, key)})
        for key in priority
    }


def at_random(conn: Connection, chance: random.Random, keys: Sequence[str]) -> None:
    """Do one thing that may change how urgent tasks are."""
    act = chance.randrange(7)
    some = chance.sample(keys, min(len(keys), chance.randint(2, 6)))
    if act == 0:
        pairs = {tuple(sorted(chance.sample(keys, 2))) for _ in range(3)}
        old = {
            tuple(row)
            for row in conn.execute(
                b"select b.key, w.key from task_dependencies as e"
                b" join tasks as w on w.id = e.task_id join tasks as b on b.id = e.depends_on_id"
            ).fetchall()
        }
        new = [
            NewDependency(task, blocker, chance.choice(list(DependencyType)))
            for blocker, task in pairs - old
        ]
        dependencies.add_dependencies(conn, new)
    elif act == 1:
        conn.execute(
            b"delete from task_dependencies where task_id in"
            b" (select id from tasks where key = any($1))",
            (some[:2],),
        )
    elif act in (2, 3):
        conn.execute(
            b"update tasks set priority = 1 + (priority + $2) % 10 where key = any($1)",
            (some, chance.randrange(10)),
        )
    elif act == 4:
        status = chance.choice(list(TaskStatus))
        reason = "it rains" if status is TaskStatus.BLOCKED else None
        for key in some[:2]:
            tasks.update_status(conn, key=key, status=status, force=True, blocked_reason=reason)
    elif act == 5:
        conn.execute(
            b"update tasks set status_forced = true, priority = 1 + (priority + 3) % 10,"
            b" status = case status when 'cancelled' then cast('pending' as shared.task_status)"
            b" else 'cancelled' end, blocked_reason = null where key = any($1)",
            (some,),
        )
    else:
        conn.execute(
            b"with gone as (delete from task_dependencies as e using tasks as t"
            b"     where t.id = e.depends_on_id and t.key = any($1))"
            b" update tasks set priority = $2 where key = any($1)",
            (some[:3], chance.randint(1, 10)),
        )


def random_plan(conn: Connection, chance: random.Random, size: int, edge_count: int) -> list[str]:
    keys = [f"{number:04}" for number in range(size)]
    pairs = {tuple(sorted(chance.sample(keys, 2))) for _ in range(edge_count)}
    new = [NewTask(key=key, title=key, priority=chance.randint(1, 10)) for key in keys]
    edges = [NewDependency(task, blocker, chance.choice(GATING)) for blocker, task in pairs]
    tasks.create_many(conn, new, edges)
    return keys


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32), size=st.integers(3, 14))
def test_whatever_is_done_networkx_agrees(conn: Connection, seed: int, size: int) -> None:
    chance = random.Random(seed)
    with conn.transaction(force_rollback=True):
        keys = random_plan(conn, chance, size, 2 * size)
        for _ in range(12):
            at_random(conn, chance, keys)
            kept = conn.execute(b"select key, effective_priority from tasks").fetchall()
            assert dict(kept) == by_networkx(conn)


@pytest.mark.slow
@pytest.mark.parametrize("edge_count", [2_000, 6_000])
def test_networkx_agrees_on_2000_tasks(conn: Connection, edge_count: int) -> None:
    chance = random.Random(edge_count)
    keys = random_plan(conn, chance, 2_000, edge_count)
    for _ in range(10):
        at_random(conn, chance, keys)

    assert priorities(conn) == by_networkx(conn)


@pytest.mark.slow
@needs_data
def test_networkx_agrees_on_real_plans_imported_one_after_the_other(conn: Connection) -> None:
    chance = random.Random(1)
    for name in REAL:
        import_plan(conn, detect(DATA / name), DATA / name)
        keys = [row[0] for row in conn.execute(b"select key from tasks order by key").fetchall()]
        for _ in range(3):
            conn.execute(
                b"update tasks set priority = $2 where key = any($1)",
                (chance.sample(keys, 20), chance.randint(1, 10)),
            )

    found = priorities(conn)

    assert found == by_networkx(conn)
    assert any(found[row.key] < row.priority for row in tasks.list_tasks(conn, limit=1000))


def test_doctor_recomputes_a_plan(conn: Connection) -> None:
    keys = random_plan(conn, random.Random(1), 60, 120)
    right = priorities(conn)
    statement(conn, "alter table tasks disable trigger user")
    for number, key in enumerate(keys[::3]):
        conn.execute(
            b"update tasks set effective_priority = $2 where key = $1", (key, 1 + number % 10)
        )
    statement(conn, "alter table tasks enable trigger user")

    repairs = doctor.repair(conn)

    assert {repair.invariant for repair in repairs} == {"effective_priority"}
    assert priorities(conn) == right
