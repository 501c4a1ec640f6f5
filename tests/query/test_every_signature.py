"""Hostile arguments of every typed query end in the stored value, or are refused by name."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
from collections.abc import Generator
from typing import Any, Final

import psycopg
import pytest

from taskdb import queries
from taskdb.queries import epics, features, tasks
from tests import fuzz
from tests.plans import Plan

AREAS: Final = sorted(
    each.name for each in pkgutil.iter_modules(queries.__path__) if not each.ispkg
)
# Helpers of the areas; and two that only taskdb calls: a restore, and the rows of an import.
HELPERS: Final = ("archive", "arrangement", "cycles", "exchange", "fields", "rows", "steps")
ADMIN: Final = ("admin.retention", "admin.testing")
# Keys of these have a form of their own.
KEYS: Final = {"epics": "E77", "features": "E01-F77"}

# The annotations that were tried with values of many megabytes.
WEIGHED: Final[set[str]] = set()


TRIED: Final = [*(area for area in AREAS if area not in HELPERS), *ADMIN]


@pytest.mark.parametrize("area", TRIED)
def test_hostile_argument_is_kept_or_refused_by_name(
    conn: psycopg.Connection[Any], plan: Plan, area: str
) -> None:
    try_hostile(conn, plan, area, fuzz.SHARE)


@pytest.mark.slow
@pytest.mark.parametrize("area", TRIED)
def test_every_hostile_argument_is_kept_or_refused_by_name(
    conn: psycopg.Connection[Any], plan: Plan, area: str
) -> None:
    try_hostile(conn, plan, area, 1.0)


def try_hostile(conn: psycopg.Connection[Any], plan: Plan, area: str, share: float) -> None:
    module = importlib.import_module(f"taskdb.queries.{area}")
    known = known_to(conn, plan, module, KEYS.get(area, plan.chore))
    conn.execute("set local statement_timeout = '10s'")

    @contextlib.contextmanager
    def undone() -> Generator[None]:
        with conn.transaction(force_rollback=True):
            yield

    attempts = (
        attempt
        for name, function in fuzz.public_functions(module)
        for attempt in fuzz.calls(f"{area}.{name}", function, conn, known, WEIGHED)
    )
    wrong = [found for each in fuzz.some(attempts, share) if (found := fuzz.judge(each, undone))]

    assert not wrong, "\n".join([f"seed {fuzz.SEED}, {share:.0%} of the calls", *wrong])


def known_to(conn: psycopg.Connection[Any], plan: Plan, module: Any, key: str) -> dict[str, Any]:
    """Return values of arguments by their names: rows of the plan, and one of the area's own."""
    task = tasks.get_by_key(conn, plan.chore)
    known: dict[str, Any] = {
        "key": key,
        "task": plan.chore,
        "depends_on": plan.build,
        "task_id": task.id,
        "epic_id": epics.get_by_key(conn, plan.epic).id,
        "feature_id": features.get_by_key(conn, plan.features[0]).id,
        "commit_sha": "abcdef1",
    }
    return known | ({"id": task.id} if module is tasks else {})
