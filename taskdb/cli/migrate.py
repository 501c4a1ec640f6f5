"""`taskdb migrate`: bring a database to today's schema, and back."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click
from click.exceptions import ClickException, Exit

from taskdb import migrations
from taskdb.cli.common import (
    Target,
    count_of,
    error_line,
    json_option,
    print_json,
    print_table,
    with_target,
)
from taskdb.errors import DatabaseNotFoundError
from taskdb.text import clean

__all__ = ["migrate"]

WRITTEN = "%Y-%m-%d %H:%M:%S"


shared_option = click.option("--shared", is_flag=True, help="The track of the schema `shared`.")
wait_option = click.option(
    "--wait",
    type=click.FloatRange(0),
    default=migrations.WAIT_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for another run to end.",
)


@click.group()
def migrate() -> None:
    """Bring a database to today's schema, and back.

    There are two tracks of migrations: that of the schema `shared` goes first, that of the
    workspace second.

    Example: taskdb migrate up --workspace team_a
    """


@migrate.command()
@wait_option
@with_target
def up(target: Target, *, wait: float) -> None:
    """Apply all that is not applied yet.

    The workspace is made if it is not there.

    Example: taskdb migrate up --workspace team_a
    """
    conninfo, workspace = _announce(target)
    steps = migrations.up(conninfo, workspace=workspace, show=_show, wait=wait)
    _conclude(steps, "Up to date; nothing to do.")


@migrate.command()
@click.argument("to", required=False)
@shared_option
@wait_option
@click.option("--yes", is_flag=True, help="Do not ask, although data may go.")
@with_target
def down(target: Target, *, to: str | None, shared: bool, wait: float, yes: bool) -> None:
    """Take the newest migration back, or several.

    With TO all after that revision; 0 takes back everything. Tables and columns go with their
    data, so a person is asked first, and a script says --yes.

    Example: taskdb migrate down 0003 --workspace team_a
    """
    conninfo, workspace = _announce(target)
    if not yes:
        _ask()
    steps = migrations.down(conninfo, to, shared=shared, workspace=workspace, show=_show, wait=wait)
    _conclude(steps, "There is nothing to take back.")


@migrate.command()
@json_option
@with_target
def status(target: Target, *, as_json: bool) -> None:
    """List the migrations and which are applied.

    Example: taskdb migrate status --json
    """
    conninfo, workspace = target.place()
    rows = migrations.status(conninfo, workspace=workspace)
    if as_json:
        print_json(rows)
        return
    print_table(
        ["track", "state", "applied", "migration", "what it does"],
        [
            (
                row.track,
                row.state,
                row.applied_at and f"{row.applied_at.astimezone():{WRITTEN}}",
                row.id,
                row.title,
            )
            for row in rows
        ],
        beneath=True,
    )


@migrate.command()
@click.option("--limit", type=click.IntRange(1), help="Show at most this many.")
@json_option
@with_target
def history(target: Target, *, limit: int | None, as_json: bool) -> None:
    """List what was applied and taken back, by whom.

    The newest comes first.

    Example: taskdb migrate history --limit 5
    """
    conninfo, workspace = target.place()
    rows = migrations.history(conninfo, workspace=workspace, limit=limit)
    if as_json:
        print_json(rows)
        return
    print_table(
        ["when", "track", "operation", "migration", "by"],
        [
            (
                f"{row.at.astimezone():{WRITTEN}}",
                row.track,
                row.operation,
                row.id,
                f"{row.username} on {row.hostname}",
            )
            for row in rows
        ],
        beneath=True,
    )


@migrate.command()
@json_option
@with_target
def check(target: Target, *, as_json: bool) -> None:
    """Compare a database with the files, changing nothing.

    Exit status 0: current. 1: behind, or a file was edited. 2: the database can't be reached.

    Example: taskdb migrate check || taskdb migrate up
    """
    try:
        conninfo, workspace = target.place()
    except DatabaseNotFoundError as unreachable:
        found = migrations.Check(2, (str(unreachable),))
    else:
        found = migrations.check(conninfo, workspace=workspace)
    if as_json:
        print_json(found)
    elif found.exit_status == 2:
        error_line(". ".join(found.findings))
    elif found.exit_status == 0:
        click.echo("Current.")
    else:
        for finding in found.findings:
            click.echo(clean(finding))
    raise Exit(found.exit_status)


@migrate.command()
@click.argument("revision")
@shared_option
@wait_option
@with_target
def stamp(target: Target, *, revision: str, shared: bool, wait: float) -> None:
    """Note that the schema is at REVISION, running nothing.

    For a database that was brought there by other means, and for a file of which nothing but
    words has changed.

    Example: taskdb migrate stamp 0004 --workspace team_a
    """
    conninfo, workspace = _announce(target)
    steps = migrations.stamp(
        conninfo, revision, shared=shared, workspace=workspace, show=_show, wait=wait
    )
    _conclude(steps, "It was noted so already.")


@migrate.command()
@click.argument("name")
@shared_option
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=migrations.FOLDER,
    show_default="taskdb's own",
    help="Where the tracks are.",
)
def new(*, name: str, shared: bool, folder: Path) -> None:
    """Write the next migration and its rollback.

    Both are to be filled in; NAME is a verb and an object.

    Example: taskdb migrate new add-due-date
    """
    for path in migrations.new(name, shared=shared, folder=folder):
        click.echo(path.resolve())


def _announce(target: Target) -> tuple[str, str]:
    """Say what is about to be changed; return where to connect, and the workspace."""
    conninfo, workspace = target.place()
    about = migrations.target(conninfo, workspace=workspace)
    click.echo(f"On {clean(about)}:", err=True)
    return conninfo, workspace


def _ask() -> None:
    """Ask the person at the terminal; refuse where there is none."""
    if not sys.stdin.isatty():
        raise ClickException("This may delete data, and nobody can be asked. Add --yes")
    if not click.confirm("Data may be deleted. Go on?", err=True):
        raise ClickException("Nothing was taken back")


def _show(line: str) -> None:
    click.echo(f"  {clean(line)}", err=True)


def _conclude(steps: Sequence[migrations.Step], nothing: str) -> None:
    if not steps:
        click.echo(nothing)
        return
    seconds = sum(step.seconds for step in steps)
    click.echo(f"{count_of(len(steps), 'migration')}, {seconds:.2f} s.")
