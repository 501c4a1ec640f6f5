"""A whole workspace as JSON lines, and back into an empty one.

Each line begins with a checksum of itself and all lines before it, so that the first line that is
not as it was written is found. docs/exchange.md has the format.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

import orjson
import psycopg
from psycopg import IsolationLevel
from psycopg.pq import TransactionStatus

from taskdb.errors import TaskdbError, ValidationError, translate
from taskdb.queries import archive

__all__ = ["ArchiveReport", "export_workspace", "restore_workspace", "snapshot"]

Connection = psycopg.Connection[Any]

FORMAT: Final = 1
# Rows and bytes of one insert at most.
MOST_ROWS: Final = 1000
MOST_BYTES: Final = 4 * 1024 * 1024
DIGITS: Final = 16
HEAD: Final = b'{"sum":"'
BODY: Final = len(HEAD) + DIGITS + len(b'",')


@dataclass(slots=True)
class ArchiveReport:
    """Numbers of rows written or restored in each table, and of live claims revoked.

    `lost` counts, by name, what the format of the file can't hold.
    """

    tables: dict[str, int] = field(default_factory=dict[str, int])
    revoked_claims: int = 0
    lost: dict[str, int] = field(default_factory=dict[str, int])

    def as_text(self) -> str:
        """Return it as lines of text."""
        counts = [f"  {name}: {count}" for name, count in self.tables.items() if count]
        revoked = [f"  live claims revoked: {self.revoked_claims}"] if self.revoked_claims else []
        lost = [f"  not in the file: {count} {name}" for name, count in self.lost.items() if count]
        return "\n".join([f"{sum(self.tables.values())} rows", *counts, *revoked, *lost])


class _Chain:
    """The checksum of all lines so far."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def line(self, rest: bytes) -> bytes:
        """Return a line: *rest* is its JSON behind the checksum."""
        return HEAD + self.next(rest) + b'",' + rest + b"\n"

    def next(self, rest: bytes) -> bytes:
        """Return the checksum of *rest* and all before it."""
        self._digest.update(rest)
        return self._digest.hexdigest()[:DIGITS].encode()


def export_workspace(conn: Connection, out: BinaryIO) -> ArchiveReport:
    """Write the workspace of *conn* to *out* as JSON lines, from one snapshot.

    The same data give the same bytes. *conn* must not be in a transaction.
    """
    report = ArchiveReport()
    chain = _Chain()
    with snapshot(conn):
        out.write(chain.line(b'"taskdb":%d}' % FORMAT))
        for table in archive.list_tables(conn):
            head = orjson.dumps({"table": table.name, "columns": table.columns})
            out.write(chain.line(head[1:]))
            count = 0
            for row in archive.list_rows.stream(conn, table_name=table.name):
                out.write(chain.line(b'"row":' + row.encode() + b"}"))
                count += 1
            report.tables[table.name] = count
        for sequence in archive.list_sequences(conn):
            out.write(chain.line(orjson.dumps({"sequence": sequence.to_dict()})[1:]))
        out.write(chain.line(orjson.dumps({"end": sum(report.tables.values())})[1:]))
    return report


@contextmanager
def snapshot(conn: Connection) -> Generator[None]:
    """Run the block in a transaction that sees one moment, and writes nothing."""
    if conn.info.transaction_status is not TransactionStatus.IDLE:
        raise ValidationError("conn", "must not be in a transaction")
    before = conn.isolation_level, conn.read_only
    conn.isolation_level, conn.read_only = IsolationLevel.REPEATABLE_READ, True
    try:
        with conn.transaction():
            yield
    finally:
        if not conn.closed and conn.info.transaction_status is TransactionStatus.IDLE:
            conn.isolation_level, conn.read_only = before


def restore_workspace(conn: Connection, lines: Iterable[bytes], *, name: str) -> ArchiveReport:
    """Restore an export into the empty workspace of *conn*, ids and history kept.

    Live claims are revoked, and tokens raised to the next million: who held a claim where the file
    was written holds none here. One transaction, or a savepoint of the caller's; only the owner of
    the tables may. *name* stands for the file in errors.

    Raises ValidationError, naming the line, if the file is not as it was written, ends early, or
    does not fit this version of the schema, or if the workspace is not empty.
    """
    with conn.transaction():
        return _Restore(conn, name).run(lines)


class _Restore:
    def __init__(self, conn: Connection, name: str) -> None:
        self.conn = conn
        self.name = name
        self.number = 0
        self.report = ArchiveReport()
        self.columns: dict[str, list[str]] = {}
        self.table: str | None = None
        self.rows: list[Any] = []
        self.size = 0
        # Positions by name: None until the file gives one.
        self.sequences: dict[str, dict[str, Any] | None] = {}

    def run(self, lines: Iterable[bytes]) -> ArchiveReport:
        raw = self._checked(lines)
        self._begin(next(raw, None))
        for part in raw:
            match part:
                case {"row": row}:
                    self._row(row)
                case {"table": str(table), "columns": columns}:
                    self._flush()
                    self._open(table, columns)
                case {"sequence": {"name": str(name)} as position}:
                    self._sequence(name, position)
                case {"end": rows}:
                    self._flush()
                    self._finish(rows)
                    if next(raw, None) is not None:
                        raise self._refused("stands behind the end")
                    return self.report
                case _:
                    raise self._refused("is no line of an export")
        self.number += 1
        raise self._refused("is missing: the file ends early")

    def _checked(self, lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        chain = _Chain()
        for line in lines:
            self.number += 1
            rest = line[BODY:].removesuffix(b"\n")
            if not (line.startswith(HEAD) and line.endswith(b"\n")):
                raise self._refused("is not whole, or no line of an export")
            if line[len(HEAD) : len(HEAD) + DIGITS] != chain.next(rest):
                raise self._refused("is not as it was written: its checksum is another")
            self.size += len(rest)
            try:
                yield orjson.loads(b"{" + rest)
            except orjson.JSONDecodeError as error:
                raise self._refused(f"is no JSON: {error}") from error

    def _begin(self, head: dict[str, Any] | None) -> None:
        if head is None:
            self.number = 1
            raise self._refused("is missing: the file is empty")
        if head != {"taskdb": FORMAT}:
            raise self._refused(f"must be the head of an export of format {FORMAT}")
        self.columns = {each.name: each.columns for each in archive.list_tables(self.conn)}
        self.sequences = {each.name: None for each in archive.list_sequences(self.conn)}
        archive.begin_restore(self.conn)

    def _open(self, table: str, columns: object) -> None:
        if table not in self.columns:
            raise self._unfit(f"table {table}, which this workspace does not have")
        if columns != self.columns[table]:
            raise self._unfit(f"other columns of {table} than this workspace")
        if table in self.report.tables:
            raise self._refused(f"opens the table {table} a second time")
        self.table = table
        self.report.tables[table] = 0

    def _sequence(self, name: str, position: dict[str, Any]) -> None:
        # It is set with the rights of an owner, who may have other workspaces.
        if name not in self.sequences:
            raise self._unfit(f"sequence {name}, which this workspace does not have")
        if self.sequences[name] is not None:
            raise self._refused(f"sets the sequence {name} a second time")
        if position.keys() != {"name", "last_value", "is_called"}:
            raise self._refused(f"must give last_value and is_called of the sequence {name}")
        self.sequences[name] = position

    def _row(self, row: object) -> None:
        if self.table is None:
            raise self._refused("is a row before any table")
        self.rows.append(row)
        if len(self.rows) >= MOST_ROWS or self.size >= MOST_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self.rows and self.table is not None:
            try:
                archive.restore_rows(self.conn, table_name=self.table, rows=self.rows)
            except (TaskdbError, psycopg.Error) as error:
                reason = error if isinstance(error, TaskdbError) else translate(error)
                raise self._refused(
                    f"or one of the {len(self.rows)} before it is refused by {self.table}: {reason}"
                ) from error
            self.report.tables[self.table] += len(self.rows)
        self.rows, self.size = [], 0

    def _finish(self, rows: object) -> None:
        if rows != sum(self.report.tables.values()):
            raise self._refused("counts other rows than the file has")
        unset = {name for name, position in self.sequences.items() if position is None}
        if missing := sorted(self.columns.keys() - self.report.tables.keys() | unset):
            raise self._unfit(f"no {', '.join(missing)}, which this workspace has")
        try:
            self.report.revoked_claims = archive.finish_restore(self.conn)
            for position in self.sequences.values():
                archive.restore_sequence(self.conn, **position or {})
        except (TaskdbError, psycopg.Error) as error:
            reason = error if isinstance(error, TaskdbError) else translate(error)
            raise self._refused(f"ends a file that the workspace refuses: {reason}") from error

    def _refused(self, rule: str) -> ValidationError:
        return ValidationError(
            "file",
            f"line {self.number} {rule}",
            where=f"{self.name}:{self.number}",
            hint="Nothing was imported. Export it again, or take another copy",
        )

    def _unfit(self, what: str) -> ValidationError:
        return ValidationError(
            "file",
            f"line {self.number} has {what}",
            where=f"{self.name}:{self.number}",
            hint="Nothing was imported. Use the version of taskdb that wrote it, and migrate there",
        )
