"""`taskdb generate`: stubs and row classes for the queries that have none."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from click.exceptions import Exit
from psycopg import Connection

from taskdb.cli.common import Target, queries_of, with_target
from taskdb.cli.project import find_project
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
    project = find_project()
    if not packages and project is not None:
        packages = project.packages
        target = Target(target.url or project.url, target.workspace or project.workspace)
    if not packages:
        raise click.UsageError("Name the --package, or packages in [tool.taskdb]")
    written = 0
    with target.connect_for(packages[0]) as conn:
        for package in packages:
            with _incomplete():
                found = queries_of(package)
            for queries in found:
                written += _write(conn, package, queries, only_check)
        conn.rollback()
    if only_check and written:
        click.echo(f"{written} queries have no function; run taskdb generate")
        raise Exit(1)
    click.echo(f"{written or 'no'} functions written" if not only_check else "no function lacks")


@contextmanager
def _incomplete() -> Generator[None]:
    """Let modules be imported although `complete()` would find queries without a function."""
    before = Queries.complete
    Queries.complete = lambda self: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        Queries.complete = before  # type: ignore[method-assign]


def _write(conn: Connection[Any], package: str, queries: Queries, only_check: bool) -> int:
    lacking: dict[str, list[Statement]] = {}
    for area, statement in queries.without_function():
        lacking.setdefault(area, []).append(statement)
    for area, statements in lacking.items() if not only_check else ():
        path = _module_of(package, area)
        importing = _importing(package, queries)
        text = generated(conn, statements, path, importing, queries.types)
        path.write_text(text, encoding="utf-8")
        click.echo(f"{path}: {', '.join(each.name for each in statements)}")
    return sum(map(len, lacking.values()))


def _module_of(package: str, area: str) -> Path:
    """Return the path of an area's module: in the package, or the module itself."""
    module = importlib.import_module(package)
    if module.__file__ is None:
        raise click.BadParameter(f"{package} has no __init__.py", param_hint="--package")
    path = Path(module.__file__)
    return (
        path.with_name(f"{area}.py") if hasattr(module, "__path__") or path.stem != area else path
    )


def _importing(package: str, queries: Queries) -> str:
    """The line by which a new module gets its `query`."""
    top = package.partition(".")[0]
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == top:
            for attribute, value in vars(module).items():
                if value is queries:
                    alias = "" if attribute == "query" else " as query"
                    return f"from {name} import {attribute}{alias}"
    return f"from {package} import query"
