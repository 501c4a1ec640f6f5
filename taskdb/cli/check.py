"""`taskdb check`: is the SQL what its functions, its migrations and its files say?"""

from __future__ import annotations

import importlib
from collections.abc import Callable

import click
from click.exceptions import Exit

from taskdb import migrations, queries
from taskdb.check import contract, drift
from taskdb.check import migrations as migration_check
from taskdb.check.plans import Report
from taskdb.check.scratch import scratch_databases
from taskdb.cli.common import Target, json_option, print_json, with_target
from taskdb.cli.plans import FEWEST_TASKS, FULL_SIZE, plan_report
from taskdb.database import connect
from taskdb.query import Queries
from taskdb.seed import MOST_TASKS

__all__ = ["check"]

PARTS = ("contract", "drift", "migrations")
ALL_PARTS = (*PARTS, "plans")


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(ALL_PARTS))
@click.option(
    "--package",
    metavar="MODULE",
    help="Check the queries of another package, against the database as it stands.",
)
@click.option(
    "--tasks",
    type=click.IntRange(FEWEST_TASKS, MOST_TASKS),
    default=FULL_SIZE,
    show_default=True,
    help="How many tasks the plans are taken with.",
)
@json_option
@with_target
def check(
    target: Target, *, parts: tuple[str, ...], package: str | None, tasks: int, as_json: bool
) -> None:
    """Prove the SQL against a database; nothing of yours is run or changed.

    contract: every text of every query is described by the server, and compared with the
    function and the dataclass it belongs to. drift: migrations/ and sql/ build the same.
    migrations: each goes up, down and up again, with the locks it declares. Without PARTS, all
    three, in scratch databases that are dropped again.

    plans: no query reads a large table whole or sorts many rows, and each uses the index that its
    file names. The data are made once, in minutes, and kept in a database of their own.

    Exit status 1 if something was found.

    Example: taskdb check contract
    """
    report = None
    if package is not None:
        if set(parts) - {"contract"}:
            raise click.UsageError("--package goes with contract alone")
        findings = {"contract": _contract_of(target, _queries_of(package))}
    else:
        conninfo, _ = target.place()
        findings = {part: _PARTS[part](conninfo) for part in parts or PARTS if part != "plans"}
        if "plans" in parts:
            report = plan_report(conninfo, tasks)
            findings["plans"] = list(report.findings)
    if as_json:
        exemptions = {"exemptions": report.exemptions} if report else {}
        print_json({**findings, **exemptions})
    else:
        for part, found in findings.items():
            click.echo(f"{part}: {len(found)} findings" if found else f"{part}: no findings")
            for finding in found:
                click.echo(f"  {finding}")
        if report:
            _print_exemptions(report)
    if any(findings.values()):
        raise Exit(1)


def _print_exemptions(report: Report) -> None:
    click.echo(
        f"{report.plan_count} plans of {report.query_count} queries; "
        f"{len(report.exemptions)} lines allow by reason what a plan must not do:"
    )
    for each in report.exemptions:
        click.echo(f"  {each.where}: {each.query}: {each.allows}: {each.reason}")


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
