"""A schema as plain data, to be compared with another's, or with itself at another time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from psycopg import Connection

from taskdb.database import workspaces
from taskdb.models.admin.schema import Aspect
from taskdb.queries.admin import migrations as migration_queries
from taskdb.queries.admin import schema as queries

Objects: TypeAlias = Mapping[tuple[str, str], Mapping[str, str | None]]
"""Aspects by object: ``("column", "tasks.status")`` has ``{"type": "shared.task_status", ...}``."""

Rows: TypeAlias = Mapping[str, Sequence[Mapping[str, str]]]
"""Rows by table, each as text by column."""


@dataclass(frozen=True, slots=True)
class Difference:
    """An object that one side lacks (`aspect` is None), or an aspect that is not the same."""

    kind: str
    name: str
    aspect: str | None
    left: str | None
    right: str | None


def read(conn: Connection[Any], schema: str) -> Objects:
    """Everything in *schema*, independent of creation order and of the search path."""
    with _without_path(conn):
        return _by_object(row for query in _QUERIES for row in query(conn, schema=schema))


def read_database(conn: Connection[Any]) -> Objects:
    """Everything in the database that belongs to no schema."""
    with _without_path(conn):
        return _by_object(queries.database_aspects(conn))


@contextmanager
def _without_path(conn: Connection[Any]) -> Generator[None]:
    # Rolled back at its end, and the search path with it.
    with conn.transaction(force_rollback=True):
        migration_queries.set_path(conn, schemas=[])
        yield


def _by_object(rows: Iterable[Aspect]) -> Objects:
    objects: dict[tuple[str, str], dict[str, str | None]] = {}
    for row in rows:
        objects.setdefault((row.kind, row.name), {})[row.aspect] = row.value
    return objects


_QUERIES = (
    queries.schema_aspects,
    queries.extension_aspects,
    queries.type_aspects,
    queries.relation_aspects,
    queries.column_aspects,
    queries.constraint_aspects,
    queries.index_aspects,
    queries.trigger_aspects,
    queries.function_aspects,
    queries.rule_aspects,
    queries.operator_aspects,
)


def compare(left: Objects, right: Objects) -> Iterator[Difference]:
    """Every difference, in order of kind and name; an object that is not there is one.

    What belongs to a table that one side lacks is not reported again.
    """
    for kind, name in sorted(left.keys() | right.keys()):
        ours, theirs = left.get((kind, name)), right.get((kind, name))
        if ours is not None and theirs is not None:
            for aspect in sorted(ours.keys() | theirs.keys()):
                if ours.get(aspect) != theirs.get(aspect):
                    yield Difference(kind, name, aspect, ours.get(aspect), theirs.get(aspect))
        elif not _owner_is_missing(name, left, right):
            yield Difference(
                kind, name, None, "there" if ours is not None else None, "there" if theirs else None
            )


def read_rows(conn: Connection[Any], schema: str, objects: Objects) -> Rows:
    """All rows of the schema's tables, by table. For schemas that nobody works in."""
    rows: dict[str, list[dict[str, str]]] = {}
    for table, columns in _compared_columns(objects).items():
        lines = workspaces.table_rows(conn, schema, table, columns)
        rows[table] = [dict(zip(columns, line.split("\t"), strict=True)) for line in lines]
    return rows


def _compared_columns(objects: Objects) -> dict[str, list[str]]:
    """The columns of each table that have no default: with one, they may hold a moment."""
    columns: dict[str, list[str]] = {}
    for (kind, name), aspects in sorted(objects.items()):
        table, _, column = name.partition(".")
        if (
            kind == "column"
            and ("table", table) in objects
            and aspects.get("default") is None
            and aspects.get("generated") is None
        ):
            columns.setdefault(table, []).append(column)
    return columns


def compare_rows(left: Rows, right: Rows) -> Iterator[Difference]:
    """Differences in the rows of tables that both sides have, in the columns that both have."""
    for table in sorted(left.keys() & right.keys()):
        columns = _columns(left[table]) or _columns(right[table])
        if left[table] and right[table]:
            columns &= _columns(right[table])
        ours = Counter(_line(row, columns) for row in left[table])
        theirs = Counter(_line(row, columns) for row in right[table])
        for line in (ours - theirs).elements():
            yield Difference("row", f"{table} ({line})", None, "there", None)
        for line in (theirs - ours).elements():
            yield Difference("row", f"{table} ({line})", None, None, "there")


def _columns(rows: Sequence[Mapping[str, str]]) -> set[str]:
    return set(rows[0]) if rows else set()


def _line(row: Mapping[str, str], columns: Collection[str]) -> str:
    return ", ".join(f"{column}={row[column]}" for column in sorted(columns))


def _owner_is_missing(name: str, left: Objects, right: Objects) -> bool:
    owner, dot, _ = name.partition(".")
    return bool(dot) and any(
        ((kind, owner) in left) != ((kind, owner) in right) for kind in _OWNERS
    )


_OWNERS = ("table", "partitioned table", "view", "materialized view", "foreign table")
