"""`taskdb show` and `taskdb stats`: what a query is, and what queries cost."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from typing import Any

import click
from psycopg import Connection, errors

from taskdb.cli.common import (
    Target,
    heading,
    json_option,
    print_json,
    print_table,
    queries_of,
    with_target,
)
from taskdb.errors import DatabaseError
from taskdb.models.admin.statements import StatementCost
from taskdb.query import Queries, Query
from taskdb.query.check import inspection
from taskdb.query.check.inspection import Shown

__all__ = ["show", "stats"]

EXTENSION = "pg_stat_statements"

package_option = click.option(
    "--package", metavar="MODULE", help="The queries of another package than taskdb's own."
)


@click.command()
@click.argument("query")
@click.argument("arguments", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--plan", "with_plan", is_flag=True, help="Print its plan with these arguments.")
@package_option
@json_option
@with_target
def show(
    target: Target,
    *,
    query: str,
    arguments: tuple[str, ...],
    with_plan: bool,
    package: str | None,
    as_json: bool,
) -> None:
    """Show a query: its text as sent, types, tables, privileges, caller, and how to run it in psql.

    With arguments it is the text for these, without the one with all its `-- if` lines. What is
    not given gets a value that the tables have. Nothing is executed.

    Example: taskdb show tasks.list_tasks --plan status=pending
    """
    chosen = _chosen(queries_of(package), query)
    given = _given(chosen, arguments)
    with target.connect_for(package) as conn:
        shown = inspection.show(conn, chosen, given)
    if as_json:
        print_json(shown)
    elif with_plan:
        click.echo("\n".join(shown.plan))
    else:
        _tell(shown)


def _chosen(of: list[Queries], name: str) -> Query[Any, Any]:
    names = {query.name: query for each in of for query in each}
    if name not in names:
        near = [each for each in names if name.rpartition(".")[2] in each]
        near = near or difflib.get_close_matches(name, names)
        hint = f"is it one of {', '.join(near[:8])}?" if near else f"there are {len(names)} others"
        raise click.BadParameter(f"there is no query {name}; {hint}", param_hint="QUERY")
    return names[name]


def _given(query: Query[Any, Any], arguments: Sequence[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    known = [parameter.name for parameter in query.parameters]
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or name not in known:
            raise click.BadParameter(
                f"{argument} is not NAME=VALUE of {', '.join(known) or 'no parameters'}",
                param_hint="NAME=VALUE",
            )
        given[name] = value
    return given


def _tell(shown: Shown) -> None:
    facts = shown.facts
    heading(shown.name)
    click.echo(f"{shown.sql_where}\n{shown.python_where}\n{shown.signature}")
    if shown.doc:
        click.echo(f"\n{shown.doc}")
    heading("\nSent as")
    click.echo(shown.text)
    heading("\nWhat the server makes of it")
    for line in str(facts).splitlines()[2:]:
        click.echo(line[4:])
    click.echo(f"rows    {'at most one' if facts.single else 'any number'}")
    for line in shown.named_indexes:
        click.echo(f"plan    {line}")
    click.echo(f"uses    {', '.join(shown.used_indexes) or 'no index'}, in this database")
    if shown.psql_variables:
        heading("\nIn psql, to run it as it stands in its file")
        click.echo("\n".join(shown.psql_variables))
    if shown.prepared:
        heading("\nIn psql, to see its plan")
        click.echo("\n".join(shown.prepared))


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
        _health(target, as_json)
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


def _health(target: Target, as_json: bool) -> None:
    from taskdb.cli.health import tell
    from taskdb.health import collect

    with target.connect() as conn:
        health = collect(conn)
    if as_json:
        print_json(health)
    else:
        tell(health)


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
