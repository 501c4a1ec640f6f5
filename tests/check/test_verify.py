"""`verify` names what no longer fits, and leaves nothing behind."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import psycopg
import pytest
from psycopg.pq import TransactionStatus

import taskdb
from taskdb import queries
from taskdb.database import connect
from taskdb.errors import QueryMismatchError
from taskdb.queries import epics
from taskdb.query import Queries
from taskdb.query.errors import Mismatch
from taskdb.query.expectations import Area
from tests.check.own_package import SQL, Connection

# verify


def mismatches(conn: Connection, of: Queries) -> list[Mismatch]:
    with pytest.raises(QueryMismatchError) as caught:
        taskdb.verify(conn, of)
    return list(caught.value.mismatches)


@pytest.mark.slow
def test_all_shipped_queries_fit_the_migrated_database(conn: Connection) -> None:
    taskdb.verify(conn)


async def test_asynchronous_code_awaits_the_same(
    aconn: psycopg.AsyncConnection, shop: ModuleType
) -> None:
    await taskdb.verify(aconn)
    with pytest.raises(QueryMismatchError, match="5 queries do not fit"):
        await taskdb.verify(aconn, shop.query)


def test_a_recorded_query_that_was_not_imported_is_named(own: Connection, shop: ModuleType) -> None:
    some = Queries(shop.query.folder, name="shop")
    some._queries["orders.put"] = shop.query["orders.put"]

    told = {each.query: each.message for each in mismatches(own, some)}

    assert told.keys() == {f"orders.{name}" for name in ("list_orders", "retitle", "tag", "load")}
    assert all("has expectations, but no function" in message for message in told.values())


def test_queries_without_any_function_do_not_fit(own: Connection, tmp_path: Path) -> None:
    (tmp_path / "orders.sql").write_text(SQL)

    (mismatch,) = mismatches(own, Queries(tmp_path))

    assert "no query has a function" in mismatch.message


@pytest.mark.parametrize(
    ("change", "query", "message"),
    [
        ("drop table orders", "list_orders", 'relation "orders" does not exist'),
        ("alter table orders rename to orders_2", "retitle", 'relation "orders" does not exist'),
        ("alter table orders drop column mood", "list_orders", 'column "mood" does not exist'),
        ("alter table orders drop column title", "load", "has no column title to copy into"),
        ("alter table orders alter column title type varchar(9)", "list_orders",
         "column title is character varying, expected is text"),
        ("alter table orders alter column id type bigint", "retitle",
         ":id is bigint, expected is integer"),
        ("alter table orders alter column id type bigint", "load",
         "column id is bigint, expected is integer"),
        ("alter table orders alter column title drop not null", "list_orders",
         "column title may be NULL, expected is NOT NULL"),
        ("alter table orders drop constraint orders_pkey", "put",
         "on conflict finds no unique index on orders (id)"),
        ('drop index "Tags_lower_idx"', "tag",
         'on conflict finds no unique index on "Tags" (lower(name)) where (NOT "Old")'),
        ('drop index "Tags_lower_idx"; create unique index on "Tags" (lower(name)) where "Old"',
         "tag", "on conflict finds no unique index"),
        ('alter table "Tags" alter column name type varchar(9)', "tag",
         ":name is character varying, expected is text"),
    ],
)  # fmt: skip
def test_what_no_longer_fits_is_named(
    own: Connection, shop: ModuleType, change: str, query: str, message: str
) -> None:
    taskdb.verify(own, shop.query)
    own.execute(change.encode())

    told = {each.query: each for each in mismatches(own, shop.query)}

    mismatch = told[f"orders.{query}"]
    assert message in mismatch.message
    assert (
        mismatch.sql_where.startswith("sql/orders.sql:") or "/sql/orders.sql:" in mismatch.sql_where
    )
    assert mismatch.python_where.startswith("orders.py:")


def test_a_new_label_is_named_with_the_queries_that_may_meet_it(conn: Connection) -> None:
    conn.execute("alter type shared.claim_outcome add value 'lost'")

    told = mismatches(conn, queries.query)

    assert {each.query for each in told} >= {"claims.list_for_task", "claims.list_live"}
    assert all("lost" in each.message for each in told)


@pytest.mark.slow
def test_a_missing_privilege_is_named(
    database_url: str, make_role: Callable[[], tuple[str, str]]
) -> None:
    name, url = make_role()
    with psycopg.connect(database_url) as owner:
        owner.execute(f"grant usage on schema taskdb, shared to {name}".encode())
        owner.execute(f"grant select on all tables in schema taskdb to {name}".encode())

    with connect(url) as conn:
        told = {(each.query, each.message) for each in mismatches(conn, queries.query)}

    assert ("tasks.create", "the role may not insert on tasks") in told
    assert not any(query == "tasks.get_by_key" for query, _ in told)


def test_an_edited_query_is_named(own: Connection, shop: ModuleType) -> None:
    path = shop.query.expectations / "orders.txt"
    text = path.read_text()
    edited = Area.of("orders", text, "orders.txt")
    edited.queries["retitle"] = dataclasses.replace(edited.queries["retitle"], text="0" * 16)
    path.write_text(str(edited))
    try:
        (mismatch,) = mismatches(own, shop.query)
    finally:
        path.write_text(text)

    assert mismatch.query == "orders.retitle"
    assert "was edited since" in mismatch.message


def test_older_package_runs_on_a_table_that_gained_a_column(conn: Connection) -> None:
    made = epics.create(conn, key="E01", title="Move")
    conn.execute("alter table epics add column motto text default 'onwards'")

    taskdb.verify(conn)

    assert epics.get(conn, id=made.id) == made
    assert epics.update(conn, key="E01", title="Move on").title == "Move on"


def test_verify_leaves_nothing_behind_in_a_transaction(own: Connection, shop: ModuleType) -> None:
    before = own.execute("select name, setting from pg_settings order by name").fetchall()
    own.execute("alter table orders drop column mood")
    mismatches(own, shop.query)

    assert own.info.transaction_status is TransactionStatus.INTRANS
    assert own.execute("select name, setting from pg_settings order by name").fetchall() == before
    assert own.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)


@pytest.mark.parametrize("autocommit", [True, False])
def test_verify_leaves_an_idle_connection_idle(
    shared_database_url: str, shop: ModuleType, autocommit: bool
) -> None:
    with connect(shared_database_url, autocommit=autocommit) as conn:
        taskdb.verify(conn)
        assert conn.info.transaction_status is TransactionStatus.IDLE
        mismatches(conn, shop.query)
        assert conn.info.transaction_status is TransactionStatus.IDLE
        assert conn.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)


def test_verify_executes_no_query(database_url: str) -> None:
    with connect(database_url) as conn:
        before = conn.execute("select sum(n_tup_ins + n_tup_upd) from pg_stat_xact_user_tables")
        rows = before.fetchone()
        taskdb.verify(conn)
        after = conn.execute("select sum(n_tup_ins + n_tup_upd) from pg_stat_xact_user_tables")

        assert after.fetchone() == rows


def test_a_failed_transaction_and_pipeline_mode_are_refused(shared_database_url: str) -> None:
    with connect(shared_database_url) as conn:
        with conn.pipeline(), pytest.raises(psycopg.InterfaceError, match="pipeline mode"):
            taskdb.verify(conn)
        with pytest.raises(psycopg.errors.DivisionByZero):
            conn.execute("select 1 / 0")
        with pytest.raises(psycopg.InterfaceError, match="failed transaction"):
            taskdb.verify(conn)
        conn.rollback()
