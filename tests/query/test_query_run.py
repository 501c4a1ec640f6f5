"""Running queries: conditions, streams, batches, copies, transactions and errors."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import aclosing, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection, Connection
from psycopg.errors import NotNullViolation, QueryCanceled, UndefinedColumn, UniqueViolation

from taskdb.errors import IntegrityError, NotFoundError, TooManyRowsError, ValidationError
from taskdb.query import UNSET, Queries, Query, Unset
from taskdb.query import _decisions as execution
from taskdb.testing.databases import Databases

SQL = """\
-- name: create_items
create temporary table items (
    key text constraint items_key_is_unique unique,
    number int not null,
    note text
);

-- name: add
insert into items (key, number, note)
values (:key, :number, :note)
returning number;

-- name: list_items
select key, number, note
from items
where true
    and key = :key                        -- if :key
    and number between :low and :high     -- if :low :high
    and note is null                      -- if :bare
order by number;

-- name: change
update items
set
    number = :number,                     -- if :number
    note = :note,                         -- if :note
    key = key
where key = :key
returning key, number, note;

-- name: count_items
select count(*) from items;

-- name: load
copy items (key, number, note) from stdin;

-- name: clear
delete from items;

-- name: failing
select
    i.key,
    i.nmuber, :a::int
from items as i
where i.number = :b::int                  -- if :b
;

-- name: divide
select 1 / :by;

-- name: stop
select pg_terminate_backend(pg_backend_pid()) where :n = 1;

-- name: series
select n from generate_series(1, :last::int) as n;

-- name: quotients
select 1 / (n - 900) from generate_series(1, :last::int) as n;
"""


AWAITS_ROWS = (
    "select pid from pg_stat_activity where pid = %s and state = 'active'"
    " and wait_event = 'ClientRead' and query like 'copy %%'"
)


@dataclass(slots=True)
class Item:
    key: str | None
    number: int
    note: str | None


class Shop:
    """The queries of SQL, made again for each test."""

    def __init__(self, folder: Path) -> None:
        (folder / "shop.sql").write_text(SQL)
        query = Queries(folder, label="sql")

        @query(file="shop")
        def create_items() -> None: ...
        @query(file="shop")
        def add(*, key: str | None, number: int, note: str | None = None) -> int: ...
        @query(file="shop")
        def list_items(
            *,
            key: str | None = None,
            low: int | None = None,
            high: int | None = None,
            bare: bool | None = None,
        ) -> list[Item]: ...
        @query(file="shop")
        def change(
            *, key: str, number: int | Unset = UNSET, note: str | None | Unset = UNSET
        ) -> Item: ...
        @query(file="shop")
        def count_items() -> int: ...
        @query(file="shop")
        def load(*, key: str | None, number: int | None, note: str | None) -> int: ...
        @query(file="shop")
        def clear() -> int: ...
        @query(file="shop")
        def failing(*, a: int, b: int | None = None) -> list[Item]: ...
        @query(file="shop")
        def divide(by: int) -> int: ...
        @query(file="shop")
        def stop(n: int) -> list[bool]: ...
        @query(file="shop")
        def series(last: int) -> list[int]: ...
        @query(file="shop")
        def quotients(last: int) -> list[int]: ...

        query.complete()
        self.create_items = create_items
        self.add = add
        self.list_items = list_items
        self.change = change
        self.count_items = count_items
        self.load = load
        self.clear = clear
        self.failing = failing
        self.divide = divide
        self.stop = stop
        self.series = series
        self.quotients = quotients


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture(scope="module")
def bare_url(databases: Databases) -> Generator[str]:
    """A database with nothing in it: the toolkit needs nothing of taskdb's own schema."""
    url = databases.empty()
    yield url
    databases.drop(url)


@pytest.fixture
def plain(bare_url: str, shop: Shop) -> Generator[Connection[Any]]:
    """A connection that psycopg made, with the table of the shop, in no transaction."""
    with psycopg.connect(bare_url, autocommit=True) as conn:
        shop.create_items(conn)
        yield conn


@pytest.fixture
async def aplain(bare_url: str, shop: Shop) -> AsyncGenerator[AsyncConnection[Any]]:
    """The same, asynchronous."""
    conn = await AsyncConnection.connect(bare_url, autocommit=True)
    async with conn:
        await shop.create_items(conn)
        yield conn


class Caller:
    """Call a query on either kind of connection, awaiting what must be awaited."""

    def __init__(self, conn: Connection[Any] | AsyncConnection[Any]) -> None:
        self.conn: Any = conn

    async def __call__(self, query: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = query(self.conn, *args, **kwargs)
        return await result if asyncio.iscoroutine(result) else result

    async def streamed(
        self, query: Query[..., list[Any]], **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        rows = query.stream(self.conn, **kwargs)
        if isinstance(rows, AsyncGenerator):
            async with aclosing(rows):
                async for row in rows:
                    yield row
        else:
            with closing(rows):
                for row in rows:
                    yield row

    async def listed(self, query: Query[..., list[Any]], **kwargs: Any) -> list[Any]:
        return [row async for row in self.streamed(query, **kwargs)]

    async def execute(self, statement: str) -> None:
        result = self.conn.execute(statement)
        if asyncio.iscoroutine(result):
            await result


@pytest.fixture(params=["sync", "async"])
async def call(
    request: pytest.FixtureRequest, plain: Connection[Any], aplain: AsyncConnection[Any]
) -> Caller:
    return Caller(plain if request.param == "sync" else aplain)


def notes(exc: BaseException) -> str:
    return "\n".join(getattr(exc, "__notes__", []))


# Conditions


async def test_a_filter_that_is_none_is_left_out(shop: Shop, call: Caller) -> None:
    for number in (1, 2, 3):
        await call(shop.add, key=f"k{number}", number=number, note="n" if number == 2 else None)

    async def keys(**filters: Any) -> list[str | None]:
        return [item.key for item in await call(shop.list_items, **filters)]

    assert await keys() == ["k1", "k2", "k3"]
    assert await keys(key="k2") == ["k2"]
    assert await keys(low=2, high=3) == ["k2", "k3"]
    assert await keys(low=2, high=3, bare=True) == ["k3"]
    assert await keys(low=1, high=1, key="k2") == []


def test_half_a_pair_of_filters_is_refused(shop: Shop, plain: Connection[Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        shop.list_items(plain, low=2)

    assert caught.value.field == "high"
    assert caught.value.rule == "must be given together with low"
    assert caught.value.where == "sql/shop.sql:18:43"


async def test_unset_leaves_a_column_and_none_clears_it(shop: Shop, call: Caller) -> None:
    await call(shop.add, key="a", number=1, note="n")

    assert await call(shop.change, key="a") == Item("a", 1, "n")
    assert await call(shop.change, key="a", number=2) == Item("a", 2, "n")
    assert await call(shop.change, key="a", note=None) == Item("a", 2, None)
    assert await call(shop.change, key="a", number=3, note="m") == Item("a", 3, "m")
    with pytest.raises(NotFoundError, match=r"no row was found for key='b', number='4'"):
        await call(shop.change, key="b", number=4)


def test_each_variant_is_one_prepared_statement(shop: Shop, plain: Connection[Any]) -> None:
    plain.prepare_threshold = 0
    for low in (1, 100_000, 2**31 - 1):
        shop.list_items(plain, low=low, high=low, key="a" if low > 1 else None)

    statements = plain.execute(
        "select statement from pg_prepared_statements where statement like 'select /* taskdb:%'"
    ).fetchall()
    assert len(statements) == 2
    assert all(text.startswith("select /* taskdb:shop.list_items */") for (text,) in statements)


def test_the_server_sees_the_query_name(shop: Shop, plain: Connection[Any]) -> None:
    shop.count_items(plain)

    seen = plain.execute(
        "select query from pg_stat_activity where pid = pg_backend_pid()"
    ).fetchone()
    assert seen
    assert plain.info.backend_pid
    with psycopg.connect(plain.info.dsn, password=plain.info.password) as other:
        shop.count_items(plain)
        query = other.execute(
            "select query from pg_stat_activity where pid = %s", [plain.info.backend_pid]
        ).fetchone()
    assert query == ("select /* taskdb:shop.count_items */ count(*) from items",)


def test_only_so_many_variants_are_kept(
    shop: Shop, plain: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "MAX_VARIANTS", 2)

    for filters in ({}, {"key": "a"}, {"bare": True}, {"key": "a", "bare": True}, {}):
        assert shop.list_items(plain, **filters) == []


# The caller's connection and transaction


async def test_what_is_no_connection_is_refused(shop: Shop) -> None:
    not_a_connection: Any = "postgresql://"
    for run in (shop.count_items, shop.list_items.stream):
        with pytest.raises(TypeError, match="runs on a psycopg connection, not on a str"):
            run(not_a_connection)
    with pytest.raises(TypeError, match="not on a str"):
        shop.add.batch(not_a_connection, [])
    with pytest.raises(TypeError, match="not on a str"):
        shop.load.copy(not_a_connection, [])


def test_no_query_commits(shop: Shop, plain: Connection[Any]) -> None:
    plain.autocommit = False
    shop.add(plain, key="a", number=1)
    shop.add.batch(plain, [{"key": "b", "number": 2}])
    shop.load.copy(plain, [("c", 3, None)])
    assert len(list(shop.list_items.stream(plain))) == 3

    plain.rollback()

    assert shop.count_items(plain) == 0


async def test_a_query_in_a_pipeline_has_its_result(shop: Shop, call: Caller) -> None:
    async def body() -> None:
        assert await call(shop.add, key="a", number=1) == 1
        assert await call(shop.clear) == 1
        with pytest.raises(NotFoundError):
            await call(shop.change, key="z")
        with pytest.raises(psycopg.errors.DivisionByZero) as caught:
            await call(shop.divide, 0)
        assert "shop.divide at sql/shop.sql:48:1" in notes(caught.value)

    if isinstance(call.conn, AsyncConnection):
        async with call.conn.pipeline():
            await body()
    else:
        with call.conn.pipeline():
            await body()


# Streams


async def test_a_stream_reads_all_rows_in_parts(shop: Shop, call: Caller) -> None:
    assert await call.listed(shop.series, last=1234) == list(range(1, 1235))
    assert await call.listed(shop.series, last=0) == []


async def test_a_stream_on_autocommit_leaves_no_transaction(shop: Shop, call: Caller) -> None:
    await call.listed(shop.series, last=3)

    assert call.conn.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_a_stream_may_be_left_early(shop: Shop, plain: Connection[Any]) -> None:
    with closing(shop.series.stream(plain, 10_000)) as rows:
        assert next(rows) == 1
        assert shop.count_items(plain) == 0
        cursors = plain.execute("select name from pg_cursors").fetchall()

    assert len(cursors) == 1
    assert plain.execute("select name from pg_cursors").fetchall() == []
    assert plain.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


async def test_an_asynchronous_stream_may_be_left_early(
    shop: Shop, aplain: AsyncConnection[Any]
) -> None:
    rows = shop.series.stream(aplain, 10_000)
    assert await anext(rows) == 1
    await rows.aclose()

    assert aplain.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


async def test_what_ran_beside_a_stream_is_kept_if_it_is_left_early(
    shop: Shop, call: Caller
) -> None:
    async with aclosing(call.streamed(shop.series, last=10_000)) as rows:
        await anext(rows)
        await call(shop.add, key="a", number=1)

    assert call.conn.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert await call(shop.count_items) == 1


async def test_what_ran_beside_a_stream_is_undone_if_it_fails(shop: Shop, call: Caller) -> None:
    async with aclosing(call.streamed(shop.quotients, last=1000)) as rows:
        await anext(rows)
        await call(shop.add, key="a", number=1)
        with pytest.raises(psycopg.errors.DivisionByZero):
            [row async for row in rows]

    assert await call(shop.count_items) == 0


def test_streams_may_run_side_by_side(shop: Shop, plain: Connection[Any]) -> None:
    with plain.transaction():
        pairs = zip(shop.series.stream(plain, 1200), shop.series.stream(plain, 1200), strict=True)
        assert all(one == other for one, other in pairs)


async def test_a_stream_keeps_the_rules_of_rows(shop: Shop, call: Caller) -> None:
    with pytest.raises(ValidationError, match="last must be an int"):
        await call.listed(shop.series, last="3")
    with pytest.raises(UndefinedColumn) as caught:
        await call.listed(shop.failing, a=1, b=2)
    assert "shop.failing at sql/shop.sql:43:5\n        i.nmuber, :a::int" in notes(caught.value)


def test_a_null_in_a_stream_is_counted_from_its_first_row(
    tmp_path: Path, plain: Connection[Any]
) -> None:
    (tmp_path / "holes.sql").write_text(
        "-- name: holes\nselect nullif(n, 777) from generate_series(1, 1000) as n;"
    )
    query = Queries(tmp_path)

    @query(file="holes")
    def holes() -> list[int]: ...

    with pytest.raises(Exception, match="of row 777, but the result is not Optional"):
        list(holes.stream(plain))


def test_only_a_list_can_be_streamed(shop: Shop, plain: Connection[Any]) -> None:
    count: Any = shop.count_items

    with pytest.raises(TypeError, match=r"shop.count_items returns no list"):
        count.stream(plain)


# Batches


async def test_a_batch_gives_the_result_of_each_row(shop: Shop, call: Caller) -> None:
    rows = [{"key": f"k{number}", "number": number} for number in range(1000)]
    filters: list[dict[str, Any]] = [{"key": "k7"}, {"low": 8, "high": 9}, {"key": "-"}]

    assert await call(shop.add.batch, rows) == list(range(1000))
    assert await call(shop.list_items.batch, filters) == [
        [Item("k7", 7, None)],
        [Item("k8", 8, None), Item("k9", 9, None)],
        [],
    ]
    assert await call(shop.clear.batch, [{}, {}]) == [1000, 0]
    assert await call(shop.clear.batch, []) == []


async def test_a_batch_checks_every_row_before_it_sends_one(shop: Shop, call: Caller) -> None:
    with pytest.raises(ValidationError, match="number must be an int") as caught:
        await call(shop.add.batch, [{"key": "a", "number": 1}, {"key": "b", "number": "2"}])
    assert notes(caught.value) == "in row 2 of the batch"
    with pytest.raises(TypeError, match="missing 1 required") as lacking:
        await call(shop.add.batch, [{"key": "a"}])
    assert notes(lacking.value) == "in row 1 of the batch"

    assert await call(shop.count_items) == 0


@pytest.mark.parametrize("size", [10, 2000])
async def test_a_batch_names_the_row_that_failed(
    shop: Shop, call: Caller, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"key": f"k{number % (size - 3)}", "number": number} for number in range(size)]

    with caplog.at_level(logging.WARNING), pytest.raises(IntegrityError) as caught:
        await call(shop.add.batch, rows)
    assert isinstance(caught.value.__cause__, UniqueViolation)
    assert f"in row {size - 2} of the batch" in notes(caught.value)
    assert caplog.messages == []
    assert await call(shop.count_items) == 0


async def test_a_batch_that_loses_its_connection_says_so(shop: Shop, call: Caller) -> None:
    with pytest.raises(psycopg.OperationalError) as caught:
        await call(shop.stop.batch, [{"n": n} for n in range(5000)])

    assert "shop.stop at sql/shop.sql:51:1" in notes(caught.value)


async def test_a_batch_names_the_row_that_found_nothing(shop: Shop, call: Caller) -> None:
    await call(shop.add, key="a", number=1)

    with pytest.raises(NotFoundError, match="for key='b'") as caught:
        await call(shop.change.batch, [{"key": "a"}, {"key": "b"}])
    assert notes(caught.value) == "in row 2 of the batch"


# Copies


async def test_a_copy_takes_sequences_and_mappings(shop: Shop, call: Caller) -> None:
    rows: list[Any] = [
        ("a\tb\n\\", 1, None),
        ["", 2, "\\N"],
        {"number": 3, "key": None, "note": "é"},
    ]

    assert await call(shop.load.copy, rows) == 3
    assert await call(shop.list_items) == [
        Item("a\tb\n\\", 1, None),
        Item("", 2, "\\N"),
        Item(None, 3, "é"),
    ]
    assert await call(shop.load.copy, iter(())) == 0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("a", "x", None), "number must be an int, not str"),
        (("a", 1), "row must have 3 values: key, number, note"),
        (
            {"key": "a", "number": 1, "nope": None},
            "the columns of the copy; nope, note",
        ),
    ],
)
async def test_a_copy_checks_each_row(shop: Shop, call: Caller, row: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        await call(shop.load.copy, [("z", 1, None), row])

    assert notes(caught.value) == "in row 2 of the copy"
    assert await call(shop.count_items) == 0


async def test_a_copy_that_the_server_refuses_changes_nothing(shop: Shop, call: Caller) -> None:
    with pytest.raises(Exception, match="number") as caught:
        await call(shop.load.copy, [("a", 1, None), ("b", None, None)])

    assert isinstance(caught.value.__cause__, NotNullViolation)
    assert await call(shop.count_items) == 0


def test_rows_that_fail_while_they_are_made_end_the_copy(
    shop: Shop, plain: Connection[Any]
) -> None:
    def rows() -> Iterator[tuple[str, int, None]]:
        yield "a", 1, None
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        shop.load.copy(plain, rows())
    assert shop.count_items(plain) == 0


@pytest.mark.parametrize("row", ["abc", {"a", "b", "c"}, 5, (each for each in ("a", 1, "b"))])
def test_a_copy_takes_nothing_else_for_a_row(
    shop: Shop, plain: Connection[Any], row: object
) -> None:
    rule = f"row must be a sequence or a mapping, not {type(row).__name__}"

    with pytest.raises(ValidationError, match=rule) as caught:
        shop.load.copy(plain, [("a", 1, None), row])

    assert "in row 2 of the copy" in notes(caught.value)
    assert shop.count_items(plain) == 0


def test_rows_that_are_read_through_the_connection_of_their_copy_are_refused(
    shop: Shop, plain: Connection[Any]
) -> None:
    for read in (
        lambda: shop.count_items(plain),
        lambda: next(shop.series.stream(plain, 1)),
        lambda: shop.add.batch(plain, [{"key": "a", "number": 1}]),
        lambda: shop.load.copy(plain, []),
    ):
        with pytest.raises(psycopg.InterfaceError, match="in use by the copy"):
            shop.load.copy(plain, (("a", read(), None) for _ in range(2)))

    assert shop.count_items(plain) == 0


async def test_a_copy_that_is_cancelled_as_it_begins_leaves_no_connection_half_way(
    shop: Shop, aplain: AsyncConnection[Any], bare_url: str
) -> None:
    task = asyncio.create_task(shop.load.copy(aplain, []))
    await asyncio.sleep(0)  # Until it is sent; its answer comes while nobody reads.
    with psycopg.connect(bare_url, autocommit=True) as watcher:
        give_up_at = time.monotonic() + 10
        while not watcher.execute(AWAITS_ROWS, [aplain.info.backend_pid]).fetchone():
            assert time.monotonic() < give_up_at, "the copy never began"
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert aplain.closed


async def test_a_query_amid_the_batch_of_another_task_says_so(
    shop: Shop, aplain: AsyncConnection[Any]
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        # The pipeline takes the lock twice, and waits for the second time before the query does.
        async with aplain.lock:
            begun = asyncio.create_task(stack.enter_async_context(aplain.pipeline()))
            await asyncio.sleep(0)
            again = asyncio.create_task(aplain.lock.acquire())
            await asyncio.sleep(0)
        await again
        counted = asyncio.create_task(shop.count_items(aplain))
        await asyncio.sleep(0)
        aplain.lock.release()
        await begun
        with pytest.raises(psycopg.InterfaceError, match="amid the batch that another task"):
            await counted

    assert await shop.count_items(aplain) == 0


def test_a_copy_is_no_call_and_a_call_no_copy(shop: Shop, plain: Connection[Any]) -> None:
    load: Any = shop.load
    with pytest.raises(TypeError, match=r"call its .copy\(conn, rows\)"):
        load(plain, key="a", number=1, note=None)
    with pytest.raises(TypeError, match=r"call its .copy\(conn, rows\)"):
        load.batch(plain, [])
    with pytest.raises(TypeError, match=r"shop.add is no copy statement"):
        shop.add.copy(plain, [])


# Errors


async def test_an_error_of_the_server_names_line_and_column(shop: Shop, call: Caller) -> None:
    with pytest.raises(UndefinedColumn) as caught:
        await call(shop.failing, a=1)

    assert notes(caught.value) == (
        "shop.failing at sql/shop.sql:43:5\n        i.nmuber, :a::int\n        ^"
    )


async def test_an_error_is_translated_with_its_cause(shop: Shop, call: Caller) -> None:
    await call(shop.add, key="a", number=1)

    with pytest.raises(IntegrityError) as caught:
        await call(shop.add, key="a", number=2)
    assert caught.value.where == "sql/shop.sql:8:1"
    assert caught.value.field == "key"
    assert isinstance(caught.value.__cause__, UniqueViolation)


def test_a_value_that_the_server_cannot_read_is_named(
    tmp_path: Path, plain: Connection[Any]
) -> None:
    (tmp_path / "wrong.sql").write_text(
        "-- name: wrong\nselect 1\nwhere :a = 'x' and :day::date < now();"
    )
    query = Queries(tmp_path, label="sql")

    @query(file="wrong")
    def wrong(*, a: str, day: str) -> int: ...

    with pytest.raises(ValidationError) as caught:
        wrong(plain, a="x", day="no day")
    assert caught.value.field == "day"


def test_an_error_without_a_position_names_the_query(shop: Shop, plain: Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero) as caught:
        shop.divide(plain, 0)

    assert notes(caught.value) == "shop.divide at sql/shop.sql:48:1"


def test_a_cancelled_query_says_which(tmp_path: Path, plain: Connection[Any]) -> None:
    (tmp_path / "slow.sql").write_text("-- name: slow\nselect pg_sleep(10);")
    query = Queries(tmp_path, label="sql")

    @query(file="slow")
    def slow() -> None: ...

    plain.execute("set statement_timeout = 20")
    with pytest.raises(QueryCanceled) as caught:
        slow(plain)
    assert notes(caught.value) == "slow.slow at sql/slow.sql:1:1"


def test_two_rows_say_where(tmp_path: Path, plain: Connection[Any]) -> None:
    (tmp_path / "two.sql").write_text("-- name: two\nselect unnest(:n::int[]);")
    query = Queries(tmp_path, label="sql")

    @query(file="two")
    def two(n: list[int]) -> int: ...

    with pytest.raises(TooManyRowsError) as caught:
        two(plain, [1, 2])
    assert caught.value.where == "sql/two.sql:1:1"


# Prepared statements that no longer fit


async def outdate(shop: Shop, call: Caller) -> None:
    """Prepare `change`, then let its table change under it."""
    call.conn.prepare_threshold = 0
    await call(shop.add, key="a", number=1)
    await call(shop.change, key="a")
    await call(shop.change, key="a")
    # Not through psycopg's execute on this connection, which would notice the ALTER.
    await call.execute("do $$ begin alter table items alter column number type smallint; end $$")


async def test_a_changed_table_is_noticed_and_the_query_run_again(shop: Shop, call: Caller) -> None:
    await outdate(shop, call)

    assert await call(shop.change, key="a", number=UNSET) == Item("a", 1, None)


async def test_a_changed_table_is_noticed_as_a_transaction_begins(shop: Shop, call: Caller) -> None:
    await outdate(shop, call)
    changed = call.conn.set_autocommit(False)
    if asyncio.iscoroutine(changed):
        await changed

    assert await call(shop.change, key="a") == Item("a", 1, None)
    assert call.conn.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS


async def test_in_a_transaction_the_changed_table_is_reported_and_then_noticed(
    shop: Shop, call: Caller
) -> None:
    await outdate(shop, call)

    await call.execute("begin")
    with pytest.raises(psycopg.errors.FeatureNotSupported) as caught:
        await call(shop.change, key="a")
    assert "Roll back and run the transaction again" in notes(caught.value)
    await call.execute("rollback")

    assert await call(shop.change, key="a") == Item("a", 1, None)


async def test_after_a_changed_table_a_batch_prepares_anew(shop: Shop, call: Caller) -> None:
    await outdate(shop, call)

    with pytest.raises(psycopg.errors.FeatureNotSupported):
        await call(shop.change.batch, [{"key": "a"}])

    assert await call(shop.change.batch, [{"key": "a"}]) == [Item("a", 1, None)]


async def test_what_the_server_does_not_support_is_not_run_twice(
    tmp_path: Path, call: Caller
) -> None:
    (tmp_path / "odd.sql").write_text("-- name: odd\nselect sum(sum(1)) over () for update;")
    query = Queries(tmp_path, label="sql")

    @query(file="odd")
    def odd() -> int: ...

    with pytest.raises(psycopg.errors.FeatureNotSupported) as caught:
        await call(odd)
    assert "odd.odd at sql/odd.sql:" in notes(caught.value)
