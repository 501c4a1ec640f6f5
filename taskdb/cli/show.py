"""`taskdb show`: what a query is."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import click

from taskdb.cli.common import (
    Target,
    heading,
    json_option,
    package_option,
    print_json,
    queries_of,
    with_target,
)
from taskdb.query import Queries, Query
from taskdb.query.check import inspection
from taskdb.query.check.inspection import Shown

__all__ = ["show"]


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
        _print(shown)


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


def _print(shown: Shown) -> None:
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
