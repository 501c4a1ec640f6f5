"""docs/schema.md is what the catalogue says."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg

from taskdb.admin import erdiagram
from taskdb.queries.admin import pages

PAGE = Path(__file__).parents[2] / "docs" / "schema.md"


def test_page_is_what_the_catalogue_says(conn: psycopg.Connection) -> None:
    assert PAGE.read_text() == erdiagram.page(conn), "the schema changed: run `make docs`"


def test_page_changes_with_the_schema(conn: psycopg.Connection) -> None:
    before = erdiagram.page(conn)

    conn.execute("alter table subtasks add column due_at timestamptz")
    conn.execute("comment on column subtasks.due_at is 'When | it\nis due.'")
    conn.execute("create table leaf (id uuid primary key references epics (id))")

    after = erdiagram.page(conn)
    added = set(after.splitlines()) - set(before.splitlines())
    assert "| `due_at` | timestamp with time zone | yes | When \\| it is due. |" in added
    assert '    epics ||--o| leaf : "id"' in added
    assert "        uuid id PK, FK" in added


def test_every_table_stands_in_diagram_and_text(conn: psycopg.Connection) -> None:
    page = erdiagram.page(conn)
    tables = {
        column.table_name
        for column in pages.columns(conn, schemas=["taskdb", "shared"])
        if not column.is_view
    }

    assert {"epics", "features", "tasks", "task_history", "task_dependencies"} <= tables
    for name in tables:
        assert f"\n### {name}\n" in page
        assert re.search(rf"^    {name} \{{$", page, re.MULTILINE)
    assert '    tasks ||--o{ task_dependencies : "depends_on_id"' in page
    assert '    tasks |o--o{ task_details : "parent_id"' in page
    assert '    tasks ||--o| task_search : "task_id"' in page
