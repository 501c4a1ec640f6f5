"""Databases that checks and test runs create for themselves, and roles of test runs."""

from __future__ import annotations

from taskdb.queries.admin import query


@query
def leftovers(*, prefix: str) -> list[str]:
    """Return databases whose creators are gone."""
    ...


@query
def leftover_roles(*, prefix: str) -> list[str]:
    """Return roles whose creators are gone, for a superuser; for others nothing."""
    ...
