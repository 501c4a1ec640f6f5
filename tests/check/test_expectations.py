"""Expectations: the files say what the server makes of the queries; what changes is told."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus

import taskdb
from taskdb import queries
from taskdb.cli.common import queries_of
from taskdb.database import connect
from taskdb.errors import QueryDefinitionError, QueryMismatchError
from taskdb.queries import epics
from taskdb.query import Queries
from taskdb.query.check import queries as query_check
from taskdb.query.errors import Mismatch
from taskdb.query.expectations import WIDTH, Area, Expectation, Need, Value, area_of, read
from tests.command_line import Caller

Connection = psycopg.Connection[Any]
SHIPPED = queries_of(None)


@pytest.fixture(scope="module")
def report(shared_database_url: str) -> query_check.QueryReport:
    with connect(shared_database_url) as conn:
        return query_check.combined(
            [query_check.check(conn, each, ["expectations"]) for each in SHIPPED]
        )


def test_the_shipped_expectations_hold_on_this_server(report: query_check.QueryReport) -> None:
    assert [str(finding) for finding in report.findings["expectations"]] == []


@pytest.mark.parametrize("shipped", SHIPPED, ids=lambda shipped: shipped.label)
def test_every_query_has_expectations(shipped: Queries) -> None:
    areas = read(shipped, (area_of(query)[0] for query in shipped))

    recorded = {f"{area}.{name}" for area, each in areas.items() for name in each.queries}
    assert recorded == {query.name for query in shipped}


@pytest.mark.parametrize("shipped", SHIPPED, ids=lambda shipped: shipped.label)
def test_a_file_says_the_same_after_it_was_read(shipped: Queries) -> None:
    assert isinstance(shipped.expectations, Path)
    for path in shipped.expectations.glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        assert str(Area.of(path.stem, text, path.name)) == text


@pytest.mark.parametrize(
    "value",
    [
        Value("key", "text", True),
        Value('odd "name"', "timestamp with time zone", False),
        Value("n", "integer", True, by_query=True),
        Value("status", "task_status", True, if_given=True),
    ],
)
def test_a_value_is_read_as_it_was_written(value: Value) -> None:
    assert Value.of(str(value)) == value


def test_facts_share_lines_and_are_told_apart_again() -> None:
    names = [f"a column of some length, {number}" for number in range(9)]
    expected = Expectation(
        "q",
        "1",
        takes=tuple(Value(name, "text", True) for name in (*names, "|", 'x "|" y', "é")),
        reads=("orders", '"Odd | name"'),
        needs=(Need("select", "orders"), Need("update", '"Odd | name"')),
    )
    text = str(Area("a", {"q": expected}, {}))

    assert Area.of("a", text, "a.txt").queries["q"] == expected
    assert max(len(line) for line in text.splitlines()) <= WIDTH


@pytest.mark.parametrize("line", ["gives", "sees tasks", "query x\n    needs tasks", "    text 1"])
def test_a_line_that_is_no_fact_is_told_with_its_place(line: str) -> None:
    with pytest.raises(QueryDefinitionError, match=r"claims\.txt:\d"):
        Area.of("claims", f"# Head\n{line}\n", "claims.txt")


def test_tables_are_those_behind_views_and_privileges_those_in_front() -> None:
    expected = read(queries.query, ["tasks"])["tasks"].queries["list_ready"]

    assert "tasks" in expected.reads
    assert "ready_tasks" in expected.through
    assert "select on ready_tasks" in map(str, expected.needs)


# A small package of its own, as another project has one.

SQL = """\
-- name: list_orders
-- Orders of a mood, the newest first.
select
    id,
    title,
    mood
from orders
where
    true
    and mood = :mood  -- if :mood
order by id desc;

-- name: retitle
update orders set title = :title where id = :id;

-- name: put
insert into orders (id, title) values (:id, :title)
on conflict (id) do update set title = excluded.title;

-- name: tag
insert into "Tags" (name) values (:name) on conflict (lower(name)) where not "Old" do nothing;

-- name: load
copy orders (id, title) from stdin;
"""
PYTHON = """\
from dataclasses import dataclass
from pathlib import Path

from taskdb.query import Queries

query = Queries(Path(__file__).parent / "sql", name="shop")


@dataclass
class Order:
    id: int
    title: str
    mood: str | None


@query
def list_orders(*, mood: str | None = None) -> list[Order]: ...
@query
def retitle(*, id: int, title: str) -> int: ...
@query
def put(*, id: int, title: str) -> int: ...
@query
def tag(*, name: str) -> int: ...
@query
def load(*, id: int, title: str) -> int: ...
"""
SCHEMA = """
create table orders (id integer primary key, title text not null, mood text);
create table "Tags" (name text, "Old" boolean);
create unique index on "Tags" (lower(name)) where not "Old";
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Generator[ModuleType]:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "sql").mkdir()
    (folder / "sql" / "orders.sql").write_text(SQL)
    (folder / "orders.py").write_text(PYTHON)
    spec = importlib.util.spec_from_file_location("orders", folder / "orders.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["orders"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["orders"]


@pytest.fixture
def own(conn: Connection, shop: ModuleType) -> Connection:
    """A connection in whose database the shop's queries fit, and are recorded."""
    conn.execute(SCHEMA)
    if not (shop.query.expectations).exists():
        written = query_check.check(conn, shop.query, ["contract"], write=True).written
        assert written == [shop.query.expectations / "orders.txt"]
    return conn


def found(conn: Connection, of: Queries) -> list[str]:
    (report, *_) = query_check.check(conn, of, ["expectations"]).findings.values()
    return [str(finding) for finding in report]


def test_what_is_written_is_found_again_and_written_once(own: Connection, shop: ModuleType) -> None:
    assert found(own, shop.query) == []
    assert query_check.check(own, shop.query, [], write=True).written == []


def test_the_file_is_for_review(own: Connection, shop: ModuleType) -> None:
    text = (shop.query.expectations / "orders.txt").read_text()

    assert text.startswith("# What PostgreSQL makes of orders.sql:")
    for line in (
        "takes   mood text not null, if given",
        " | title text not null",
        " | mood text\n",
        "reads   orders",
        "writes  orders",
        "needs   insert on orders",
        "unique  orders (id)",
        'unique  "Tags" (lower(name)) where (NOT "Old")',
    ):
        assert line in text


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("alter table orders alter column title drop not null", "found 'gives title text'"),
        ("alter table orders alter column title type varchar(9)", "gives title character varying"),
        ("alter table orders drop constraint orders_pkey", None),
        ("alter table orders alter column id type bigint", "takes id bigint"),
    ],
)
def test_a_change_that_queries_feel_is_shown_line_by_line(
    own: Connection, shop: ModuleType, change: str, expected: str | None
) -> None:
    own.execute(change.encode())

    told = found(own, shop.query)

    if expected is None:
        assert told == []
    else:
        assert any(expected in each for each in told), told
        assert all("taskdb check --write" in each for each in told)


def test_a_query_without_expectations_is_told(own: Connection, shop: ModuleType) -> None:
    path = shop.query.expectations / "orders.txt"
    text = path.read_text()
    path.write_text(text.replace("query retitle", "query rename"))
    try:
        told = found(own, shop.query)
    finally:
        path.write_text(text)

    assert any("retitle: has no expectations" in each for each in told)
    assert any(
        "orders.rename: has expectations, but there is no such query" in each for each in told
    )


def test_nothing_is_written_while_the_contract_is_broken(own: Connection, shop: ModuleType) -> None:
    own.execute("alter table orders drop column mood")

    report = query_check.check(own, shop.query, ["contract"], write=True)

    assert report.written is None
    assert report.findings["contract"]


# verify


def mismatches(conn: Connection, of: Queries) -> list[Mismatch]:
    with pytest.raises(QueryMismatchError) as caught:
        taskdb.verify(conn, of)
    return list(caught.value.mismatches)


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


# Results of a package's modules


@pytest.fixture
def lazy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """A package that makes its Queries in its first module, and its functions in others."""
    folder = tmp_path / "lazy"
    (folder / "sql").mkdir(parents=True)
    (folder / "sql" / "orders.sql").write_text(SQL)
    (folder / "__init__.py").write_text(
        "from pathlib import Path\nfrom taskdb.queries import query as theirs\n"
        "from taskdb.query import Queries\n"
        "query = Queries(Path(__file__).parent / 'sql', name='lazy')\n"
    )
    (folder / "__main__.py").write_text("raise SystemExit('this would run the program')\n")
    (folder / "deeper").mkdir()
    (folder / "deeper" / "__init__.py").touch()
    imported = PYTHON.replace("from taskdb.query import Queries", "from lazy import query")
    stubs = "\n".join(line for line in imported.splitlines() if "Queries(" not in line)
    (folder / "deeper" / "orders.py").write_text(stubs)
    monkeypatch.chdir(tmp_path)
    yield folder
    for name in [each for each in sys.modules if each.partition(".")[0] == "lazy"]:
        del sys.modules[name]


def test_all_modules_of_a_package_are_imported(
    database_url: str, capsys: pytest.CaptureFixture[str], lazy: Path
) -> None:
    with psycopg.connect(database_url) as conn:
        conn.execute(SCHEMA)

    done = Caller(capsys, database_url)("check", "--package", "lazy", "--write")

    assert done.status == 0, done.out
    assert "looked at: 5 queries, 5 variants, 3 columns" in done.out
    written = (lazy / "sql" / "expectations" / "orders.txt").read_text()
    assert written.count("\nquery ") == 5


@pytest.mark.parametrize("parts", [(), ("contract",), ("expectations",), ("--write",)])
def test_a_statement_without_a_function_is_found(
    database_url: str, capsys: pytest.CaptureFixture[str], lazy: Path, parts: tuple[str, ...]
) -> None:
    (lazy / "sql" / "customers.sql").write_text("-- name: count_all\nselect 1;\n")

    done = Caller(capsys, database_url)("check", "--package", "lazy", *parts)

    assert done.status == 1
    assert re.search(r"customers\.sql:1:1: customers\.count_all: has no function", done.out)
    assert not (lazy / "sql" / "expectations").exists()


@pytest.mark.parametrize("parts", [(), ("contract",), ("expectations",), ("--write",)])
def test_a_check_that_looked_at_nothing_fails(
    database_url: str, capsys: pytest.CaptureFixture[str], lazy: Path, parts: tuple[str, ...]
) -> None:
    (lazy / "deeper" / "orders.py").unlink()
    (lazy / "sql" / "orders.sql").unlink()

    done = Caller(capsys, database_url)("check", "--package", "lazy", *parts)

    assert done.status == 1
    assert "no query has a function, so nothing was checked" in done.out
    assert "looked at: 0 queries" in done.out


def test_a_module_that_cannot_be_imported_is_named(
    database_url: str, capsys: pytest.CaptureFixture[str], lazy: Path
) -> None:
    (lazy / "deeper" / "__init__.py").write_text("import there_is_no_such_module\n")

    done = Caller(capsys, database_url)("check", "--package", "lazy")

    assert done.status == 2
    assert "there_is_no_such_module" in done.err


def test_command_writes_and_compares(
    shared_database_url: str,
    capsys: pytest.CaptureFixture[str],
    shop: ModuleType,
) -> None:
    call = Caller(capsys, shared_database_url)

    done = call("check", "--package", "orders", "contract")

    assert done.status == 1
    assert "contract: 6 findings" in done.out
    assert 'relation "orders" does not exist' in done.out
    assert "If these queries use taskdb's tables, pass --workspace." in done.out
    assert call("check", "--write", "drift").status == 2
