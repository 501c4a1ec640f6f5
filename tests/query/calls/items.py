"""A table of items, its queries, and a caller that is sync or async."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection, Connection

from taskdb.query import UNSET, Queries, Query, Unset

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


def notes(exc: BaseException) -> str:
    return "\n".join(getattr(exc, "__notes__", []))
