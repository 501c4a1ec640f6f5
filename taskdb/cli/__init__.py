"""The command line. Every failure is one line on stderr that says what to do, and a status.

0 means done, 1 refused or something was found, 2 a wrong call, 130 interrupted; `taskdb migrate
check` has its own three: 0 current, 1 behind or edited, 2 unreachable.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

import click
import psycopg

from taskdb.cli import (
    check,
    checkup,
    exchange,
    insight,
    inspect,
    migrate,
    play,
    prune,
    server,
    specs,
    tasks,
)
from taskdb.cli.common import error_line, group_options
from taskdb.errors import TaskdbError, translate

__all__ = ["main"]

INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="taskdb", message="%(prog)s %(version)s")
@group_options
def cli(**_: str | None) -> None:
    """The database layer of a task system: plans, dependencies, claims.

    The database is the one that --url or the environment names (DATABASE_URL, DB_*, PG*). Where
    neither does, an embedded server in ./.taskdb is started on demand.

    Example: taskdb ready --workspace demo
    """


cli.add_command(migrate.migrate)
cli.add_command(server.db)
cli.add_command(exchange.import_)
cli.add_command(check.check)
cli.add_command(checkup.doctor)
cli.add_command(prune.prune)
cli.add_command(inspect.show)
cli.add_command(inspect.stats)
cli.add_command(play.demo)
cli.add_command(tasks.ready)
cli.add_command(tasks.why)
cli.add_command(tasks.task)
cli.add_command(tasks.search)
cli.add_command(specs.spec)
cli.add_command(insight.critical_path)
cli.add_command(insight.waves)
cli.add_command(insight.flow)
cli.add_command(insight.graph)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line with *arguments* (default: the process's) and return its status."""
    # Interrupted in the middle of a query, psycopg says in its log what it could not undo.
    logging.getLogger("psycopg").addHandler(logging.NullHandler())
    try:
        status = cli.main(arguments, prog_name="taskdb", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as called_bare:
        click.echo(called_bare.message, err=True)
        return called_bare.exit_code
    except click.UsageError as misused:
        call = misused.ctx.command_path if misused.ctx else "taskdb"
        said = misused.format_message().rstrip(".")
        error_line(f"{said}{'' if said.endswith('?') else '.'} `{call} --help` shows how")
        return misused.exit_code
    except click.ClickException as refused:
        error_line(refused.format_message())
        return refused.exit_code
    except (click.Abort, KeyboardInterrupt):
        error_line("Interrupted")
        return INTERRUPTED
    except TaskdbError as refused:
        return _refused(refused)
    except psycopg.Error as refused:
        return _refused(translate(refused))
    except BrokenPipeError:
        return _reader_left()
    except OSError as refused:
        return _refused(refused)
    return status if isinstance(status, int) else 0


def _refused(error: Exception) -> int:
    error_line(str(error))
    return 1


def _reader_left() -> int:
    # What is still in the buffer would raise once more when the interpreter ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
