"""Databases and time of a test run, for `taskdb.testing`."""

from __future__ import annotations

from taskdb.models.admin.testing import OwnRights
from taskdb.queries.admin import query
from taskdb.queries.fields import Delay, Name


@query
def own_rights() -> OwnRights:
    """Return what the current role may do."""
    ...


@query
def wait_for_lock(*, name: str) -> bool:
    """Wait for the lock of this name; the session holds it until it ends."""
    ...


@query
def list_databases(*, prefix: str) -> list[str]:
    """Return the databases whose names begin with *prefix*."""
    ...


@query
def vacuum() -> None:
    """Take the rows of rolled-back tests out of all tables; the connection is in autocommit."""
    ...


@query
def lapse_leases(*, agent: Name | None = None) -> int:
    """Let every lease be over, or those of *agent*; return how many.

    The tasks are still in progress: the next claim takes them over, and the earlier holder's
    token is refused from then on.
    """
    ...


@query
def pass_time(span: Delay) -> int:
    """Let *span* pass for leases, schedules, retries of steps and checks of external dependencies.

    What ends within it is over when this returns, and no test sleeps. Moments that are history
    stay as they are. Return how many tasks have a lease or a schedule.
    """
    ...
