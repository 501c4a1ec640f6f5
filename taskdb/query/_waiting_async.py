"""Running a query: all that waits for the server, and nothing else.

`tools/sync.py` writes `_waiting.py`, the form for synchronous connections, from this file.
"""

from __future__ import annotations

import contextlib
from asyncio import current_task
from collections.abc import AsyncGenerator, Iterable, Sequence
from time import perf_counter
from typing import Any

import psycopg
from psycopg import AsyncConnection, AsyncRawCursor, AsyncRawServerCursor
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

__all__ = ["batch_async", "copy_async", "run_async", "stream_async"]


async def run_async(query: Decisions, conn: AsyncConnection[Any], values: tuple[Any, ...]) -> Any:
    """Run the statement and return what the stub promises."""
    query.refuse_copy()
    plan = query.plan(values)
    cursor = AsyncRawCursor(conn, row_factory=tuple_row)
    begun = perf_counter()
    try:
        try:
            await _execute(query, conn, cursor, plan, values)
        finally:
            if (taken := perf_counter() - begun) > QUICK:
                log_slow(query, conn, taken)
        if query.has_rows(cursor, values):
            return query.from_rows(cursor, plan, await cursor.fetchall())
        return query.from_count(cursor, values)
    except psycopg.Error as exc:
        query.raise_error(exc, plan, conn, cursor=cursor)


async def _execute(
    query: Decisions,
    conn: AsyncConnection[Any],
    cursor: AsyncRawCursor[Any],
    plan: Prepared,
    values: tuple[Any, ...],
) -> None:
    text, arguments = plan.text, plan.pick(values)
    if copying or outdated:
        await _make_ready(conn)
    if query.changes_session:
        query.warn(conn)
    if conn.pgconn.pipeline_status != PipelineStatus.OFF:
        # The inner pipeline's end is a sync: the result is there when the call returns.
        async with conn.pipeline():
            await cursor.execute(text, arguments)
        return
    before = conn.pgconn.transaction_status
    try:
        await cursor.execute(text, arguments)
    except psycopg.Error as exc:
        if before != TransactionStatus.IDLE or not is_outdated(exc):
            raise
        # Nothing but this statement is in the transaction, if there is one: begin again.
        await conn.rollback()
        await _forget_statements(conn)
        await cursor.execute(text, arguments)


async def stream_async(
    query: Decisions, conn: AsyncConnection[Any], values: tuple[Any, ...]
) -> AsyncGenerator[Any, None]:
    """Iterate over the rows through a server-side cursor."""
    plan = query.plan(values)
    name = cursor_name()
    before = 0
    watch = Stopwatch()
    async with contextlib.AsyncExitStack() as stack:
        try:
            await _make_ready(conn)
            if needs_transaction(conn):
                await stack.enter_async_context(conn.transaction())
            cursor = AsyncRawServerCursor(conn, name, row_factory=tuple_row)
            async with cursor:
                with query.readable(cursor, lambda: before):
                    with watch:
                        await cursor.execute(plan.text, plan.pick(values))
                        rows = await cursor.fetchmany(STREAM_SIZE)
                    while rows:
                        for row in query.load(cursor, plan, rows, before):
                            yield row
                        before += len(rows)
                        with watch:
                            rows = await cursor.fetchmany(STREAM_SIZE)
        except psycopg.Error as exc:
            query.raise_error(exc, plan, conn, prefix=declaration(name))
        except GeneratorExit:
            # Left early, which is no failure: what else ran in the transaction is committed.
            return
        finally:
            log_slow(query, conn, watch.seconds)


async def batch_async(
    query: Decisions,
    conn: AsyncConnection[Any],
    bound: Sequence[tuple[Prepared, tuple[Any, ...]]],
) -> list[Any]:
    """Run the statement once for each of the bound rows, in one pipeline."""
    cursors: list[AsyncRawCursor[Any]] = []
    if not bound:
        return []
    failure: psycopg.Error | None = None
    begun = perf_counter()
    try:
        await _make_ready(conn)
        if query.changes_session:
            query.warn(conn)
        async with conn.pipeline():
            try:
                for plan, values in bound:
                    cursor = AsyncRawCursor(conn, row_factory=tuple_row)
                    cursors.append(cursor)
                    await cursor.execute(plan.text, plan.pick(values))
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
            rows = await cursor.fetchall() if query.has_rows(cursor, values) else None
            results.append(query.finished(cursor, plan, values, rows))
    return results


async def copy_async(query: Decisions, conn: AsyncConnection[Any], rows: Iterable[Any]) -> int:
    """Send *rows* through the copy statement and return how many there were."""
    plan = query.plan(())
    cursor = AsyncRawCursor(conn, row_factory=tuple_row)
    try:
        await _make_ready(conn)
        async with cursor.copy(plan.text) as copy:
            copying[conn] = current_task()
            try:
                for row in query.copied(rows):
                    await copy.write_row(row)
            finally:
                del copying[conn]
    except psycopg.Error as exc:
        query.raise_error(exc, plan, conn)
    except BaseException:
        close_if_stuck(conn)
        raise
    return cursor.rowcount


async def _make_ready(conn: AsyncConnection[Any]) -> None:
    if copying and conn in copying and copying[conn] == current_task():
        # It would wait for the copy, and the copy for it.
        refuse_within_copy()
    if outdated and conn in outdated:
        await _forget_statements(conn)


async def _forget_statements(conn: AsyncConnection[Any]) -> None:
    await AsyncRawCursor(conn).execute("deallocate all")
    outdated.discard(conn)
