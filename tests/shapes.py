"""Plans of one extreme shape each, of any size: what is slow on one of them is not linear."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import psycopg

from taskdb.models import NewDependency, NewTask
from taskdb.queries import claims, epics, features, tasks

Connection = psycopg.Connection[Any]
Shape = Callable[[Connection, int], None]

EPIC = "E01"
FEATURE = "E01-F01"


def keys(size: int) -> list[str]:
    """The keys of a plan's tasks, in their order."""
    return [f"t{number:06}" for number in range(size)]


def _make(
    conn: Connection,
    size: int,
    edges: list[tuple[str, str]],
    parents: dict[str, str] | None = None,
) -> None:
    epic = epics.create(conn, key=EPIC, title="An epic")
    feature = features.create(conn, epic_id=epic.id, key=FEATURE, title="A feature")
    tasks.create_many(
        conn,
        [
            NewTask(key=key, title=key, feature_id=feature.id, parent=(parents or {}).get(key))
            for key in keys(size)
        ],
        [NewDependency(waiting, blocker) for waiting, blocker in edges],
    )


def chain(conn: Connection, size: int) -> None:
    """Each task waits for the one before."""
    _make(conn, size, [(later, earlier) for earlier, later in pairwise(keys(size))])


def parents(conn: Connection, size: int) -> None:
    """Each task is a part of the one before."""
    _make(conn, size, [], {later: earlier for earlier, later in pairwise(keys(size))})


def fan_in(conn: Connection, size: int) -> None:
    """The first task waits for all others."""
    first, *others = keys(size)
    _make(conn, size, [(first, other) for other in others])


def fan_out(conn: Connection, size: int) -> None:
    """All others wait for the first task."""
    first, *others = keys(size)
    _make(conn, size, [(other, first) for other in others])


def wide(conn: Connection, size: int) -> None:
    """A feature of many tasks, of which none waits."""
    _make(conn, size, [])


def long_history(conn: Connection, size: int) -> None:
    """The first of three tasks was claimed and given back again and again."""
    _make(conn, 3, [])
    for _ in range(size // 4):
        held = claims.claim(conn, key=keys(1)[0], agent="ann")
        assert held
        claims.release(conn, task_id=held.task_id, token=held.token)


SHAPES: dict[str, Shape] = {
    shape.__name__: shape for shape in (chain, parents, fan_in, fan_out, wide, long_history)
}
