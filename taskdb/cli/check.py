"""`taskdb check`: is the SQL what its functions, its migrations and its files say?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import click
from click.exceptions import Exit

from taskdb import migrations
from taskdb.admin.seed import MOST_TASKS
from taskdb.cli import watching
from taskdb.cli.common import (
    Target,
    count_of,
    json_option,
    print_json,
    queries_of,
    with_target,
)
from taskdb.cli.plans import FEWEST_TASKS, FULL_SIZE, plan_report
from taskdb.cli.project import OF_QUERIES, OF_SCHEMA, PLANS, find_project
from taskdb.cli.reports import FORMATS, github, paths_of, sarif
from taskdb.database import connect, workspaces
from taskdb.migrations import drift, foreign
from taskdb.migrations import rehearsal as migration_check
from taskdb.migrations.scratch import scratch_databases
from taskdb.query import Queries
from taskdb.query.check import plans as plan_check
from taskdb.query.check import queries as query_check

__all__ = ["check"]

PARTS = (*OF_QUERIES, *OF_SCHEMA)
# Any package but taskdb's own, to those who connect for one.
OTHER = "another package"


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice((*PARTS, PLANS)))
@click.option("--write", is_flag=True, help="Write the expectations instead of comparing them.")
@click.option(
    "--package",
    "packages",
    metavar="MODULE",
    multiple=True,
    help="Check the queries of another package, against the database as it stands; with a "
    "--workspace, against that. Default: those of [tool.taskdb] in pyproject.toml.",
)
@click.option(
    "--migrations",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The other package's migrations: NAME.sql with NAME.rollback.sql, or .up.sql, .down.sql.",
)
@click.option(
    "--schema",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The file that builds what the other package's migrations build, for drift.",
)
@click.option(
    "--tasks",
    type=click.IntRange(FEWEST_TASKS, MOST_TASKS),
    default=FULL_SIZE,
    show_default=True,
    help="How many tasks the plans are taken with.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="github: annotations for a workflow; sarif: for code scanning.",
)
@click.option("--watch", is_flag=True, help="Check again whenever a file changes.")
@json_option
@with_target
def check(
    target: Target,
    *,
    parts: tuple[str, ...],
    write: bool,
    packages: tuple[str, ...],
    folder: Path | None,
    file: Path | None,
    tasks: int,
    form: str,
    watch: bool,
    as_json: bool,
) -> None:
    """Prove the SQL against a database; nothing of yours is run or changed.

    contract: every text of every query is described by the server, and compared with the
    function and the dataclass it belongs to. expectations: what the server makes of each query is
    what the reviewed files say; --write writes them. drift: migrations/ and sql/ build the same.
    migrations: each goes up, down and up again, with the locks it declares. Without PARTS, all
    four, in scratch databases that are dropped again.

    plans: no query reads a large table whole or sorts many rows, and each uses the index that its
    file names. The data are made once, in minutes, and kept in a database of their own; of another
    package they are those of the database.

    In a project whose pyproject.toml has a table [tool.taskdb], its packages are checked, with the
    database it names. Its migrations and its schema file are tried in scratch databases too.

    Exit status 1 if something was found.

    Example: taskdb check contract
    """
    project = None if packages else find_project()
    if watch:
        arguments = [argument for argument in sys.argv if argument != "--watch"]
        watching.again_and_again(arguments, project.path.parent if project else Path.cwd())
    if project is not None:
        project.let_import()
        packages = project.packages
        parts = parts or project.checks if not write else parts
        target = Target(target.url or project.url, target.workspace or project.workspace)
        folder, file = folder or project.migrations, file or project.schema
    schema = Schema(folder, file) if packages else None
    chosen = _chosen(parts, write, schema)
    of = [each for package in packages for each in queries_of(package)] or queries_of(None)
    findings: dict[str, list[object]] = {}
    of_queries, of_plans = None, None
    if set(chosen) & set(OF_QUERIES):
        of_queries = _check_queries(target, chosen, of if packages else None, write)
        findings.update({part: list(found) for part, found in of_queries.findings.items()})
    if set(chosen) - set(OF_QUERIES):
        conninfo, _ = target.place()
        of_schema = _OF_SCHEMA if schema is None else schema.checks()
        findings.update({part: of_schema[part](conninfo) for part in chosen if part in OF_SCHEMA})
        if PLANS in chosen:
            of_plans = _plans_of(target, of) if packages else plan_report(conninfo, tasks)
            findings[PLANS] = list(of_plans.findings)
    form = "json" if as_json else form
    if form == "json":
        print_json({**findings, **_extras(of_queries, of_plans)})
    elif form == "sarif":
        print_json(sarif(findings, paths_of(of, folder, file)))
    elif form == "github":
        for line in github(findings, paths_of(of, folder, file)):
            click.echo(line)
    else:
        _print(findings, of_queries, of_plans)
        if packages and not target.names_workspace() and _misses_tables(findings):
            click.echo("If these queries use taskdb's tables, pass --workspace.")
    if any(findings.values()):
        raise Exit(1)


@dataclass(frozen=True, slots=True)
class Schema:
    """Sources of another package's schema: its migrations, and the file that builds the same."""

    folder: Path | None
    file: Path | None

    def checks(self) -> dict[str, Callable[[str], list[object]]]:
        """Return the parts that can be checked with them, each taking where to connect."""
        found: dict[str, Callable[[str], list[object]]] = {}
        folder, file = self.folder, self.file
        if folder is not None and file is not None:
            found["drift"] = lambda conninfo: [*foreign.check_drift(conninfo, folder, file)]
        if folder is not None:
            found["migrations"] = lambda conninfo: [*foreign.check_migrations(conninfo, folder)]
        return found


def _chosen(parts: tuple[str, ...], write: bool, schema: Schema | None) -> Collection[str]:
    """Return the parts to check. Raises `click.UsageError` for those that don't go together."""
    if write and set(parts) - set(OF_QUERIES):
        raise click.UsageError("--write goes with contract and expectations alone")
    if schema is None:
        return parts or (OF_QUERIES if write else PARTS)
    possible = schema.checks()
    for part in OF_SCHEMA:
        if part in parts and part not in possible:
            needs = "--migrations" if part == "migrations" else "--migrations and --schema"
            raise click.UsageError(
                f"{part} of another package needs {needs}, here or in [tool.taskdb]"
            )
    return parts or (OF_QUERIES if write else (*OF_QUERIES, *possible))


def _check_queries(
    target: Target, parts: Collection[str], of_package: list[Queries] | None, write: bool
) -> query_check.QueryReport:
    if of_package is not None:
        with target.connect_for(OTHER) as conn:
            return query_check.check_all(conn, of_package, parts, write=write)
    conninfo, _ = target.place()
    with scratch_databases(conninfo, 1) as (scratch,):
        migrations.up(scratch)
        with connect(scratch, workspace=workspaces.DEFAULT) as conn:
            return query_check.combined(
                [query_check.check(conn, each, parts, write=write) for each in queries_of(None)]
            )


def _plans_of(target: Target, of: list[Queries]) -> plan_check.PlanReport:
    """The plans of another project's queries, with the data that its database has."""
    with target.connect_for(OTHER) as conn:
        return plan_check.check(conn, [query for each in of for query in each])


def _misses_tables(findings: dict[str, list[object]]) -> bool:
    return any('relation "' in str(found) for found in findings.get("contract", []))


def _extras(
    of_queries: query_check.QueryReport | None, of_plans: plan_check.PlanReport | None
) -> dict[str, object]:
    extras: dict[str, object] = {}
    if of_queries:
        extras |= {
            "overrides": of_queries.overrides,
            "query_count": of_queries.query_count,
            "variant_count": of_queries.variant_count,
            "column_count": of_queries.column_count,
        }
        if of_queries.written is not None:
            extras["written"] = of_queries.written
    if of_plans:
        extras["exemptions"] = of_plans.exemptions
    return extras


def _print(
    findings: dict[str, list[object]],
    of_queries: query_check.QueryReport | None,
    of_plans: plan_check.PlanReport | None,
) -> None:
    for part, found in findings.items():
        click.echo(f"{part}: {count_of(len(found), 'finding')}")
        for finding in found:
            click.echo(f"  {finding}")
    if of_queries:
        _tell_of_queries(of_queries)
    if of_plans:
        _tell_exemptions(of_plans)


def _tell_of_queries(report: query_check.QueryReport) -> None:
    click.echo(
        f"looked at: {count_of(report.query_count, 'query')}, "
        f"{count_of(report.variant_count, 'variant')}, {count_of(report.column_count, 'column')}"
    )
    if report.overrides:
        share = 100 * report.override_share
        click.echo(
            f"{len(report.overrides)} of {count_of(report.column_count, 'column')} "
            f"({share:.1f} %) by their author's word:"
        )
    for each in report.overrides:
        click.echo(f"  {each.where}: {each.query}: {each.column}: {each.reason}")
    if report.written is None:
        return
    click.echo(f"files of expectations changed: {len(report.written)}")
    for path in report.written:
        click.echo(f"  {path}")


def _tell_exemptions(report: plan_check.PlanReport) -> None:
    click.echo(
        f"{count_of(report.plan_count, 'plan')} of {count_of(report.query_count, 'query')}; "
        f"exemptions, each with its reason: {len(report.exemptions) or 'none'}"
    )
    for each in report.exemptions:
        click.echo(f"  {each.where}: {each.query}: {each.allows}: {each.reason}")


def _drift(conninfo: str) -> list[object]:
    return list(drift.check(conninfo))


def _migrations(conninfo: str) -> list[object]:
    return list(migration_check.check(conninfo))


_OF_SCHEMA: dict[str, Callable[[str], list[object]]] = {
    "drift": _drift,
    "migrations": _migrations,
}
