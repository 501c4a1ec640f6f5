"""One row, at most one, a list, a number, or nothing: as the stub promises."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import pytest
from psycopg import Connection

from taskdb.errors import ClaimLostError, NotFoundError, QueryDefinitionError, TooManyRowsError
from tests.query.results.values import Make, Mood, Pair, Weight

VALUES = "select * from unnest(:names::text[]) with ordinality as v (name, number);"


async def test_one_row_is_one_row(queries_of: Make, call: Any) -> None:
    query = queries_of(f"-- name: get\n{VALUES}")

    @query(file="q")
    def get(names: list[str]) -> Pair: ...

    assert await call(get, ["a"]) == Pair("a", 1)
    with pytest.raises(NotFoundError, match=r"^no row was found"):
        await call(get, [])
    with pytest.raises(TooManyRowsError, match=r"^2 rows were found, where one is promised"):
        await call(get, ["a", "b"])


async def test_at_most_one_row_may_be_none(queries_of: Make, call: Any) -> None:
    query = queries_of(f"-- name: find\n{VALUES}")

    @query(file="q")
    def find(names: list[str]) -> Pair | None: ...

    assert await call(find, ["a"]) == Pair("a", 1)
    assert await call(find, []) is None
    with pytest.raises(TooManyRowsError):
        await call(find, ["a", "b"])


async def test_a_list_is_all_rows(queries_of: Make, call: Any) -> None:
    query = queries_of(f"-- name: listed\n{VALUES}")

    @query(file="q")
    def listed(names: list[str]) -> list[Pair]: ...

    assert await call(listed, ["a", "b"]) == [Pair("a", 1), Pair("b", 2)]
    assert await call(listed, []) == []


async def test_a_scalar_takes_the_one_column(queries_of: Make, call: Any) -> None:
    query = queries_of("-- name: one\nselect :n::int;\n-- name: many\nselect unnest(:n::int[]);")

    @query(file="q")
    def one(n: int | None) -> int | None: ...
    @query(file="q")
    def many(n: list[int | None]) -> list[int | None]: ...

    assert await call(one, 5) == 5
    assert await call(one, None) is None
    assert await call(many, [1, None]) == [1, None]


async def test_a_statement_without_rows_gives_the_number_it_affected(
    queries_of: Make, call: Any
) -> None:
    query = queries_of(
        "-- name: create\ncreate temporary table t (n int);\n"
        "-- name: fill\ninsert into t select generate_series(1, :n::int);\n"
        "-- name: clear\ndelete from t;"
    )

    @query(file="q")
    def create() -> None: ...
    @query(file="q")
    def fill(n: int) -> int: ...
    @query(file="q")
    def clear() -> None: ...

    assert await call(create) is None
    assert await call(fill, 3) == 3
    assert await call(fill, 0) == 0
    assert await call(clear) is None


async def test_a_function_called_for_its_effect_gives_none(queries_of: Make, call: Any) -> None:
    query = queries_of("-- name: pause\nselect pg_sleep(0);")

    @query(file="q")
    def pause() -> None: ...

    assert await call(pause) is None


@pytest.mark.parametrize(
    ("sql", "returns", "message"),
    [
        ("select 1", None, "q.get returns rows, but its function returns None"),
        ("select 1 where false", None, "q.get returns rows, but its function returns None"),
        ("select pg_sleep(0), 1", None, "q.get returns rows, but its function returns None"),
        ("lock table tasks", list[int], "q.get returns no rows, but its function promises some"),
        ("lock table tasks", Pair, "q.get returns no rows, but its function promises some"),
        ("lock table tasks", int | None, "q.get returns no rows, but its function promises some"),
        ("lock table tasks", int, "q.get affects no rows that could be counted"),
        ("select 1, 2", int, "q.get returns 2 columns (?column?, ?column?), but its function"),
        ("select 'a' as name", Pair, "field number has no column"),
        ("select 'a' as name, 1 as number, 2 as n", Pair, "column n has no field"),
        ("select 'a' as name, 1 as number, 2 as number", Pair, "column number comes twice"),
        ("select 'a' as nmae, 1 as number", Pair, "column nmae has no field; field name has no"),
        ("select 1 as name, 1 as number", Pair, "column name as int4, but Pair.name is annotated"),
        ("select 1.5", float, "column ?column? as numeric, but the result is annotated float"),
        ("select 1", Decimal, "as int4, but the result is annotated Decimal"),
        ("select 'a'::text", Literal[1, 2], "as text, but the result is annotated Literal[1, 2]"),
        ("select 'a'::text", Weight, "as text, but the result is annotated Weight"),
        ("select '{1}'::int[]", list[int], "as int4[], but the result is annotated int"),
        ("select '{1}'::int[] as a", list[str] | None, "as int4[]"),
        ("select '{1}'::int[] as a", Mood, "as int4[]"),
        ("select '{}'::jsonb as a", str, "as jsonb"),
    ],
)
def test_a_result_that_was_not_promised_is_refused(
    conn: Connection[Any], queries_of: Make, sql: str, returns: Any, message: str
) -> None:
    query = queries_of(f"-- name: get\n{sql};")

    def get() -> Any: ...

    get.__annotations__["return"] = returns
    with pytest.raises(QueryDefinitionError) as caught:
        query(file="q")(get)(conn)
    assert message in caught.value.message
    assert caught.value.where == "sql/q.sql:1:1"
    assert caught.value.hint


async def test_the_error_for_no_row_may_be_named(queries_of: Make, call: Any) -> None:
    query = queries_of(
        "-- name: heartbeat\nselect 1 where :task_key = 'held';\n"
        "-- name: release\ndelete from tasks where key = :key;\n"
        "-- name: find\nselect 1 where false;"
    )

    @query(file="q", not_found=ClaimLostError)
    def heartbeat(task_key: str) -> int: ...
    @query(file="q", not_found=ClaimLostError)
    def release(key: str) -> None: ...
    @query(file="q", not_found=LookupError)
    def find() -> int: ...

    assert await call(heartbeat, "held") == 1
    with pytest.raises(ClaimLostError, match=r"^no row was found for task_key='lost'") as lost:
        await call(heartbeat, "lost")
    assert lost.value.where == "sql/q.sql:1:1"
    with pytest.raises(ClaimLostError, match=r"^no row was found for key='T-1'.*claim again"):
        await call(release, "T-1")
    with pytest.raises(LookupError, match=r"^no row was found"):
        await call(find)


def test_what_was_not_found_is_named_but_no_secret_is(
    conn: Connection[Any], queries_of: Make
) -> None:
    query = queries_of(
        "-- name: get\nselect 1 where :key = :password and :id = 1 and :mood = 'x' and :n <> 1;"
    )

    @query(file="q")
    def get(*, key: str, password: str, id: int, mood: Mood, n: int | None = None) -> int: ...

    with pytest.raises(NotFoundError) as caught:
        get(conn, key="k" * 200, password="hunter2", id=7, mood=Mood.GLAD)
    assert "id='7', mood='glad'" in caught.value.message
    assert "hunter2" not in str(caught.value)
    assert "n=" not in caught.value.message
    assert len(caught.value.message) < 160
