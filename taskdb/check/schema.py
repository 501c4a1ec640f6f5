"""A schema as plain data, to be compared with another's, or with itself at another time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from psycopg import Connection

from taskdb import workspaces
from taskdb.queries import migrations as migration_queries
from taskdb.queries import schema as queries

Objects: TypeAlias = Mapping[tuple[str, str], Mapping[str, str | None]]
"""Aspects by object: ``("column", "tasks.status")`` has ``{"type": "shared.task_status", ...}``."""


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
    objects: dict[tuple[str, str], dict[str, str | None]] = {}
    # Rolled back at its end, and the search path with it.
    with conn.transaction(force_rollback=True):
        migration_queries.set_path(conn, path="")
        for query in _QUERIES:
            for row in query(conn, schema=schema):
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
)


def compare(left: Objects, right: Objects) -> Iterator[Difference]:
    """Every difference, in order of kind and name; an object that is not there is one.

    What belongs to a table that one side lacks is not told again.
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


def compare_rows(
    left: Connection[Any],
    right: Connection[Any],
    schema: str,
    ours_objects: Objects,
    theirs_objects: Objects,
) -> Iterator[Difference]:
    """Differences in the rows of tables that both sides have and fill when they make them.

    A column with a default is left out: it may hold a moment.
    """
    for kind, table in sorted(ours_objects.keys() & theirs_objects.keys()):
        if kind != "table":
            continue
        columns = _compared_columns(ours_objects, table) & _compared_columns(theirs_objects, table)
        if not columns:
            continue
        ours = workspaces.table_rows(left, schema, table, sorted(columns))
        theirs = workspaces.table_rows(right, schema, table, sorted(columns))
        for row, count in sorted((Counter(ours) - Counter(theirs)).items()):
            yield Difference("row of table", table, "row", _line(row, count), None)
        for row, count in sorted((Counter(theirs) - Counter(ours)).items()):
            yield Difference("row of table", table, "row", None, _line(row, count))


def _compared_columns(objects: Objects, table: str) -> set[str]:
    return {
        name.removeprefix(f"{table}.")
        for (kind, name), aspects in objects.items()
        if kind == "column"
        and name.startswith(f"{table}.")
        and aspects.get("default") is None
        and aspects.get("generated") is None
    }


def _line(row: bytes, count: int) -> str:
    text = row.decode().rstrip("\n").replace("\t", ", ")
    return text if count == 1 else f"{text} ({count} times)"


def _owner_is_missing(name: str, left: Objects, right: Objects) -> bool:
    owner, dot, _ = name.partition(".")
    return bool(dot) and any(
        ((kind, owner) in left) != ((kind, owner) in right) for kind in _OWNERS
    )


_OWNERS = ("table", "partitioned table", "view", "materialized view", "foreign table")
