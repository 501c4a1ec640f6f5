"""The tables of a tracker's database: as JSON Lines, or in its SQLite file."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Protocol

from taskdb.errors import ValidationError
from taskdb.exchange.files import Files
from taskdb.exchange.jsonfiles import read_lines
from taskdb.exchange.jsonvalues import JsonObject
from taskdb.exchange.report import Findings

__all__ = ["LineTables", "SqliteTables", "Tables", "is_sqlite"]

MAGIC: Final = b"SQLite format 3\x00"
SUFFIX: Final = ".jsonl"
ONE_TABLE: Final = "tasks"


class Tables(Protocol):
    """Has tables by name; each row comes with its place."""

    def names(self) -> list[str]:
        """Return the names of the tables, in order."""
        ...

    def rows(self, table: str, findings: Findings) -> Iterator[tuple[JsonObject, str]]:
        """Yield the rows of a table, none if it is not there."""
        ...


class LineTables:
    """The files of a folder, each a table; or one file, which is the table of tasks."""

    def __init__(self, path: Path, files: Files) -> None:
        self.path = path
        self.files = files

    def names(self) -> list[str]:
        """Return the names of the tables, in order."""
        if not self.path.is_dir():
            return [ONE_TABLE]
        return [path.stem for path in sorted(self.path.glob(f"*{SUFFIX}"))]

    def rows(self, table: str, findings: Findings) -> Iterator[tuple[JsonObject, str]]:
        """Yield the rows of a table, none if it is not there."""
        if self.path.is_dir():
            path = self.path / f"{table}{SUFFIX}"
            there = path.is_file()
        else:
            path, there = self.path, table == ONE_TABLE
        for values in read_lines(path, findings, self.files) if there else ():
            yield values, f"{path.name}:{values.line}"


class SqliteTables:
    """The tables of a SQLite file, which is only read."""

    def __init__(self, path: Path, files: Files) -> None:
        self.path = path
        files.check(path)
        self.known = list(self._select("select name from sqlite_master where type = 'table'"))

    def names(self) -> list[str]:
        """Return the names of the tables, in order, without SQLite's own."""
        names = [str(row["name"]) for row in self.known]
        return sorted(name for name in names if not name.startswith("sqlite_"))

    def rows(self, table: str, findings: Findings) -> Iterator[tuple[JsonObject, str]]:
        """Yield the rows of a table, none if it is not there."""
        if table not in self.names():
            return
        quoted = table.replace('"', '""')
        for number, row in enumerate(self._select(f'select * from "{quoted}"'), start=1):
            yield JsonObject(row, number), f"{self.path.name}:{table}:{number}"

    def _select(self, statement: str) -> Iterator[dict[str, Any]]:
        try:
            with closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)) as database:
                database.text_factory = _text
                # Functions in the file's views are not run.
                database.execute("pragma trusted_schema = off")
                cursor = database.execute(statement)
                names = [column[0] for column in cursor.description]
                for row in cursor:
                    yield dict(zip(names, map(_value, row), strict=True))
        except sqlite3.Error as error:
            raise ValidationError(
                "path",
                f"is a SQLite file that can't be read: {error}",
                where=str(self.path),
                hint="Make a copy of it with sqlite3 FILE '.backup COPY', and import that",
            ) from error


def is_sqlite(path: Path) -> bool:
    """Return whether the file at *path* is a SQLite database, by its first bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _text(content: bytes) -> str:
    return content.decode(errors="replace")


def _value(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return _text(value) if isinstance(value, bytes) else value
