"""The command line. Every failure is one line on stderr that says what to do, and a status.

0 means done, 1 refused or something was found, 2 a wrong call, 3 nothing to claim, 4 the claim is
lost, 5 the task was edited meanwhile, 130 interrupted; `taskdb migrate check` has its own three: 0
current, 1 behind or edited, 2 unreachable.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module

import psycopg

from taskdb.errors import ClaimLostError, TaskdbError, VersionConflictError, needing, translate
from taskdb.text import encode_all

with needing("cli"):
    import click

    from taskdb.cli.common import error_line, group_options

__all__ = ["main"]

CLAIM_LOST = 4
EDITED_MEANWHILE = 5
INTERRUPTED = 130

# Commands of taskdb.cli.verbs, one for each of taskdb.verbs.VERBS.
VERBS = (
    "add",
    "answer",
    "ask",
    "brief",
    "cancel",
    "claim",
    "complete",
    "depend",
    "edit",
    "fail",
    "heartbeat",
    "hold",
    "release",
    "reopen",
    "resume",
    "submit",
)

# Where each command is. Most need a fraction of what all of them together import.
COMMANDS = {
    "check": "check.check",
    "critical-path": "insight.critical_path",
    "db": "server.db",
    "demo": "play.demo",
    "doctor": "checkup.doctor",
    "export": "export.export",
    "flow": "insight.flow",
    "generate": "generate.generate",
    "graph": "insight.graph",
    "import": "exchange.import_",
    "mcp": "mcp.mcp",
    "metrics": "metrics.metrics",
    "migrate": "migrate.migrate",
    "prune": "prune.prune",
    "ready": "tasks.ready",
    "report": "page.report",
    "roles": "roles.roles",
    "search": "tasks.search",
    "show": "show.show",
    "spec": "specs.spec",
    "stats": "stats.stats",
    "stuck": "tasks.stuck",
    "task": "taskview.task",
    "tasks": "tasks.list_",
    "waves": "insight.waves",
    "why": "tasks.why",
    "work": "work.work",
    **{name: f"verbs.{name}" for name in VERBS},
}


class _Commands(click.Group):
    """Imports a command when it is asked for; all of them for what is like none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for name in [cmd_name] if cmd_name in COMMANDS else COMMANDS:
            module, _, command = COMMANDS[name].partition(".")
            self.add_command(getattr(import_module(f"taskdb.cli.{module}"), command))
        return super().get_command(ctx, cmd_name)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="taskdb", message="%(prog)s %(version)s")
@group_options
def cli(**_: str | None) -> None:
    """The database layer of a task system: plans, dependencies, claims.

    The database is the one that --url or the environment names (DATABASE_URL, DB_*, PG*). Where
    neither does, an embedded server in ./.taskdb is started on demand.

    Example: taskdb ready --workspace demo
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line with *arguments* (default: the process's) and return its status."""
    for stream in (sys.stdout, sys.stderr):
        encode_all(stream)
    # Interrupted in the middle of a query, psycopg says in its log what it could not undo.
    logging.getLogger("psycopg").addHandler(logging.NullHandler())
    # The caller of a command sees how long it takes without a log.
    logging.getLogger("taskdb.query").addHandler(logging.NullHandler())
    try:
        status = cli.main(arguments, prog_name="taskdb", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as called_bare:
        click.echo(called_bare.message, err=True)
        return called_bare.exit_code
    except click.UsageError as misused:
        call = misused.ctx.command_path if misused.ctx else "taskdb"
        given = misused.format_message().rstrip(".")
        error_line(f"{given}{'' if given.endswith('?') else '.'} `{call} --help` shows how")
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
    if isinstance(error, ClaimLostError):
        return CLAIM_LOST
    return EDITED_MEANWHILE if isinstance(error, VersionConflictError) else 1


def _reader_left() -> int:
    # The rest of the buffer would raise once more when the interpreter ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
