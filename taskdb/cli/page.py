"""A page of a plan, for people: board, schedule, graph, flow, forecast, changes."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile

import click
import psycopg

from taskdb.cli.common import Target, moment, with_target, writing
from taskdb.cli.filters import OPEN, Filters, filter_options
from taskdb.report import collect, render

__all__ = ["report"]

DAYS = 14


@click.command()
@filter_options
@click.option("--open", "only_open", is_flag=True, help="Without finished and cancelled tasks.")
@click.option(
    "--since",
    type=moment,
    metavar="MOMENT",
    help="List what changed since this day or moment of ISO 8601; without a zone it is local "
    f"time. Default: {DAYS} days ago.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    default=Path("plan.html"),
    show_default=True,
    help="The file to write; - is standard output.",
)
@with_target
def report(
    target: Target, *, filters: Filters, only_open: bool, since: datetime | None, output: Path
) -> None:
    """Write the plan as one page that needs no network: send it, or open it in a browser.

    A board, a schedule with the critical path, the graph of open work, burn-up and flow, what
    grew old, when all may be done, and what changed.

    Example: taskdb report --epic E04 --since 2026-03-01 -o e04.html
    """
    _, workspace = target.place()
    with target.connect(patient=True) as conn:
        # The queries of `connect` have begun a transaction.
        conn.rollback()
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        conn.read_only = True
        task_ids = filters.task_ids(target, conn, OPEN if only_open else None)
        shown = collect(
            conn,
            task_ids=task_ids,
            since=since or datetime.now(UTC) - timedelta(days=DAYS),
            workspace=workspace,
            scope=_scope(filters, only_open=only_open),
        )
    page = render(shown)
    if str(output) == "-":
        # A file, and so UTF-8 wherever it goes.
        click.echo(page.encode(), nl=False)
        return
    _write(output, page)
    size = len(page.encode()) / 1024
    number = f"{len(task_ids)} {'task' if len(task_ids) == 1 else 'tasks'}"
    click.echo(f"{output}: {number}, {size:.0f} KiB", err=True)


def _scope(filters: Filters, *, only_open: bool) -> str:
    """Return the filters in words, for the head of the page."""
    given = [
        f"{name} {value}"
        for name, value in (
            ("epic", filters.epic),
            ("feature", filters.feature),
            ("workflow", filters.workflow_id),
            ("under", filters.under),
            ("near", filters.near),
            ("label", filters.label),
            ("type", filters.agent_type),
        )
        if value is not None
    ]
    words = ", ".join(given) or "whole plan"
    return f"{words}, open tasks" if only_open else words


def _write(path: Path, text: str) -> None:
    """Write *text* to *path* whole, or leave what is there."""
    with (
        writing(path),
        NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file,
    ):
        try:
            file.write(text)
            file.flush()
            # A temporary file is its owner's alone; a report is as any file.
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(file.name, 0o666 & ~mask)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
