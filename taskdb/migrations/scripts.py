"""SQL files of several statements, with the files that they include: run one by one.

Each statement knows its line, so that an error names the file and the line even where the
server gives no position. ``\\ir`` lines include another file, as psql does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from psycopg import Connection, Error

from taskdb.errors import ScriptError
from taskdb.migrations.cutting import ScriptStatement, split
from taskdb.query._lexer import LexicalError

__all__ = ["ScriptError", "place", "run", "run_file", "shown", "statements_of"]

_INCLUDE = re.compile(r"^\\ir[ \t]+(\S+)[ \t]*$", re.MULTILINE)
# pg_dump guards its output with these; what it wrote is trusted here as any file is.
_GUARD = re.compile(r"^\\(?:un)?restrict\b.*$", re.MULTILINE)


def shown(path: Path) -> str:
    """A path as people want to read it: relative if it lies below the current directory."""
    path = path.resolve()
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def run(conn: Connection[Any], statement: ScriptStatement, path: Path) -> None:
    """Run one statement; raises `ScriptError` that names file and line, with the server's cause."""
    try:
        conn.execute(statement.text.encode())
    except Error as exc:
        raise _failed(exc, statement, path) from exc


def _failed(exc: Error, statement: ScriptStatement, path: Path) -> ScriptError:
    reason = exc.diag.message_primary or str(exc).strip() or type(exc).__name__
    if exc.diag.message_detail:
        reason = f"{reason}: {exc.diag.message_detail}"
    return ScriptError(
        reason,
        where=place(path, statement.line_at(int(exc.diag.statement_position or 1))),
        hint=exc.diag.message_hint,
        sqlstate=exc.sqlstate,
    )


def place(path: Path, line: int) -> str:
    """``file:line``."""
    return f"{shown(path)}:{line}"


def run_file(conn: Connection[Any], path: Path) -> None:
    """Run a file as ``psql -f`` does, with every file that its ``\\ir`` lines name.

    Raises `ScriptError` at the first statement that fails.
    """
    for file, statement in statements_of(path):
        run(conn, statement, file)


def statements_of(path: Path) -> Iterator[tuple[Path, ScriptStatement]]:
    """The statements of a file, those of included files where their ``\\ir`` line stands."""
    text = _GUARD.sub("", path.read_text(encoding="utf-8"))
    position = 0
    for match in _INCLUDE.finditer(text):
        yield from _own_statements(path, text, position, match.start())
        yield from statements_of(path.parent / match[1])
        position = match.end()
    yield from _own_statements(path, text, position, len(text))


def _own_statements(
    path: Path, text: str, start: int, end: int
) -> Iterator[tuple[Path, ScriptStatement]]:
    above = text.count("\n", 0, start)
    try:
        statements = split(text[start:end])
    except LexicalError as exc:
        line = above + text.count("\n", start, start + exc.position) + 1
        raise ScriptError(str(exc), where=place(path, line), hint=exc.remedy) from exc
    for statement in statements:
        yield path, ScriptStatement(statement.text, above + statement.line)
