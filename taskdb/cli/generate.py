"""`taskdb generate`: stubs and row classes for the queries that have none."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import click
from click.exceptions import Exit
from psycopg import Connection

from taskdb.cli.common import Target, count_of, queries_of, with_target
from taskdb.cli.project import find_project
from taskdb.cli.stubfiles import StubFile, module_of, target_of
from taskdb.query import Queries
from taskdb.query._statements import Statement
from taskdb.query.check.generating import generated

__all__ = ["generate"]


@click.command()
@click.option(
    "--package",
    "packages",
    metavar="MODULE",
    multiple=True,
    help="The package that makes the Queries. Default: those of [tool.taskdb].",
)
@click.option("--check", "only_check", is_flag=True, help="Write nothing; fail if something lacks.")
@with_target
def generate(target: Target, *, packages: tuple[str, ...], only_check: bool) -> None:
    """Write a stub for each named query that has none, with its types as the database has them.

    Each file of queries has a module of its name in the package; it is made, or added to: enums,
    row classes, and a function for each query, whose comment becomes the docstring. What stands
    there stays. Edit the result as you like: `taskdb check` holds it to the database.

    Example: taskdb generate --package shop
    """
    if not packages and (project := find_project()) is not None:
        project.let_import()
        packages = project.packages
        target = Target(target.url or project.url, target.workspace or project.workspace)
    if not packages:
        raise click.UsageError("Name the --package, or packages in [tool.taskdb]")
    with _incomplete():
        lacking = [
            _Lacking(package, queries, area, [each for _, each in group])
            for package in packages
            for queries in queries_of(package)
            for area, group in groupby(queries.without_function(), lambda each: each[0])
        ]
    count = sum(len(each.statements) for each in lacking)
    if only_check:
        _tell(lacking, count)
        return
    with target.connect_for(packages[0]) as conn:
        modules = _modules(conn, lacking)
        conn.rollback()
    for each, (file, text) in zip(lacking, modules, strict=True):
        file.write(text)
        click.echo(f"{file.path}: {', '.join(statement.name for statement in each.statements)}")
    click.echo(f"{count_of(count, 'function')} written")


@contextmanager
def _incomplete() -> Generator[None]:
    """Let modules be imported although `complete()` would find queries without a function."""
    before = Queries.complete
    Queries.complete = lambda self: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        Queries.complete = before  # type: ignore[method-assign]


@dataclass(frozen=True, slots=True)
class _Lacking:
    """The statements of a file that have no function."""

    package: str
    queries: Queries
    area: str
    statements: list[Statement]


def _tell(lacking: Iterable[_Lacking], count: int) -> None:
    """Name the queries without a function; fail if there are any."""
    for each in lacking:
        for statement in each.statements:
            click.echo(f"{statement.where}: {each.area}.{statement.name} has no function")
    if count:
        have = "has" if count == 1 else "have"
        click.echo(f"{count_of(count, 'query')} {have} no function; run taskdb generate")
        raise Exit(1)
    click.echo("no function lacks")


def _modules(conn: Connection[Any], lacking: Iterable[_Lacking]) -> list[tuple[StubFile, str]]:
    """Return the modules to write, each with its text, or fail and name all that is refused."""
    texts: list[tuple[StubFile, str]] = []
    refused: list[Exception] = []
    for each in lacking:
        file = StubFile.read(module_of(each.package, each.area))
        target = target_of(each.package, each.queries, each.area, file)
        try:
            texts.append((file, generated(conn, each.statements, target, each.queries.types)))
        except ExceptionGroup as group:
            refused += group.exceptions
    for error in refused:
        click.echo(str(error), err=True)
    if refused:
        raise click.ClickException(
            f"{count_of(len(refused), 'query')} can have no function, so nothing was written"
        )
    return texts
