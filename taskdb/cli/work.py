"""`taskdb work`: a worker on the command line."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from typing import Any

import click

from taskdb.cli.common import Target, with_target
from taskdb.database import Database
from taskdb.text import clean
from taskdb.worker import Job, Worker

__all__ = ["work"]


def _handler(context: click.Context, parameter: click.Parameter, value: str) -> Callable[..., Any]:
    """Import ``module:function``; what lies in the current folder is found too."""
    module, _, name = value.partition(":")
    if not (module and name):
        raise click.BadParameter(f"{value!r} is no handler; write it as module:function")
    sys.path.insert(0, os.getcwd())
    try:
        found = getattr(import_module(module), name)
    except ModuleNotFoundError as exc:
        raise click.BadParameter(f"no module {exc.name!r} is found from {os.getcwd()}") from exc
    except AttributeError as exc:
        raise click.BadParameter(f"module {module!r} has no {name!r}") from exc
    if not callable(found):
        raise click.BadParameter(f"{value} is a {type(found).__name__}, not a function")
    return found  # type: ignore[no-any-return]


@click.command()
@click.option(
    "--handler", required=True, callback=_handler, metavar="MODULE:FUNCTION", help="What works."
)
@click.option(
    "--agent",
    default=f"{socket.gethostname()}-{os.getpid()}",
    show_default="HOST-PID",
    help="Who works, for history.",
)
@click.option("--type", "agent_type", help="Only tasks of this agent type, or of none.")
@click.option("--concurrency", type=click.IntRange(1), default=1, show_default=True, help="Slots.")
@click.option(
    "--lease",
    type=click.FloatRange(min=0.5),
    default=900.0,
    show_default=True,
    help="Seconds that a claim lasts without a heartbeat.",
)
@click.option(
    "--drain",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    help="Seconds that jobs get to end after SIGTERM.",
)
@click.option("--once", is_flag=True, help="End when nothing is left to claim.")
@with_target
def work(
    target: Target,
    *,
    handler: Callable[..., Any],
    agent: str,
    agent_type: str | None,
    concurrency: int,
    lease: float,
    drain: float,
    once: bool,
) -> None:
    """Claim tasks and call a function for each, until SIGTERM or Ctrl-C.

    The function gets a `taskdb.worker.Job`: docs/workers.md says what it may do and return. A
    line goes to stderr for each job that ends.

    Example: taskdb work --handler agents:write_code --type coder --concurrency 4
    """
    target.connect().close()
    database = Database(target.conninfo(), workspace=target.workspace)

    def report(job: Job, how: str) -> None:
        click.echo(f"{clean(job.claim.key)}  {how}", err=True)

    worker = Worker(
        database,
        handler,
        agent=agent,
        agent_type=agent_type,
        concurrency=concurrency,
        lease=timedelta(seconds=lease),
        drain=timedelta(seconds=drain),
        on_end=report,
        on_idle=Worker.stop if once else None,
    )
    worker.serve()
