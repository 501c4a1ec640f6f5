"""`taskdb db`: the embedded server."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click
from psycopg import pq

from taskdb.cli.common import Target, json_option, print_json, with_target
from taskdb.cli.plans import seed_command
from taskdb.database.settings import is_configured
from taskdb.embedded import DIRECTORY, Server

__all__ = ["db"]


@click.group()
def db() -> None:
    """Run the embedded PostgreSQL, and look into databases.

    It lives in ./.taskdb, listens on no port, and stops only when told to.

    Example: taskdb db start
    """


db.add_command(seed_command)


@db.command()
def start() -> None:
    """Start the embedded server unless it runs.

    Example: taskdb db start
    """
    server = Server(DIRECTORY)
    server.start()
    click.echo(f"The embedded server is {server.status()}.")


@db.command()
def stop() -> None:
    """Stop the embedded server; its data stays.

    Example: taskdb db stop
    """
    server = Server(DIRECTORY)
    stopped = server.stop()
    click.echo("Stopped." if stopped else f"It was not running, in {server.directory}.")


@db.command()
def adopt() -> None:
    """Trust the data in ./.taskdb, copied here from a place you trust.

    A server runs programs that its data names, so data is started only where it was made.

    Example: cp -a ../other/.taskdb . && taskdb db adopt
    """
    server = Server(DIRECTORY)
    server.adopt()
    click.echo(f"The data in {server.directory} is trusted.")


@db.command()
@json_option
def status(as_json: bool) -> None:
    """Tell whether the embedded server runs.

    Exit status 1 if it does not.

    Example: taskdb db status
    """
    found = Server(DIRECTORY).status()
    if as_json:
        print_json(found)
    else:
        click.echo(f"The embedded server is {found}.")
    if not found.running:
        raise click.exceptions.Exit(1)


@db.command()
def url() -> None:
    """Print the embedded server's URL, on a line of its own.

    The server is started unless it runs.

    Example: DATABASE_URL=$(taskdb db url) python my_service.py
    """
    click.echo(Server(DIRECTORY).start())


@db.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@with_target
def psql(target: Target, *, arguments: tuple[str, ...]) -> None:
    """Open psql in the workspace.

    ARGUMENTS are psql's own.

    Example: taskdb db psql --workspace demo -c 'table feature_progress'
    """
    found = shutil.which("psql") if target.url or is_configured() else None
    program = Path(found) if found else Server(DIRECTORY).binaries / "psql"
    # psql finds its libraries from where it is, and asks PATH if its name has no folder.
    os.execve(program, [str(program), *arguments], {**os.environ, **_environment(target)})


def _environment(target: Target) -> dict[str, str]:
    # As variables, and not as an argument, which every user of the machine could read: they
    # may hold a password.
    conninfo, workspace = target.place()
    given = {
        option.envvar.decode(): option.val.decode()
        for option in pq.Conninfo.parse(conninfo.encode())
        if option.envvar is not None and option.val is not None
    }
    options = given.get("PGOPTIONS", os.environ.get("PGOPTIONS", ""))
    path = f"-c search_path={workspace},shared,pg_temp"
    return {**given, "PGOPTIONS": f"{options} {path}".strip()}
