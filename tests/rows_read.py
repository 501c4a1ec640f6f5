"""Cost of a transaction in rows, which no load of the machine changes."""

from typing import Any

import psycopg

Connection = psycopg.Connection[Any]


def rows_read(conn: Connection) -> int:
    """The rows and index entries of tasks and edges that this transaction has read so far."""
    entries = conn.execute(
        b"select sum(pg_stat_get_xact_tuples_returned(indexrelid)) from pg_index"
        b" where indrelid in ('tasks'::regclass, 'task_dependencies'::regclass)"
    ).fetchone()
    assert entries
    return live_rows_read(conn) + int(entries[0])


def live_rows_read(conn: Connection) -> int:
    """The rows alone. Entries of dead rows stay while any session of the server has a snapshot."""
    found = conn.execute(
        b"select sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) from pg_stat_xact_user_tables"
        b" where relname in ('tasks', 'task_dependencies')"
    ).fetchone()
    assert found
    return int(found[0])
