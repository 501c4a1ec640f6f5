"""docs/schema.md and docs/lifecycle.md are what the catalogue says."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from taskdb.admin import docpages, erdiagram, lifecycle
from taskdb.queries.admin import pages

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", docpages.PAGES)
def test_page_is_what_the_catalogue_says(conn: psycopg.Connection, name: str) -> None:
    page = docpages.PAGES[name](conn)

    assert (DOCS / name).read_text() == page, "the schema changed: run `make docs`"


def test_lifecycle_changes_with_a_trigger_and_a_transition(conn: psycopg.Connection) -> None:
    before = lifecycle.page(conn)

    conn.execute(
        "create trigger subtasks_90_tell after update of title, position on subtasks"
        " for each row when (old.title <> new.title) execute function touch_updated_at()"
    )
    conn.execute("comment on trigger subtasks_90_tell on subtasks is 'Tells | it. To all.'")
    conn.execute("insert into task_status_transitions values ('failed', 'pending', 'once more')")

    added = set(lifecycle.page(conn).splitlines()) - set(before.splitlines())
    assert added == {
        "    failed --> pending: once more",
        "| `subtasks_90_tell` | after update of title, position, each row"
        " | `old.title::text <> new.title::text` | Tells \\| it. |",
    }


def test_every_trigger_says_what_it_does(conn: psycopg.Connection) -> None:
    triggers = pages.triggers(conn, schemas=["taskdb", "shared"])

    assert [each.trigger_name for each in triggers if not each.comment] == []
    assert {"tasks_50_apply_change", "features_10_refuse_foreign_key"} <= {
        each.trigger_name for each in triggers
    }


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
