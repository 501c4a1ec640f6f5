"""`taskdb export`: a whole workspace."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import click

from taskdb.cli.common import Target, json_option, print_json, with_target, writing
from taskdb.exchange.archive import export_workspace
from taskdb.exchange.files import STDIN
from taskdb.exchange.outgoing import WRITERS
from taskdb.text import clean

__all__ = ["export"]

FORMATS: Final = {"taskdb": export_workspace, **WRITERS}


@click.command()
@click.option(
    "--format",
    "kind",
    type=click.Choice(list(FORMATS)),
    default="taskdb",
    show_default=True,
    help="As.",
)
@click.option(
    "--output",
    "-o",
    "path",
    type=click.Path(path_type=Path),
    default=STDIN,
    help="The file. Default: standard output.",
)
@json_option
@with_target
def export(target: Target, *, kind: str, path: Path, as_json: bool) -> None:
    """Write the plan to a file.

    taskdb: the whole workspace, every table, as JSON lines with checksums, from one snapshot; the
    same data give the same bytes. `taskdb import taskdb FILE` restores it into an empty workspace.
    beads: an issue a line. taskmaster: a tasks.json with tags. csv: a row a task, with what it
    blocks and is blocked by. markdown: a board. What these can't hold is counted and named. On a
    terminal control characters are shown as their codes.

    \b
    Example: taskdb export --format taskdb -o plan.taskdb
             taskdb export --format taskmaster -o .taskmaster/tasks/tasks.json
             taskdb export --format csv -o plan.csv
    """
    if as_json and path == STDIN:
        raise click.UsageError("--json reports on the file that --output names")
    with target.connect(patient=True) as conn, _output(path) as out:
        # To look at the schema began a transaction.
        conn.rollback()
        report = FORMATS[kind](conn, out)
    if as_json:
        print_json(report)
    else:
        click.echo(f"Exported {report.as_text()}", err=True)


@contextmanager
def _output(path: Path) -> Generator[BinaryIO]:
    """Yield a file that becomes *path* once the block is done; there is never half of one."""
    if path == STDIN and not sys.stdout.isatty():
        yield sys.stdout.buffer
        return
    if path == STDIN:
        # A terminal obeys what is in a title.
        shown = io.BytesIO()
        yield shown
        click.echo("\n".join(map(clean, shown.getvalue().decode().split("\n"))), nl=False)
        return
    with writing(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        with writing(path):
            os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
