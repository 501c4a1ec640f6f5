"""Planner's view of a statement: its refusals, and the unique indexes it relies on.

The parser accepts statements that can't be planned: `on conflict` without a matching unique
index, `for update` on the side of an outer join that may have no match, a full join without a
condition that could be merged or hashed. So each variant is planned, without knowing any
argument, in a transaction that can write nothing; it is not executed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, LiteralString, cast

from psycopg import Connection, RawCursor
from psycopg.rows import tuple_row

from taskdb.query.catalogue import checks
from taskdb.query.check.catalogue import Catalogue
from taskdb.query.check.describe import Arbiter, ServerParameter, inside_transaction

__all__ = ["EXPLAIN", "declared_type", "plan"]

EXPLAIN: Final = "explain (generic_plan, verbose, format json) "
_PREPARED: Final = "taskdb_check"
# From 16 on, EXPLAIN plans a statement with parameters as it stands.
_GENERIC_PLAN: Final = 16


def plan(
    conn: Connection[Any], sql: str, parameters: Sequence[ServerParameter], catalogue: Catalogue
) -> tuple[Arbiter, ...]:
    """Have *sql* planned, as described with *parameters*, and return what its conflicts go by.

    Raises what PostgreSQL says of it (`psycopg.Error`); a position in it counts from the
    beginning of EXPLAIN. The connection is left as it was.
    """
    with inside_transaction(conn):
        if conn.info.server_version // 10_000 >= _GENERIC_PLAN:
            (((root, *_),),) = _run(conn, EXPLAIN + sql)
        else:
            (((root, *_),),) = _run_prepared(conn, sql, parameters, catalogue)
    return tuple(dict.fromkeys(_arbiters(root["Plan"])))


def _run(conn: Connection[Any], statement: str) -> list[tuple[Any, ...]]:
    """Run *statement* where nothing can be written; return its rows."""
    cursor = RawCursor(conn, row_factory=tuple_row)
    with conn.transaction(force_rollback=True):
        checks.plan_generically(conn)
        cursor.execute(cast("LiteralString", statement), prepare=False)
        return cursor.fetchall()


def _run_prepared(
    conn: Connection[Any], sql: str, parameters: Sequence[ServerParameter], catalogue: Catalogue
) -> list[tuple[Any, ...]]:
    types = ", ".join(declared_type(parameter, catalogue) for parameter in parameters)
    nulls = ", ".join("null" for _ in parameters)
    declared, passed = (f" ({types})", f" ({nulls})") if parameters else ("", "")
    cursor = RawCursor(conn)
    cursor.execute(cast("LiteralString", f"prepare {_PREPARED}{declared} as {sql}"), prepare=False)
    try:
        return _run(conn, f"explain (verbose, format json) execute {_PREPARED}{passed}")
    finally:
        # A prepared statement outlives the transaction.
        cursor.execute(f"deallocate {_PREPARED}", prepare=False)


def declared_type(parameter: ServerParameter, catalogue: Catalogue) -> str:
    """Return the type to prepare *parameter* with, so that NULL can be passed to it.

    A domain NOT NULL would refuse it.
    """
    known = catalogue.type(parameter.type_oid)
    return known.base_name if known and known.cast_refuses_null else "unknown"


def _arbiters(node: dict[str, Any]) -> Iterator[Arbiter]:
    for index in node.get("Conflict Arbiter Indexes", ()):
        yield Arbiter(node["Schema"], node["Relation Name"], index)
    for below in node.get("Plans", ()):
        yield from _arbiters(below)
