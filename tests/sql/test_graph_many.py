"""Many edges at once, by hand and at random: taken if and only if they close no cycle."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import networkx  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskdb.admin import doctor
from taskdb.database import connect
from taskdb.embedded import Server
from taskdb.errors import IntegrityError
from taskdb.models import DependencyType, NewDependency, NewTask, TaskStatus
from taskdb.queries import dependencies, tasks
from tests.plans import make_graph
from tests.sql.test_graph import BLOCKS, CALM, SUGGESTS, Connection, add, edges_of, refused
from tests.statements import statement

# Many at once


def test_edges_of_one_call_are_checked_together(conn: Connection) -> None:
    make_graph(conn, keys="abcd")

    path = refused(conn, lambda: add(conn, ("a", "b"), ("c", "d"), ("b", "c"), ("d", "a")))

    assert len(path) == 5
    assert set(pairwise(path)) == {("a", "b"), ("b", "c"), ("c", "d"), ("d", "a")}
    assert edges_of(conn) == set()


def test_duplicates_in_one_call_are_refused_as_a_whole(conn: Connection) -> None:
    make_graph(conn, keys="ab")

    with pytest.raises(IntegrityError), conn.transaction():
        add(conn, ("b", "a"), ("b", "a"))

    assert tasks.get_by_key(conn, key="b").status is TaskStatus.PENDING


graphs = st.integers(2, 12).flatmap(
    lambda size: st.lists(
        st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)).filter(
            lambda pair: pair[0] != pair[1]
        ),
        max_size=3 * size,
        unique=True,
    )
)


kinds = st.randoms(use_true_random=False)


def is_cycle(path: Sequence[str], edges: Iterable[tuple[str, str]]) -> bool:
    return len(path) > 2 and path[0] == path[-1] and set(pairwise(path)) <= set(edges)


@CALM
@given(edges=graphs, chance=kinds)
def test_a_bulk_of_edges_is_taken_if_and_only_if_it_has_no_cycle(
    conn: Connection, edges: list[tuple[int, int]], chance: random.Random
) -> None:
    statement(conn, "delete from tasks")
    named = [(str(task), str(blocker)) for task, blocker in edges]
    gating = [edge for edge in named if chance.random() < 0.9]
    new = [
        NewDependency(*edge, chance.choice([DependencyType.REQUIRES, BLOCKS]))
        if edge in gating
        else NewDependency(*edge, SUGGESTS)
        for edge in named
    ]
    keys = [NewTask(key=str(number), title="node") for number in range(12)]
    chance.shuffle(keys)
    acyclic = networkx.is_directed_acyclic_graph(networkx.DiGraph(gating))

    if acyclic:
        tasks.create_many(conn, keys, new)
    else:
        path = refused(conn, lambda: tasks.create_many(conn, keys, new))
        assert is_cycle(path, gating)
    assert doctor.run(conn) == []


@pytest.mark.slow
@CALM
@given(edges=graphs, chance=kinds)
def test_edges_one_by_one_and_in_groups_are_taken_if_and_only_if_they_close_no_cycle(
    conn: Connection, edges: list[tuple[int, int]], chance: random.Random
) -> None:
    statement(conn, "delete from tasks")
    keys = [str(number) for number in range(12)]
    chance.shuffle(keys)
    make_graph(conn, keys=keys[:8])
    for key in keys[8:]:
        tasks.create(conn, key=key, title=key)
    graph = networkx.DiGraph()
    rest = [(str(task), str(blocker)) for task, blocker in edges]
    while rest:
        size = chance.randint(1, 3)
        group, rest = rest[:size], rest[size:]
        trial = graph.copy()
        trial.add_edges_from(group)
        if networkx.is_directed_acyclic_graph(trial):
            add(conn, *group)
            graph = trial
            if chance.random() < 0.2:
                gone = chance.choice(list(graph.edges))
                dependencies.remove_dependency(conn, task=gone[0], depends_on=gone[1])
                graph.remove_edge(*gone)
        else:
            assert is_cycle(refused(conn, lambda: add(conn, *group)), trial.edges)  # noqa: B023

    assert edges_of(conn) == set(graph.edges)
    assert doctor.run(conn) == []


def large_dag(chance: random.Random, size: int) -> list[tuple[str, str]]:
    """Twice as many edges as tasks; the order of the keys says nothing of the order of work."""
    order = [f"n{number}" for number in range(size)]
    chance.shuffle(order)
    edges = {
        (order[later], order[chance.randrange(later)])
        for later in (chance.randrange(1, size) for _ in range(2 * size))
    }
    return sorted(edges)


@pytest.mark.slow
def test_a_cycle_hidden_in_a_bulk_is_found_and_named(conn: Connection) -> None:
    chance = random.Random(1)
    edges = large_dag(chance, 2000)
    graph = networkx.DiGraph(edges)
    far = max(graph.nodes, key=lambda node: len(networkx.descendants(graph, node)))
    deep = list(networkx.descendants(graph, far))[-1]
    hidden = [*edges, (deep, far)]
    chance.shuffle(hidden)

    path = refused(conn, lambda: make_graph(conn, *hidden, keys=graph.nodes))

    assert is_cycle(path, hidden)
    assert (deep, far) in set(pairwise(path))
    make_graph(conn, *edges, keys=graph.nodes)
    assert doctor.run(conn) == []


@pytest.mark.slow
def test_a_bulk_into_an_existing_graph_is_checked_with_it(conn: Connection) -> None:
    old = large_dag(random.Random(2), 500)
    graph = networkx.DiGraph(old)
    make_graph(conn, *old, keys=graph.nodes)
    first, last = next(
        (task, blocker) for task in graph for blocker in networkx.descendants(graph, task)
    )
    new = [(f"m{number}", f"m{number + 1}") for number in range(200)]
    keys = [f"m{number}" for number in range(201)]

    path = refused(conn, lambda: make_graph(conn, *new, (last, "m0"), ("m200", first), keys=keys))

    assert is_cycle(path, [*old, *new, (last, "m0"), ("m200", first)])
    make_graph(conn, *new, (first, "m0"), ("m200", last), keys=keys)
    assert doctor.run(conn) == []


def psql(url: str, *commands: str) -> subprocess.CompletedProcess[str]:
    """Run commands in psql, in workspace taskdb, stopping at the first error."""
    program = Server(Path("unused")).binaries / "psql"
    options = [word for command in commands for word in ("-c", command)]
    return subprocess.run(
        [str(program), "-X", "-q", "-v", "ON_ERROR_STOP=1", *options, url],
        env={**os.environ, "PGOPTIONS": "-c search_path=taskdb,shared,pg_temp"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_a_cycle_that_comes_through_psql_and_copy_is_found_and_named(
    database_url: str, tmp_path: Path
) -> None:
    with connect(database_url) as conn:
        make_graph(conn, keys="abcde")
        ids = {key: str(tasks.get_by_key(conn, key=key).id) for key in "abcde"}
    good = [("a", "b"), ("b", "c"), ("d", "e")]
    files = {"good": good, "bad": [("c", "d"), ("e", "a")]}
    for name, edges in files.items():
        lines = [f"{ids[task]}\t{ids[blocker]}\n" for task, blocker in edges]
        (tmp_path / name).write_text("".join(lines))
    copy = "\\copy task_dependencies (task_id, depends_on_id) from '{}'"

    taken = psql(database_url, copy.format(tmp_path / "good"))
    refusal = psql(database_url, copy.format(tmp_path / "bad"))

    assert taken.returncode == 0, taken.stderr
    assert refusal.returncode != 0
    assert "circular dependency: " in refusal.stderr
    assert "HINT:  Remove one dependency of this path first." in refusal.stderr
    with connect(database_url) as conn:
        assert edges_of(conn) == set(good)
        assert doctor.run(conn) == []


def test_edges_of_every_kind_may_be_written_in_psql(database_url: str) -> None:
    done = psql(
        database_url,
        "insert into tasks (key, title) values ('a', 'a'), ('b', 'b')",
        "insert into task_dependencies (task_id, depends_on_id)"
        " select t.id, d.id from tasks t, tasks d where t.key = 'b' and d.key = 'a'",
        "update tasks set status = 'in_progress' where key = 'a'",
        "update tasks set status = 'completed' where key = 'a'",
    )

    assert done.returncode == 0, done.stderr
    with connect(database_url) as conn:
        assert tasks.get_by_key(conn, key="b").status is TaskStatus.PENDING
        assert doctor.run(conn) == []
