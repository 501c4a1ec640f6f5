"""Databases that checks make for themselves."""

from __future__ import annotations

from taskdb.queries.admin import query


@query
def leftovers(*, prefix: str) -> list[str]:
    """Return scratch databases whose creators are gone."""
    ...
