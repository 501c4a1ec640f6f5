"""Drift: `migrations/` and `sql/` must build the same database.

Both are run, each into a scratch database of its own, and their catalogues compared, and the
rows of tables that are filled when they are made. What differs is named, with the file and
line of either side that speaks of it.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from psycopg import Connection

from taskdb import migrations
from taskdb.database import workspaces
from taskdb.database.versions import TRACKS, Track
from taskdb.migrations import schema
from taskdb.migrations.cutting import ScriptStatement
from taskdb.migrations.files import read_track
from taskdb.migrations.runner import connect
from taskdb.migrations.scratch import scratch_databases
from taskdb.migrations.scripts import place, run_file, statements_of
from taskdb.places import SQL
from taskdb.query._lexer import Kind, tokenize

__all__ = [
    "SQL",
    "Mentions",
    "SchemaDifference",
    "Sides",
    "Source",
    "State",
    "build",
    "check",
    "differences",
    "read",
]

_WORDS = frozenset({Kind.IDENTIFIER, Kind.QUOTED_IDENTIFIER})


@dataclass(frozen=True, slots=True)
class SchemaDifference:
    """One difference: the object, its aspect, and what each side has of it.

    *track* is the migration sequence, of another project the schema. *aspect* is None where one
    side lacks the object. The places are ``file:line``, or None where no statement of that side
    names the object.
    """

    track: str
    kind: str
    name: str
    aspect: str | None
    migrations: str | None
    files: str | None
    migrations_where: str | None
    files_where: str | None
    sides: tuple[str, str] = ("migrations/", "sql/")

    @property
    def where(self) -> str | None:
        """The place to look at first."""
        return self.files_where or self.migrations_where

    def __str__(self) -> str:
        what = f"{self.track}: {self.kind} {self.name}"
        if self.aspect is None:
            has, lacks = self.sides[::-1] if self.migrations is None else self.sides
            text = f"{what} is in {has} and not in {lacks}"
        else:
            text = (
                f"{what}: its {self.aspect} is {_value(self.migrations)} by {self.sides[0]}, "
                f"{_value(self.files)} by {self.sides[1]}"
            )
        places = [where for where in (self.migrations_where, self.files_where) if where]
        return f"{text} ({', '.join(places)})" if places else text


def check(
    conninfo: str, *, folder: Path = migrations.FOLDER, sql: Path = SQL
) -> list[SchemaDifference]:
    """Build both sides on the server of *conninfo* and return where they differ.

    The role must be allowed to create databases; nothing else on the server is touched, and
    the two databases are dropped again. Raises `DatabaseError` where it may not, and
    `MigrationError` or `ScriptError`, with file and line, where a side cannot be built.
    """
    with build(conninfo, folder=folder, sql=sql) as sides:
        return sides.compare()


State: TypeAlias = Mapping[Track, tuple[schema.Objects, schema.Rows]]
"""One side: the objects and rows of each schema."""


class Sides:
    """Two databases, one built by migrations and one by `sql/`, to be compared."""

    def __init__(
        self, migrated: Connection[Any], built: Connection[Any], folder: Path, sql: Path
    ) -> None:
        self.migrated = migrated
        self.built = built
        self._places: dict[Track, Mentions] = {
            track: _places_of(track, folder, sql) for track in TRACKS
        }

    def compare(self) -> list[SchemaDifference]:
        """Every difference, `shared` first."""
        return self.findings(read(self.migrated), read(self.built))

    def findings(self, migrated: State, built: State) -> list[SchemaDifference]:
        """Every difference between what was read of the two sides."""
        return [
            places.finding(found)
            for track, places in self._places.items()
            for found in differences(migrated[track], built[track])
        ]


def read(conn: Connection[Any]) -> State:
    """Read one side whole."""
    state: dict[Track, tuple[schema.Objects, schema.Rows]] = {}
    for track in TRACKS:
        objects = schema.read(conn, _schema(track))
        state[track] = objects, schema.read_rows(conn, _schema(track), objects)
    return state


def differences(
    migrated: tuple[schema.Objects, schema.Rows], built: tuple[schema.Objects, schema.Rows]
) -> Iterator[schema.Difference]:
    """Yield where one schema differs from another: its objects, then its rows."""
    yield from schema.compare(migrated[0], built[0])
    yield from schema.compare_rows(migrated[1], built[1])


@contextmanager
def build(conninfo: str, *, folder: Path = migrations.FOLDER, sql: Path = SQL) -> Generator[Sides]:
    """Lend both sides, built in scratch databases; raises as `check` does."""
    with scratch_databases(conninfo, 2) as (first, second):
        migrations.up(first, folder=folder, show=_ignore)
        with connect(first, _ignore) as migrated, connect(second, _ignore) as built:
            for track in TRACKS:
                workspaces.create_schema(built, _schema(track))
                workspaces.set_search_path(built, _schema(track))
                run_file(built, sql / f"{track}.sql")
            workspaces.set_search_path(migrated, workspaces.DEFAULT)
            yield Sides(migrated, built, folder, sql)


def _ignore(line: str) -> None:
    """A build's notices say nothing about drift."""


def _schema(track: Track) -> str:
    return workspaces.SHARED if track == "shared" else workspaces.DEFAULT


def _places_of(track: Track, folder: Path, sql: Path) -> Mentions:
    migrated = [
        Source(migration.up.path, statement)
        for migration in read_track(folder / track)
        for statement in migration.up.statements
    ]
    built = [Source(path, statement) for path, statement in statements_of(sql / f"{track}.sql")]
    return Mentions(track, migrated, built)


class Mentions:
    """Mentions that mention an object: the last migration, the first statement of `sql/`."""

    def __init__(
        self,
        track: str,
        migrated: Sequence[Source],
        built: Sequence[Source],
        sides: tuple[str, str] = ("migrations/", "sql/"),
    ) -> None:
        self.track = track
        self.migrated = migrated
        self.built = built
        self.sides = sides

    def finding(self, found: schema.Difference) -> SchemaDifference:
        """Return a difference with its places."""
        words = re.findall(r"\w+", found.name.partition("(")[0])
        return SchemaDifference(
            track=self.track,
            kind=found.kind,
            name=found.name,
            aspect=found.aspect,
            migrations=found.left,
            files=found.right,
            migrations_where=_where(words, reversed(self.migrated)),
            files_where=_where(words, self.built),
            sides=self.sides,
        )


@dataclass(frozen=True)
class Source:
    """A statement and its file."""

    path: Path
    statement: ScriptStatement

    @cached_property
    def lines(self) -> Mapping[str, int]:
        """The first line of each word."""
        text = self.statement.text
        lines: dict[str, int] = {}
        for token in tokenize(text):
            if token.kind in _WORDS:
                word = text[token.start : token.end].strip('"').lower()
                if word not in lines:
                    lines[word] = self.statement.line_at(token.start + 1)
        return lines


def _where(words: Sequence[str], sources: Iterable[Source]) -> str | None:
    """The first statement that has all the words, at the last of them."""
    for source in sources:
        if all(word in source.lines for word in words):
            return place(source.path, source.lines[words[-1]])
    return None


def _value(value: str | None) -> str:
    return "none" if value is None else repr(value)
