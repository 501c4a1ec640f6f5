"""`taskdb import`: another tracker's plan, or a workspace that taskdb exported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from datetime import tzinfo
from itertools import takewhile
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
from click.core import ParameterSource
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

from taskdb.cli.common import Target, json_option, print_json, stderr, with_target
from taskdb.exchange import (
    EDGE_KINDS,
    KINDS,
    ImportConflictError,
    ImportRefusedError,
    OnConflict,
    Progress,
    ReadOptions,
    Report,
    Stage,
    import_plan,
)
from taskdb.exchange.archive import restore_workspace
from taskdb.exchange.detection import KNOWN
from taskdb.exchange.files import STDIN
from taskdb.exchange.options import LARGEST
from taskdb.exchange.progress import silent
from taskdb.exchange.records import FIELDS
from taskdb.text import clean, escaped_json, shorten

__all__ = ["abridged", "import_", "progress_bars"]

ARCHIVE: Final = "taskdb"
LONGEST_REASON = 140


def _existing(context: click.Context, parameter: click.Parameter, path: Path) -> Path:
    """Refuse a path where nothing is, before there is a connection."""
    if path != STDIN and not path.exists():
        raise click.BadParameter(f"{path} does not exist. {KNOWN}", context, parameter)
    return path


def _zone(context: click.Context, parameter: click.Parameter, name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, ZoneInfoNotFoundError) as error:
        rule = f"{name!r} is no time zone; name one such as Europe/Berlin"
        raise click.BadParameter(rule, context, parameter) from error


@click.command("import")
@click.argument("kind", type=click.Choice([*KINDS, ARCHIVE]))
@click.argument("path", type=click.Path(path_type=Path), callback=_existing)
@click.option("--strict", is_flag=True, help="Take all or nothing.")
@click.option("--reset", is_flag=True, help="Import every task as pending, but cancelled ones.")
@click.option("--dry-run", is_flag=True, help="Show what would change, field by field.")
@click.option(
    "--on-conflict",
    type=click.Choice([each.value for each in OnConflict]),
    default=OnConflict.STOP.value,
    show_default=True,
    help="Whose value counts where the file and the database both changed a field.",
)
@click.option("--prune", is_flag=True, help="Cancel tasks that are gone from the file.")
@click.option("--prefix", default="", metavar="TEXT", help="Goes before the keys of tasks.")
@click.option(
    "--edge",
    "edges",
    multiple=True,
    metavar="WORD=KIND",
    help=f"Take the tracker's relation WORD as {', '.join(EDGE_KINDS[:4])}, or -reversed.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="FIELD=NAME",
    help=f"The column NAME of a table is FIELD: {', '.join(FIELDS)}.",
)
@click.option(
    "--rename-duplicates", is_flag=True, help="Take different tasks under one id by new keys."
)
@click.option("--subtasks-first", is_flag=True, help="Offer a task's subtasks before the task.")
@click.option(
    "--zone",
    default="UTC",
    show_default=True,
    metavar="NAME",
    callback=_zone,
    help="The time zone of moments that name none.",
)
@click.option("--no-size-limit", is_flag=True, help=f"Read more than {LARGEST // 2**20} MiB.")
@json_option
@with_target
def import_(
    target: Target,
    *,
    kind: str,
    path: Path,
    strict: bool,
    reset: bool,
    dry_run: bool,
    on_conflict: str,
    prune: bool,
    prefix: str,
    edges: tuple[str, ...],
    columns: tuple[str, ...],
    rename_duplicates: bool,
    subtasks_first: bool,
    zone: tzinfo,
    no_size_limit: bool,
    as_json: bool,
) -> None:
    """Import another tracker's plan.

    What was taken, changed and refused is reported, row by row, with the reason. PATH is a file
    or a folder of the tracker, or - for standard input. To import it again takes what changed in
    it since then. Of the kind taskdb it is a file of `taskdb export`, which goes into an empty
    workspace. With --strict exit status 1 and nothing imported if there is anything to change
    or refuse; so it is if a field changed on both sides, unless --on-conflict says whose counts.

    \b
    Example: taskdb import beads .beads
             taskdb import beads .beads --dry-run
             taskdb import taskmaster .taskmaster --subtasks-first
             taskdb import shark shark-tasks.db
             taskdb import shark-plan docs/plan --strict
             taskdb import backlog-md backlog
             gh issue list --state all --json number,url,title,state,labels,blockedBy |
               taskdb import github -
             taskdb import linear export.csv
             taskdb import jira export.csv --prefix jira- --zone Europe/Berlin
             taskdb import csv plan.csv --column key=No --column blocked_by=After
             taskdb import jsonl plan.jsonl --edge precedes=requires-reversed
             taskdb import taskdb plan.taskdb --workspace copy
    """
    if kind == ARCHIVE:
        _restore(target, path, as_json=as_json)
        return
    options = ReadOptions(
        prefix=prefix,
        largest=None if no_size_limit else LARGEST,
        edges=_pairs("--edge", edges),
        columns=_pairs("--column", columns),
        rename_duplicates=rename_duplicates,
        subtasks_first=subtasks_first,
        zone=zone,
    )
    refused: ImportRefusedError | None = None
    with target.connect(patient=True) as conn, progress_bars() as progress:
        try:
            report = import_plan(
                conn,
                kind,
                path,
                reset=reset,
                strict=strict,
                dry_run=dry_run,
                on_conflict=OnConflict(on_conflict),
                prune=prune,
                options=options,
                progress=progress,
            )
        except ImportRefusedError as error:
            refused, report = error, error.report
    if as_json:
        click.echo(escaped_json(report.as_json()))
    else:
        click.echo("\n".join(map(clean, report.as_text().split("\n"))))
    if isinstance(refused, ImportConflictError):
        raise click.ClickException(
            "Nothing was imported: the file and the database changed the same fields. "
            "--on-conflict theirs takes the file's values, ours keeps those here"
        )
    if refused is not None:
        raise click.ClickException(
            f"Nothing was imported: --strict, and {len(report.changed)} rows to change, "
            f"{len(report.refused)} to refuse. Repair the file, or leave --strict out"
        )


def _restore(target: Target, path: Path, *, as_json: bool) -> None:
    """Restore what `taskdb export` wrote; the options of other kinds mean nothing to it."""
    context = click.get_current_context()
    for option in context.command.params:
        given = context.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
        if given and option.name not in ("kind", "path", "as_json", "url", "workspace"):
            raise click.UsageError(f"{option.opts[0]} is not for the kind {ARCHIVE}", context)
    with click.open_file(str(path), "rb") as file, target.connect(patient=True) as conn:
        report = restore_workspace(conn, file, name=path.name)
    if as_json:
        print_json(report)
    else:
        click.echo(f"Restored {clean(path.name)}: {report.as_text()}")


def _pairs(option: str, words: tuple[str, ...]) -> dict[str, str]:
    """Return what stands before and after the = of each value."""
    for each in words:
        if "=" not in each:
            raise click.BadParameter(f"{each!r} lacks a =", param_hint=option)
    return {name: value for name, _, value in (each.partition("=") for each in words)}


@contextmanager
def progress_bars() -> Generator[Progress]:
    """Yield what shows a bar for each stage of an import, if stderr is a terminal."""
    console = stderr()
    if not console.is_terminal or console.is_dumb_terminal:
        yield silent
        return
    columns = (TextColumn("  {task.description:12}"), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        stages: dict[Stage, TaskID] = {}

        def show(stage: Stage, done: int, total: int) -> None:
            if stage not in stages:
                stages[stage] = bars.add_task(stage.value, total=total)
            bars.update(stages[stage], completed=done, total=total)

        yield show


def abridged(report: Report, most: int) -> list[str]:
    """Return the lines of *report*: the counts, and the *most* frequent kinds of findings."""
    title, *lines = map(clean, report.as_text().split("\n"))
    counts = list(takewhile(lambda line: line.startswith("  "), lines))
    kinds = Counter((finding.action, finding.what, finding.reason) for finding in report.findings)
    shown = [
        f"    {count} {what} {action}: {shorten(clean(reason), LONGEST_REASON)}"
        for (action, what, reason), count in kinds.most_common(most)
    ]
    more = len(report.findings) - sum(count for _, count in kinds.most_common(most))
    return [title, *counts, *shown, *([f"    and {more} more"] if more else [])]
