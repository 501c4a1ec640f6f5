# From taskdb/query/_waiting_async.py by tools/sync.py (`make sync`): edit that.
"""Running a query: all that waits for the server, and nothing else.

`tools/sync.py` writes `_waiting.py`, the form for synchronous connections, from this file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Sequence
from threading import get_ident
from time import perf_counter
from typing import Any

import psycopg
from psycopg import Connection, RawCursor, RawServerCursor
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.rows import tuple_row

from taskdb.query._decisions import (
    STREAM_SIZE,
    Decisions,
    Prepared,
    close_if_stuck,
    copying,
    cursor_name,
    declaration,
    is_outdated,
    needs_transaction,
    outdated,
    refuse_within_copy,
)
from taskdb.query._slow import QUICK, Stopwatch, log_slow

__all__ = ["batch", "copy", "run", "stream"]


def run(query: Decisions, conn: Connection[Any], values: tuple[Any, ...]) -> Any:
    """Run the statement and return what the stub promises."""
    query.refuse_copy()
    plan = query.plan(values)
    cursor = RawCursor(conn, row_factory=tuple_row)
    begun = perf_counter()
    try:
        try:
            _execute(query, conn, cursor, plan, values)
        finally:
            if (taken := perf_counter() - begun) > QUICK:
                log_slow(query, conn, taken)
        if query.has_rows(cursor, values):
            return query.from_rows(cursor, plan, cursor.fetchall())
        return query.from_count(cursor, values)
    except psycopg.Error as exc:
        query.raise_error(exc, plan, conn, cursor=cursor)


def _execute(
    query: Decisions,
    conn: Connection[Any],
    cursor: RawCursor[Any],
    plan: Prepared,
    values: tuple[Any, ...],
) -> None:
    text, arguments = plan.text, plan.pick(values)
    if copying or outdated:
        _make_ready(conn)
    if query.changes_session:
        query.warn(conn)
    if conn.pgconn.pipeline_status != PipelineStatus.OFF:
        # The inner pipeline's end is a sync: the result is there when the call returns.
        with conn.pipeline():
            cursor.execute(text, arguments)
        return
    before = conn.pgconn.transaction_status
    try:
        cursor.execute(text, arguments)
    except psycopg.Error as exc:
        if before != TransactionStatus.IDLE or not is_outdated(exc):
            raise
        # Nothing but this statement is in the transaction, if there is one: begin again.
        conn.rollback()
        _forget_statements(conn)
        cursor.execute(text, arguments)


def stream(
    query: Decisions, conn: Connection[Any], values: tuple[Any, ...]
) -> Generator[Any, None]:
    """Iterate over the rows through a server-side cursor."""
    plan = query.plan(values)
    name = cursor_name()
    before = 0
    watch = Stopwatch()
    with contextlib.ExitStack() as stack:
        try:
            _make_ready(conn)
            if needs_transaction(conn):
                stack.enter_context(conn.transaction())
            cursor = RawServerCursor(conn, name, row_factory=tuple_row)
            with cursor:
                with query.readable(cursor, lambda: before):
                    with watch:
                        cursor.execute(plan.text, plan.pick(values))
                        rows = cursor.fetchmany(STREAM_SIZE)
                    while rows:
                        for row in query.load(cursor, plan, rows, before):
                            yield row
                        before += len(rows)
                        with watch:
                            rows = cursor.fetchmany(STREAM_SIZE)
        except psycopg.Error as exc:
            query.raise_error(exc, plan, conn, prefix=declaration(name))
        except GeneratorExit:
            # Left early, which is no failure: what else ran in the transaction is committed.
            return
        finally:
            log_slow(query, conn, watch.seconds)


def batch(
    query: Decisions,
    conn: Connection[Any],
    bound: Sequence[tuple[Prepared, tuple[Any, ...]]],
) -> list[Any]:
    """Run the statement once for each of the bound rows, in one pipeline."""
    cursors: list[RawCursor[Any]] = []
    if not bound:
        return []
    failure: psycopg.Error | None = None
    begun = perf_counter()
    try:
        _make_ready(conn)
        if query.changes_session:
            query.warn(conn)
        with conn.pipeline():
            try:
                for plan, values in bound:
                    cursor = RawCursor(conn, row_factory=tuple_row)
                    cursors.append(cursor)
                    cursor.execute(plan.text, plan.pick(values))
            except psycopg.Error as exc:
                failure = exc
    except psycopg.Error as exc:
        failure = failure or exc
    log_slow(query, conn, perf_counter() - begun, rows=len(bound))
    if failure:
        query.raise_in_batch(failure, conn, bound, cursors)
    results: list[Any] = []
    for (plan, values), cursor in zip(bound, cursors, strict=True):
        with query.row_of_batch(len(results) + 1, plan, conn):
            rows = cursor.fetchall() if query.has_rows(cursor, values) else None
            results.append(query.finished(cursor, plan, values, rows))
    return results


def copy(query: Decisions, conn: Connection[Any], rows: Iterable[Any]) -> int:
    """Send *rows* through the copy statement and return how many there were."""
    plan = query.plan(())
    cursor = RawCursor(conn, row_factory=tuple_row)
    try:
        _make_ready(conn)
        with cursor.copy(plan.text) as copy:
            copying[conn] = get_ident()
            try:
                for row in query.copied(rows):
                    copy.write_row(row)
            finally:
                del copying[conn]
    except psycopg.Error as exc:
        query.raise_error(exc, plan, conn)
    except BaseException:
        close_if_stuck(conn)
        raise
    return cursor.rowcount


def _make_ready(conn: Connection[Any]) -> None:
    if copying and conn in copying and copying[conn] == get_ident():
        # It would wait for the copy, and the copy for it.
        refuse_within_copy()
    if outdated and conn in outdated:
        _forget_statements(conn)


def _forget_statements(conn: Connection[Any]) -> None:
    RawCursor(conn).execute("deallocate all")
    outdated.discard(conn)
