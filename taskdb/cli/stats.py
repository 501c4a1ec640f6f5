"""`taskdb stats`: what queries cost, from pg_stat_statements."""

from __future__ import annotations

import dataclasses
from typing import Any

import click
from psycopg import Connection, errors

from taskdb.cli.common import (
    Target,
    json_option,
    package_option,
    print_json,
    print_table,
    queries_of,
    with_target,
)
from taskdb.cli.figures import show_figures
from taskdb.errors import DatabaseError
from taskdb.models.admin.statements import StatementCost
from taskdb.query import Queries

__all__ = ["stats"]

EXTENSION = "pg_stat_statements"


@click.command()
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most.")
@click.option(
    "--health", "of_health", is_flag=True, help="Figures of workspace and server instead."
)
@package_option
@json_option
@with_target
def stats(
    target: Target, *, limit: int, of_health: bool, package: str | None, as_json: bool
) -> None:
    """Show what each query has cost, the costliest first, from pg_stat_statements.

    The comment in each statement says which query it is. Times are in milliseconds.

    With --health: tasks by state, the oldest that is ready, lapsed leases, dead tuples, snapshots,
    locks, notifications and sessions; docs/operations.md says what to make of them.

    Example: taskdb stats --limit 5
    """
    if of_health:
        show_figures(target, as_json=as_json)
        return
    of = queries_of(package)
    with target.connect_for(package) as conn:
        costs = [cost for name in {each.name: None for each in of} for cost in _costs(conn, name)]
    costs = sorted(costs, key=lambda cost: -cost.total_ms)[:limit]
    if as_json:
        print_json([{**dataclasses.asdict(cost), "where": _where(of, cost)} for cost in costs])
        return
    print_table(
        ["total ms", "calls", "mean ms", "rows", "query", "where"],
        [
            (cost.total_ms, cost.call_count, cost.mean_ms, cost.row_count, cost.name, where)
            for cost in costs
            for where in [_where(of, cost)]
        ],
        beneath=True,
    )


def _where(of: list[Queries], cost: StatementCost) -> str:
    """The query's place, or that there is no such query any more."""
    places = (query.where for each in of for query in each if query.name == cost.name)
    return next(places, "(gone)")


def _costs(conn: Connection[Any], application: str) -> list[StatementCost]:
    """Return what queries cost. Raises DatabaseError where the extension is missing."""
    from taskdb.queries.admin import extensions, migrations, statements

    schema = extensions.schema_of(conn, EXTENSION)
    if schema is None:
        raise DatabaseError(
            f"This database has no extension {EXTENSION}",
            hint=f"As a superuser: taskdb db psql -c 'create extension {EXTENSION} schema public'; "
            f"the server must load it (shared_preload_libraries), as the embedded one does",
        )
    try:
        with conn.transaction(force_rollback=True):
            migrations.set_path(conn, schemas=[schema])
            return statements.list_statements(conn, application=application)
    except errors.ObjectNotInPrerequisiteState as exc:
        raise DatabaseError(
            f"The server has not loaded {EXTENSION}",
            hint=f"Set shared_preload_libraries = '{EXTENSION}' in postgresql.conf and restart it",
        ) from exc
