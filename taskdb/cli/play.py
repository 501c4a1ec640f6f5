"""`taskdb demo`."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import click
from rich.text import Text

from taskdb import database
from taskdb.cli.common import stdout
from taskdb.cli.exchange import abridged, progress_bars
from taskdb.demo import ROADMAP, WORKSPACE, closing, play
from taskdb.embedded import DIRECTORY, Server
from taskdb.exchange import detect, import_plan

__all__ = ["demo"]

SHOWN_KINDS = 6


@click.command()
@click.option(
    "--plan",
    type=click.Path(exists=True, path_type=Path),
    default=ROADMAP,
    show_default="taskdb's own roadmap",
    help="A tracker's file or folder: shark, taskmaster or beads.",
)
@click.option("--reset", is_flag=True, help="Import every task as pending.")
@click.pass_context
def demo(context: click.Context, plan: Path, reset: bool) -> None:
    """Let four agents work off a plan, and kill one of them.

    It runs on the embedded server in ./.taskdb, whatever the environment says, in a workspace
    `demo` that is created again each time. Exit status 1 if a rule was broken.

    Example: taskdb demo --plan tasks.json --reset
    """
    if context.find_root().params.get("url") or context.find_root().params.get("workspace"):
        raise click.UsageError("The demo has a database and a workspace of its own", context)
    console = stdout()

    def say(text: str) -> None:
        console.print(Text(text), soft_wrap=True)

    server = Server(DIRECTORY)
    url = server.start()
    say(f"The embedded server is {server.status()}.")
    with database.connect(url, workspace=WORKSPACE, autocommit=True) as session:
        play.reserve(session)
        renewed = play.prepare(url, lambda _: None)
        say(
            f"Workspace {WORKSPACE} is empty and up to date"
            f"{', what an earlier run left is gone' if renewed else ''}."
        )
        with progress_bars() as progress:
            report = import_plan(session, detect(plan), plan, reset=reset, progress=progress)
        say("\n".join(["", *abridged(report, SHOWN_KINDS), ""]))
        lease = play.Pace().lease.total_seconds()
        say(f"Four agents work it off; a claim lapses after {lease:g} s without a heartbeat.")
        summary = play.work_off(url, console=console)
    closing.print_summary(console, summary, command=_called_as(), workspace=WORKSPACE)
    if not summary.holds:
        raise click.exceptions.Exit(1)


def _called_as() -> str:
    """Return how the reader calls this program: by its name if that finds it, else by its path."""
    called = Path(sys.argv[0])
    found = shutil.which("taskdb")
    if called.name != "taskdb" or (found and Path(found).samefile(called)):
        return "taskdb"
    return min(os.path.relpath(called), str(called), key=len)
