"""Plans for tests, in a few lines.

::

    plan = make_plan(
        conn,
        "chore",
        features={
            "E01-F01": ["design", "build > design", "test > build"],
            "E01-F02": ["docs > build", "release > test, docs"],
        },
    )
    claim = claims.claim_next(conn, agent="ada")      # design, and chore after it
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias, overload
from uuid import UUID

from psycopg import AsyncConnection, Connection

from taskdb.errors import ValidationError
from taskdb.models.dependencies import NewDependency
from taskdb.models.tasks import NewTask
from taskdb.queries import epics, features, tasks
from taskdb.queries.steps import Steps, call, run
from taskdb.query import checked

__all__ = ["Line", "make_plan"]

Line: TypeAlias = str | NewTask
"""A task: its key, or ``key > blocker, blocker``, or a `NewTask` for all other fields."""


@overload
def make_plan(
    conn: Connection[Any],
    *lines: Line,
    features: Mapping[str, Iterable[Line]] | None = None,
) -> dict[str, UUID]: ...
@overload
def make_plan(
    conn: AsyncConnection[Any],
    *lines: Line,
    features: Mapping[str, Iterable[Line]] | None = None,
) -> Awaitable[dict[str, UUID]]: ...
@checked
def make_plan(
    conn: Connection[Any] | AsyncConnection[Any],
    *lines: Line,
    features: Mapping[str, Iterable[Line]] | None = None,
) -> dict[str, UUID] | Awaitable[dict[str, UUID]]:
    """Make tasks with their dependencies, and return the ids of the new tasks by key.

    A line is a task. A text is its key, and behind ``>`` the keys of the tasks that it requires:
    tasks of this call in any order, or of the database. Its title is its key. A line of nothing
    but known tasks, as ``"b > a"`` after ``NewTask(key="b", ...)``, only adds the dependencies.
    *features* are made with the tasks that belong to them, and so are their epics: ``E01-F01`` is
    one of epic ``E01``.

    Raises as `tasks.create_many` does, and `ValidationError` for a line without a key.
    """
    return run(conn, _make_plan(lines, features or {}))


def _make_plan(
    lines: Iterable[Line], of_features: Mapping[str, Iterable[Line]]
) -> Steps[dict[str, UUID]]:
    new: dict[str, NewTask] = {}
    edges: list[NewDependency] = []
    feature_ids: dict[str, UUID] = yield from _make_features(of_features)
    for feature, its_lines in [(None, lines), *of_features.items()]:
        for line in its_lines:
            task, blockers = _parse(line)
            key = task.key or ""
            if feature is not None:
                task = replace(task, feature_id=feature_ids[feature])
            if isinstance(line, NewTask) or key not in new:
                new[key] = task
            edges += [NewDependency(key, blocker) for blocker in blockers]
    made = yield call(tasks.create_many, new.values(), edges)
    return dict(zip(new, made.ids, strict=True))


def _make_features(keys: Iterable[str]) -> Steps[dict[str, UUID]]:
    epic_ids: dict[str, UUID] = {}
    ids: dict[str, UUID] = {}
    for key in keys:
        epic = key.partition("-")[0]
        if epic not in epic_ids:
            epic_ids[epic] = (yield call(epics.create, key=epic, title=epic)).id
        made = yield call(features.create, epic_id=epic_ids[epic], key=key, title=key)
        ids[key] = made.id
    return ids


def _parse(line: Line) -> tuple[NewTask, list[str]]:
    """Return the task of a line and the keys of its blockers."""
    if isinstance(line, NewTask):
        if line.key is None:
            raise ValidationError("key", "must be given: make_plan names tasks by it")
        return line, []
    key, _, rest = line.partition(">")
    blockers = [blocker.strip() for blocker in rest.split(",")] if rest else []
    return NewTask(key=key.strip(), title=key.strip()), blockers
