"""docs/schema.md: an entity-relationship diagram and a table a table, from the catalogue.

`make docs` writes the page (taskdb/admin/docpages.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from psycopg import Connection

from taskdb.admin.markdown import table
from taskdb.models.admin.pages import ForeignKey, TableColumn, TypeMeaning
from taskdb.queries.admin import pages

__all__ = ["page"]

HEAD = """\
# The schema

Made by `make docs` from the catalogue of a database just migrated; a test compares the two.
The files in `sql/` say more: constraints, indexes, triggers, and why. The runner's own logs of
migrations (`_taskdb_migration`, `_yoyo_*`, in each schema) are left out.
"""
DIAGRAM = """\
## Diagram

Keys only. A line ends in `||` at the table that is named, `|o` where the reference may be null.
"""
TABLES = """\
## Tables
"""
VIEWS = """\
## Views

PostgreSQL takes every column of a view as one that may be null.
"""
TYPES = """\
## Types

They stand in the schema `shared`, which all workspaces use.
"""


def page(conn: Connection[Any], workspace: str = "taskdb") -> str:
    """Return the page on *workspace*, and on `shared` beside it, as Markdown."""
    columns = pages.columns(conn, schemas=[workspace, "shared"])
    references = pages.foreign_keys(conn, schemas=[workspace, "shared"])
    types = pages.types(conn, schemas=["shared"])
    tables = [column for column in columns if not column.is_view]
    views = [column for column in columns if column.is_view]
    parts = [
        HEAD,
        DIAGRAM,
        "\n".join(_diagram(tables, references)) + "\n",
        TABLES,
        *_sections(tables),
        VIEWS,
        *_sections(views),
        TYPES,
        _types(types),
    ]
    return "\n".join(parts)


def _diagram(columns: Sequence[TableColumn], references: Sequence[ForeignKey]) -> Iterator[str]:
    yield "```mermaid"
    yield "erDiagram"
    for name, members in _by_table(columns):
        foreign = {key.column_names for key in references if key.table_name == name}
        yield f"    {name} {{"
        for column in members:
            marks = ["PK"] * column.in_primary_key + ["FK"] * (column.column_name in foreign)
            if marks:
                yield f"        {column.type} {column.column_name} {', '.join(marks)}"
        yield "    }"
    for key in references:
        one = "|o" if key.optional else "||"
        many = "o|" if key.single else "o{"
        yield f'    {key.target_name} {one}--{many} {key.table_name} : "{key.column_names}"'
    yield "```"


def _sections(columns: Sequence[TableColumn]) -> Iterator[str]:
    for name, members in _by_table(columns):
        rows = (
            (f"`{column.column_name}`", column.type, _null(column), column.column_comment)
            for column in members
        )
        comment = members[0].table_comment
        rows_of = table(("column", "type", "null", "comment"), rows)
        yield f"### {name}\n\n{comment}\n\n{rows_of}"


def _null(column: TableColumn) -> str:
    return "yes" if column.nullable else "no"


def _types(types: Sequence[TypeMeaning]) -> str:
    rows = ((f"`{each.name}`", each.meaning, each.comment) for each in types)
    return table(("type", "values, or base type", "comment"), rows)


def _by_table(columns: Sequence[TableColumn]) -> Iterator[tuple[str, list[TableColumn]]]:
    for name, members in groupby(columns, key=lambda column: column.table_name):
        yield name, list(members)
