"""Statements whose columns or lines change, and connections that read in their own way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.pq import Format
from psycopg.rows import dict_row
from psycopg.types.numeric import FloatLoader

from taskdb.errors import QueryDefinitionError, ValidationError
from tests.query.results.test_cardinality import VALUES
from tests.query.results.values import NUMERIC, Make, Pair


@pytest.mark.parametrize(
    "sql",
    [
        "delete from shape returning 1",
        "with d as (delete from shape returning 1) select * from d",
        "with d as materialized (update shape set n = 2 returning n) select n from d",
        "insert into shape values (1) returning n",
    ],
)
def test_a_statement_that_writes_cannot_be_streamed(
    conn: Connection[Any], queries_of: Make, sql: str
) -> None:
    query = queries_of(f"-- name: get\n{sql};")

    @query(file="q")
    def get() -> list[int]: ...

    with pytest.raises(TypeError, match=r"q\.get writes, and a cursor only reads"):
        get.stream(conn)


def test_a_column_may_be_called_as_a_command_is(conn: Connection[Any], queries_of: Make) -> None:
    query = queries_of(
        "-- name: get\nselect (update), (delete) from (values (1, 2)) v (update, delete);"
    )

    @query(file="q")
    def get() -> list[Any]: ...

    assert not get.statement.writes


FLAG = "-- name: get\nselect 1 as n\nwhere true\n    and false  -- if :none\n;"


def test_a_line_of_a_flag_is_left_out_for_false(conn: Connection[Any], queries_of: Make) -> None:
    query = queries_of(FLAG)

    @query(file="q")
    def get(*, none: bool = False) -> list[int]: ...

    assert (get(conn), get(conn, none=False), get(conn, none=True)) == ([1], [1], [])
    wrong: list[Any] = [0, None]
    for value, rule in zip(wrong, ("must be a bool", "must not be None"), strict=True):
        with pytest.raises(ValidationError, match=f"none {rule}"):
            get(conn, none=value)


def test_a_line_of_a_flag_is_left_out_for_none_as_well(
    conn: Connection[Any], queries_of: Make
) -> None:
    query = queries_of(FLAG)

    @query(file="q")
    def get(*, none: bool | None = None) -> list[int]: ...

    assert (get(conn), get(conn, none=False), get(conn, none=True)) == ([1], [1], [])


def test_a_bool_that_is_sent_keeps_its_line_for_false(
    conn: Connection[Any], queries_of: Make
) -> None:
    query = queries_of(
        "-- name: get\nselect 1 as n\nwhere true\n    and :is_there  -- if :is_there\n;"
    )

    @query(file="q")
    def get(*, is_there: bool | None = None) -> list[int]: ...

    assert (get(conn), get(conn, is_there=False), get(conn, is_there=True)) == ([1], [], [1])


def test_a_mark_that_speaks_of_null_is_no_part_of_a_name(
    conn: Connection[Any], queries_of: Make
) -> None:
    query = queries_of("""-- name: get\nselect 'a' as "name!", null::int as "number?";""")

    @query(file="q")
    def get() -> Pair: ...

    assert get(conn) == Pair("a", None)


@pytest.mark.parametrize("columns", ["name, number", "*"])
@pytest.mark.parametrize("rows", ["1", "2"])
def test_a_result_of_another_shape_is_read_anew(
    conn: Connection[Any], queries_of: Make, columns: str, rows: str
) -> None:
    """The table behind a name may change: another one hides it, or is made in its place."""
    query = queries_of(f"-- name: pairs\nselect {columns} from shape;")

    @query(file="q")
    def pairs() -> list[Pair]: ...

    def shape(selected: str) -> None:
        conn.execute("drop table if exists shape")
        conn.execute(
            f"create temporary table shape as select {selected} from generate_series(1, {rows})"
        )

    shape("'a' as name, 1 as number")
    for _ in range(3):
        assert set(map(str, pairs(conn))) == {"Pair(name='a', number=1)"}
    shape("null::int as number, 'b' as name")
    assert set(map(str, pairs(conn))) == {"Pair(name='b', number=None)"}
    shape("'1' as number, 'b' as name")
    with pytest.raises(QueryDefinitionError, match=r"as text, but Pair.number is annotated int"):
        pairs(conn)


def test_columns_that_a_star_names_may_change_places(
    conn: Connection[Any], queries_of: Make
) -> None:
    @dataclass
    class Names:
        first: str
        last: str

    query = queries_of("-- name: names\nselect * from shape;")

    def names() -> Any: ...

    names.__annotations__["return"] = Names
    get = query(file="q")(names)
    for columns in ("'Ada' as first, 'Lovelace' as last", "'Lovelace' as last, 'Ada' as first"):
        conn.execute("drop table if exists shape")
        conn.execute(f"create temporary table shape as select {columns}")
        assert get(conn) == Names("Ada", "Lovelace")


def test_column_that_a_star_gained_is_passed_over(conn: Connection[Any], queries_of: Make) -> None:
    query = queries_of(
        "-- name: names\nselect * from shape;\n-- name: listed\nselect a, b from shape;"
    )

    def names() -> Any: ...
    def listed() -> Any: ...

    @dataclass
    class Row:
        a: int

    names.__annotations__["return"] = Row
    listed.__annotations__["return"] = Row
    conn.execute("create temporary table shape as select 1 as a, 'new' as b")

    assert query(file="q")(names)(conn) == Row(1)
    with pytest.raises(QueryDefinitionError, match="column b has no field"):
        query(file="q")(listed)(conn)
    conn.execute("alter table shape drop column a")
    with pytest.raises(QueryDefinitionError, match="field a has no column"):
        query(file="q")(names)(conn)


def test_the_connections_own_row_factory_does_not_matter(
    conn: Connection[Any], queries_of: Make
) -> None:
    query = queries_of(f"-- name: get\n{VALUES}")

    @query(file="q")
    def get(names: list[str]) -> Pair: ...

    conn.row_factory = dict_row
    conn.cursor_factory = psycopg.ClientCursor
    assert get(conn, ["a"]) == Pair("a", 1)


def test_a_connection_may_read_a_type_in_its_own_way(
    conn: Connection[Any], queries_of: Make
) -> None:
    query = queries_of("-- name: get\nselect 1.5;")

    @query(file="q")
    def get() -> float: ...

    with pytest.raises(QueryDefinitionError, match="as numeric"):
        get(conn)
    conn.adapters.register_loader("numeric", FloatLoader)
    assert get(conn) == 1.5


def test_a_service_may_have_all_connections_read_a_type_in_its_own_way(
    shared_database_url: str, queries_of: Make
) -> None:
    query = queries_of("-- name: get\nselect 1.5;")

    @query(file="q")
    def get() -> float: ...

    before = psycopg.adapters.get_loader(NUMERIC, Format.TEXT)
    assert before
    psycopg.adapters.register_loader("numeric", FloatLoader)
    try:
        with psycopg.connect(shared_database_url) as own:
            assert get(own) == 1.5
    finally:
        psycopg.adapters.register_loader("numeric", before)
