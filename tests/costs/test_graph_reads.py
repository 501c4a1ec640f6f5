"""The rows that one edge reads, on shapes that make a naive walk explode."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise
from typing import Any

import networkx  # type: ignore[import-untyped]
import pytest

from taskdb.admin import doctor
from taskdb.queries import tasks
from tests.plans import make_graph
from tests.rows_read import rows_read
from tests.sql.test_graph import Connection, add, refused
from tests.sql.test_graph_many import is_cycle
from tests.statements import statement

pytestmark = pytest.mark.slow

# Costs in rows read, which no load of the machine changes


def most_read(conn: Connection, acts: Iterable[Callable[[], Any]]) -> int:
    """The rows and index entries that the dearest of some acts reads of tasks and edges."""
    most = 0
    for act in acts:
        before = rows_read(conn)
        act()
        most = max(most, rows_read(conn) - before)
    return most


def test_a_lattice_of_diamonds_is_walked_once(conn: Connection) -> None:
    """40 layers of two tasks, each waiting for both of the layer below: 2^40 paths."""
    layers = [(f"left-{layer}", f"right-{layer}") for layer in range(40)]
    edges = [
        (upper, lower) for below, above in pairwise(layers) for upper in above for lower in below
    ]
    make_graph(conn, *edges, keys=[*(key for layer in layers for key in layer), *"vwxyz"])
    top, bottom = layers[-1][0], layers[0][0]
    newest = [f"new-{number}" for number in range(5)]

    accepted = most_read(conn, [partial(add, conn, (key, top)) for key in "vwxyz"])
    refusal = most_read(conn, [lambda: refused(conn, lambda: add(conn, (bottom, top)))])
    make_graph(conn, keys=newest)
    lowered = most_read(conn, [partial(add, conn, (bottom, key)) for key in newest])

    assert max(accepted, refusal, lowered) < 50 * len(edges)
    assert doctor.run(conn) == []


def test_closing_a_chain_of_ten_thousand_reads_each_link_a_few_times(conn: Connection) -> None:
    keys = [f"link-{number}" for number in range(10_000)]
    make_graph(conn, *[(later, earlier) for earlier, later in pairwise(keys)], keys=keys)

    paths: list[tuple[str, ...]] = []
    read = most_read(
        conn, [lambda: paths.append(refused(conn, lambda: add(conn, (keys[0], keys[-1]))))]
    )

    assert read < 50 * len(keys)
    assert sorted(set(paths[0])) == sorted(keys)
    assert len(paths[0]) == 10_001


def test_hundreds_of_tasks_put_below_one_find_room(conn: Connection) -> None:
    """Each newer than the epic it holds up, and waiting for the one before: gaps run out."""
    make_graph(conn, keys=["epic"])
    before = None
    read = []
    for number in range(600):
        key = f"part-{number}"
        edges = [("epic", key), *([(key, before)] if before else [])]
        tasks.create(conn, key=key, title=key)
        read.append(most_read(conn, [partial(add, conn, *edges)]))
        before = key

    assert sorted(read)[len(read) // 2] < 500
    assert tasks.get_by_key(conn, key="epic").open_dependencies == 600
    assert doctor.run(conn) == []


def test_hundreds_of_tasks_put_on_top_of_each_other_find_room(conn: Connection) -> None:
    """Each new one must be done before all that were there."""
    make_graph(conn, keys=["last"])
    before = "last"
    for number in range(300):
        key = f"part-{number}"
        tasks.create(conn, key=key, title=key)
        add(conn, (before, key))
        before = key

    assert doctor.run(conn) == []


def test_where_ranks_leave_no_room_they_are_spread_again(conn: Connection) -> None:
    """40 tasks at neighbouring ranks, chained; what comes between two must push all down."""
    keys = [f"tight-{number}" for number in range(40)]
    make_graph(conn, *[(later, earlier) for earlier, later in pairwise(keys)], keys=keys)
    statement(conn, "alter table tasks disable trigger user")
    statement(conn, "update tasks set graph_rank = substr(key, 7)::bigint where key like 'tight-%'")
    statement(conn, "alter table tasks enable trigger user")
    for number in range(39, 0, -1):
        tasks.create(conn, key=f"between-{number}", title="between")
        add(
            conn,
            (keys[number], f"between-{number}"),
            (f"between-{number}", keys[number - 1]),
        )

    assert doctor.run(conn) == []
    assert refused(conn, lambda: add(conn, (keys[0], "between-39")))


@pytest.mark.parametrize("seed", range(3))
def test_random_edges_among_tight_ranks_are_taken_if_and_only_if_they_close_no_cycle(
    conn: Connection, seed: int
) -> None:
    chance = random.Random(seed)
    keys = [f"n{number}" for number in range(25)]
    make_graph(conn, keys=keys)
    statement(conn, "alter table tasks disable trigger user")
    statement(conn, "update tasks set graph_rank = substr(key, 2)::bigint / 3")
    statement(conn, "alter table tasks enable trigger user")
    graph = networkx.DiGraph()
    for _ in range(120):
        edge = (chance.choice(keys), chance.choice(keys))
        if edge[0] == edge[1] or graph.has_edge(*edge):
            continue
        trial = graph.copy()
        trial.add_edge(*edge)
        if networkx.is_directed_acyclic_graph(trial):
            add(conn, edge)
            graph = trial
        else:
            assert is_cycle(refused(conn, lambda: add(conn, edge)), trial.edges)  # noqa: B023

    assert doctor.run(conn) == []
