"""`taskdb check`: is the SQL what its functions, its migrations and its files say?"""

from __future__ import annotations

import importlib
from collections.abc import Callable

import click
from click.exceptions import Exit

from taskdb import migrations, queries
from taskdb.check import contract, drift
from taskdb.check import migrations as migration_check
from taskdb.check.scratch import scratch_databases
from taskdb.cli.common import Target, json_option, print_json, with_target
from taskdb.database import connect
from taskdb.query import Queries

__all__ = ["check"]

PARTS = ("contract", "drift", "migrations")


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@click.option(
    "--package",
    metavar="MODULE",
    help="Check the queries of another package, against the database as it stands.",
)
@json_option
@with_target
def check(target: Target, *, parts: tuple[str, ...], package: str | None, as_json: bool) -> None:
    """Prove the SQL against a database; nothing of yours is run or changed.

    contract: every text of every query is described by the server, and compared with the
    function and the dataclass it belongs to. drift: migrations/ and sql/ build the same.
    migrations: each goes up, down and up again, with the locks it declares. Without PARTS, all
    of them, in scratch databases that are dropped again.

    Exit status 1 if something was found.

    Example: taskdb check contract
    """
    if package is not None:
        if set(parts) - {"contract"}:
            raise click.UsageError("--package goes with contract alone")
        findings = {"contract": _contract_of(target, _queries_of(package))}
    else:
        conninfo, _ = target.place()
        findings = {part: _PARTS[part](conninfo) for part in parts or PARTS}
    if as_json:
        print_json(findings)
    else:
        for part, found in findings.items():
            click.echo(f"{part}: {len(found)} findings" if found else f"{part}: no findings")
            for finding in found:
                click.echo(f"  {finding}")
    if any(findings.values()):
        raise Exit(1)


def _contract(conninfo: str) -> list[object]:
    with scratch_databases(conninfo, 1) as (scratch,):
        migrations.up(scratch)
        with connect(scratch) as conn:
            return list(contract.check(conn, queries.query))


def _contract_of(target: Target, package: Queries) -> list[object]:
    with target.connect(patient=True) as conn:
        return list(contract.check(conn, package))


def _drift(conninfo: str) -> list[object]:
    return list(drift.check(conninfo))


def _migrations(conninfo: str) -> list[object]:
    return list(migration_check.check(conninfo))


_PARTS: dict[str, Callable[[str], list[object]]] = {
    "contract": _contract,
    "drift": _drift,
    "migrations": _migrations,
}


def _queries_of(package: str) -> Queries:
    """Return the `Queries` that a module made. Raises `click.BadParameter` if it has none."""
    try:
        module = importlib.import_module(package)
    except ModuleNotFoundError as exc:
        raise click.BadParameter(
            f"{package} cannot be imported: {exc}", param_hint="--package"
        ) from exc
    for value in vars(module).values():
        if isinstance(value, Queries):
            return value
    raise click.BadParameter(
        f"{package} makes no Queries; name the module that does", param_hint="--package"
    )
