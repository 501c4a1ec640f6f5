"""`taskdb import`: another tracker's plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

from taskdb.cli.common import Target, json_option, stderr, with_target
from taskdb.exchange import KINDS, ImportRefusedError, Progress, Report, Stage, import_plan
from taskdb.exchange.progress import silent
from taskdb.text import clean, shorten

__all__ = ["abridged", "import_", "progress_bars"]

LONGEST_REASON = 140


@click.command("import")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--strict", is_flag=True, help="Take all or nothing.")
@click.option("--reset", is_flag=True, help="Import every task as pending.")
@click.option("--prefix", default="", metavar="TEXT", help="Goes before the keys of tasks.")
@json_option
@with_target
def import_(
    target: Target,
    *,
    kind: str,
    path: Path,
    strict: bool,
    reset: bool,
    prefix: str,
    as_json: bool,
) -> None:
    """Import another tracker's plan.

    What was taken, changed and refused is reported, row by row, with the reason. PATH is a
    folder of tables for shark, a folder of epics for shark-plan, a tasks.json for taskmaster, an
    issues.jsonl for beads. To import it again changes nothing. With --strict exit status 1 and
    nothing imported if there is anything to change or refuse.

    \b
    Example: taskdb import beads .beads/issues.jsonl --prefix web-
             taskdb import taskmaster .taskmaster/tasks/tasks.json
             taskdb import shark exported-database/
             taskdb import shark-plan docs/plan --strict
    """
    refused: ImportRefusedError | None = None
    with target.connect(patient=True) as conn, progress_bars() as progress:
        try:
            report = import_plan(
                conn, kind, path, reset=reset, strict=strict, prefix=prefix, progress=progress
            )
        except ImportRefusedError as error:
            refused, report = error, error.report
    if as_json:
        click.echo(report.as_json())
    else:
        click.echo("\n".join(map(clean, report.as_text().split("\n"))))
    if refused is not None:
        raise click.ClickException(
            f"Nothing was imported: --strict, and {len(report.changed)} rows to change, "
            f"{len(report.refused)} to refuse. Mend the file, or leave --strict out"
        )


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
