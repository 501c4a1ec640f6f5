"""Code shared by the commands: choice of the database, output for people and for programs."""

from __future__ import annotations

import dataclasses
import functools
import os
import traceback
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click
import orjson
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from taskdb import database, migrations, queries
from taskdb.database import workspaces
from taskdb.database.connecting import not_found
from taskdb.database.settings import Settings, is_configured
from taskdb.embedded import DIRECTORY, Server
from taskdb.errors import DatabaseNotFoundError, NotFoundError, TaskdbError
from taskdb.queries import admin
from taskdb.query import Queries, catalogue
from taskdb.query.check import packages
from taskdb.text import clean, escaped_json

__all__ = [
    "Target",
    "count_of",
    "error_line",
    "group_options",
    "heading",
    "json_option",
    "moment",
    "naming",
    "package_option",
    "print_json",
    "print_table",
    "queries_of",
    "stderr",
    "stdout",
    "with_target",
    "writing",
]

F = TypeVar("F", bound=Callable[..., Any])

# Text in fewer cells than these breaks within its words.
NARROW = 24
# Cells that a cut title keeps.
LEAST = 12


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """The database and workspace that a command works on; None is what the environment says."""

    url: str | None
    workspace: str | None

    def conninfo(self) -> str | None:
        """Return where to connect, None for what the environment says.

        Where neither the caller nor the environment says anything it is the embedded server,
        which is started if it does not run.
        """
        if self.url is not None or is_configured():
            return self.url
        return Server(DIRECTORY).start()

    def place(self) -> tuple[str, str]:
        """Return the whole conninfo, with what the environment says, and the workspace."""
        settings = Settings.read(self.conninfo(), workspace=self.workspace)
        return make_conninfo("", **settings.parameters), settings.workspace

    def names_workspace(self) -> bool:
        """Return whether the caller or the environment names a workspace."""
        return bool(self.workspace or os.environ.get("TASKDB_WORKSPACE"))

    def connect(self, *, patient: bool = False) -> psycopg.Connection:
        """Open one connection to the workspace; with *patient* statements may take their time.

        Raises `DatabaseNotFoundError` if database or workspace is not there, and
        `SchemaVersionMismatchError` if its schema is not what this package needs.
        """
        conninfo = self.conninfo()
        place, workspace = self.place()
        if patient:
            options = conninfo_to_dict(place).get("options", "")
            conninfo = make_conninfo(place, options=f"{options} -c statement_timeout=0".strip())
        conn = database.connect(conninfo, workspace=workspace)
        try:
            _refuse_missing(conn, workspace)
            migrations.require(conn)
        except BaseException:
            conn.close()
            raise
        return conn

    def connect_for(self, package: str | None) -> psycopg.Connection:
        """Open one connection for the queries of *package*, None for taskdb's own.

        Another package's tables may be its own: then names without a schema are looked up where
        the URL's `options` or the role say. Where a workspace is named they stand on that.
        """
        if package is None or self.names_workspace():
            return self.connect(patient=True)
        settings = Settings.read(self.conninfo())
        try:
            return psycopg.connect(make_conninfo(**settings.parameters))
        except psycopg.OperationalError as exc:
            raise not_found(settings, exc) from exc


package_option = click.option(
    "--package", metavar="MODULE", help="The queries of another package than taskdb's own."
)


def queries_of(package: str | None) -> list[Queries]:
    """Return what the modules of a package make, for None all of taskdb's own.

    Raises `click.BadParameter` if it is nothing.
    """
    if package is None:
        return [queries.query, admin.query, catalogue.query]
    try:
        found = packages.queries_of(package)
    except TaskdbError:
        raise
    except Exception as exc:
        raise click.BadParameter(_unimportable(package, exc), param_hint="--package") from exc
    if not found:
        raise click.BadParameter(
            f"{package} makes no Queries; name the package or module that does",
            param_hint="--package",
        )
    return found


def _unimportable(package: str, exc: Exception) -> str:
    """Say why a package cannot be imported, and in which line of which module."""
    if isinstance(exc, ModuleNotFoundError) and f"{package}.".startswith(f"{exc.name}."):
        return (
            f"{package} cannot be imported: {exc}. It is looked for among what is installed, and "
            f"in this folder: install the project, or run taskdb in the folder that has it"
        )
    if isinstance(exc, SyntaxError):
        return f"{package} cannot be imported: {exc.filename}:{exc.lineno}: {exc.msg}"
    frames = traceback.extract_tb(exc.__traceback__)
    top = package.partition(".")[0]
    own = [each for each in frames if {top, f"{top}.py"} & {*Path(each.filename).parts}]
    at = (own or frames)[-1]
    kind = type(exc).__name__
    return f"{package} cannot be imported: {at.filename}:{at.lineno}: {kind}: {exc}"


def count_of(number: int, noun: str) -> str:
    """Return how many there are of a *noun*: `no queries`, `1 query`, `2 queries`."""
    if number != 1:
        noun = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number or 'no'} {noun}"


@contextmanager
def writing(path: Path) -> Generator[None]:
    """Name *path*, and not a temporary file, where the block cannot write it."""
    try:
        yield
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error


@contextmanager
def naming(target: Target, what: str, key: object, *, listing: str) -> Generator[None]:
    """Say that there is no *what* of this key, where the query of the block finds none.

    The query's own error names its file: a help for those who write queries, and no others.
    *listing* are the arguments of `taskdb` that list what there is.
    """
    try:
        yield
    except NotFoundError as exc:
        _, workspace = target.place()
        message = f"There is no {what} {key} in workspace {workspace}"
        hint = f"`taskdb {listing}` finds what is there, --workspace NAME looks elsewhere"
        raise NotFoundError(message, hint=hint) from exc


def _refuse_missing(conn: psycopg.Connection, workspace: str) -> None:
    present = workspaces.names(conn)
    if not present:
        raise DatabaseNotFoundError(
            "This database has no workspace yet",
            hint=f"Run `taskdb migrate up --workspace {workspace}`",
        )
    if workspace not in present:
        raise DatabaseNotFoundError(
            f"There is no workspace {workspace} in this database, but: {', '.join(present)}",
            hint=f"Name one with --workspace, or run `taskdb migrate up --workspace {workspace}`",
        )


def group_options(command: F) -> F:
    """Add --url and --workspace to *command*; `with_target` makes a `Target` of them."""
    command = click.option(
        "--workspace", metavar="NAME", help="The workspace. Default: TASKDB_WORKSPACE, or taskdb."
    )(command)
    return click.option(
        "--url",
        "--database-url",
        metavar="URL",
        help="The database. Default: the environment's, or else the embedded server in ./.taskdb.",
    )(command)


def with_target(function: Callable[..., None]) -> Callable[..., None]:
    """Give *function* a `Target` first, from the command's options or those before its name."""

    @functools.wraps(function)
    @click.pass_context
    def command(
        context: click.Context, /, *args: Any, url: str | None, workspace: str | None, **kwargs: Any
    ) -> None:
        before = context.find_root().params
        target = Target(url or before.get("url"), workspace or before.get("workspace"))
        function(target, *args, **kwargs)

    return group_options(command)


def json_option(command: F) -> F:
    """Add --json to *command*."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(
        command
    )


def moment(value: object) -> datetime:
    """Read a moment of ISO 8601; without a zone it is local time, as moments are printed."""
    try:
        return datetime.fromisoformat(str(value)).astimezone()
    except (OverflowError, ValueError):
        raise click.BadParameter(f"{value!r} is no moment such as 2026-05-01T09:00+02:00") from None


def stdout() -> Console:
    """Return the console for results, for people where it is a terminal."""
    return _console(stderr=False)


def stderr() -> Console:
    """Return the console for progress and notices."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


def print_json(value: object) -> None:
    """Print *value* (models, plain dataclasses, lists and dicts of them) as JSON."""
    text = orjson.dumps(value, default=_json_ready, option=orjson.OPT_INDENT_2)
    click.echo(escaped_json(text.decode()))


def _json_ready(value: object) -> object:
    # Values that orjson doesn't know by itself; as the models' to_dict has them.
    return value.total_seconds() if isinstance(value, timedelta) else str(value)


def print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    beneath: bool = False,
    one_line: bool = False,
) -> None:
    """Print *rows* under *headings*; the last column takes the room that a terminal leaves.

    With *beneath* the last column stands beneath the one before where that room is too narrow.
    With *one_line* it is cut with an ellipsis to that room, so that each row is one line.
    Where no terminal limits the line nothing is cut off, and columns are two spaces apart.
    """
    shown = [[clean(cell) for cell in row] for row in rows]
    console = stdout()
    if console.is_terminal:
        if beneath and _room_of_last(console, [headings, *shown]) < NARROW:
            headings, shown = _beneath(headings), [_beneath(row) for row in shown]
        _print_fitted(console, headings, shown, one_line=one_line)
    else:
        _print_aligned([list(headings), *shown])


def _print_fitted(
    console: Console,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    one_line: bool,
) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    left = _room_of_last(console, [headings, *rows])
    room = max(left, LEAST) if one_line else None
    # A key of a hundred letters would else take the room of all other columns, in every row.
    widths = _widths([headings, *rows])[:-1]
    widest = max(widths, default=0)
    most = max(widest - (LEAST - left), LEAST) if one_line and left < LEAST else None
    for place, heading in enumerate(headings):
        last = place == len(headings) - 1
        table.add_column(
            Text(heading),
            no_wrap=one_line or not last,
            overflow="fold" if last and not one_line else "ellipsis",
            width=room if last else None,
            max_width=most if not last and widths[place] == widest else None,
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def _room_of_last(console: Console, lines: Sequence[Sequence[str]]) -> int:
    """Return how many cells the columns before the last, and the gaps of three, leave to it."""
    return console.width - sum(width + 3 for width in _widths(lines)[:-1])


def _widths(lines: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(cell_len, column)) for column in zip(*lines, strict=True)]


def _beneath(line: Sequence[str]) -> list[str]:
    """Return *line* with its last cell beneath the one before."""
    *cells, upper, lower = line
    return [*cells, f"{upper}\n{lower}" if lower else upper]


def _print_aligned(lines: Sequence[Sequence[str]]) -> None:
    widths = [max(cell_len(cell) for cell in column) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (
            cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True)
        )
        click.echo("  ".join(cells).rstrip())


def heading(text: str) -> None:
    """Print *text* as one line that stands out on a terminal; it may begin with an empty one."""
    line = text.lstrip("\n")
    before = "\n" * (len(text) - len(line))
    stdout().print(Text(before + clean(line), style="bold"), soft_wrap=True)


def error_line(message: str) -> None:
    """Print *message* as one line on stderr."""
    line = f"taskdb: {clean(' '.join(message.split()))}"
    stderr().print(Text(line, style="red"), soft_wrap=True)
