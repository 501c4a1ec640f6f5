"""The column that a parameter is compared with, for `taskdb check` to take its values from."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from taskdb.query.check.describe import describe

Connection = psycopg.Connection[Any]


# A statement, and the column that its first parameter is compared with.
COMPARED = [
    ("select title from tasks where key = $1", "tasks.key"),
    ("select title from tasks where $1 >= priority", "tasks.priority"),
    ("select title from tasks where key = any($1)", "tasks.key"),
    ("select title from tasks where coalesce(agent_type, '') in ('', $1)", "tasks.agent_type"),
    ("select title from tasks where (created_at, id) < ($1, $2)", "tasks.created_at"),
    ("select 1 from feature_progress where epic_id = $1", "features.epic_id"),
    ("select 1 from ready_tasks where key = $1", "tasks.key"),
    (
        "with mine as (select id as task_id from tasks) select 1 from mine where task_id = $1",
        "tasks.id",
    ),
    (
        "select 1 from task_claims as c join tasks as t on t.id = c.task_id and c.agent = $1",
        "task_history.agent",
    ),
    (
        "with wanted as (select plainto_tsquery('english', $1) as words) "
        "select 1 from wanted join task_search on document @@ words",
        "task_search.document",
    ),
    (
        "select 1 from task_details where exists (select from features"
        " where features.id = task_details.feature_id and features.key = $1)",
        "features.key",
    ),
    ("update tasks set title = $1 where key = $2", None),
    ("select now() - $1::interval", None),
]


@pytest.mark.parametrize(("sql", "column"), COMPARED, ids=[row[0] for row in COMPARED])
def test_column_that_a_parameter_is_compared_with(
    conn: Connection, sql: str, column: str | None
) -> None:
    compared = describe(conn, sql).compared.get(1)

    if column is None:
        assert compared is None
    else:
        assert compared is not None
        row = conn.execute(
            "select attrelid::regclass || '.' || attname from pg_attribute "
            "where attrelid = $1::oid and attnum = $2",
            compared,
        ).fetchone()
        assert row == (column,)
