"""Conditional lines: blocks, negation, chosen order; what is sent, checked and refused of them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from enum import Enum, StrEnum
from itertools import combinations, product
from pathlib import Path
from typing import Any, Literal

import psycopg
import pytest

from taskdb.errors import QueryDefinitionError, ValidationError
from taskdb.query import UNSET, Queries, Query, Unset
from taskdb.query._combinations import MOST_COMBINATIONS
from taskdb.query.check import contract

Connection = psycopg.Connection[Any]
Define = Callable[[str, str], Query[..., Any]]


class Order(StrEnum):
    TITLE = "title"
    NEWEST = "newest"


class Level(Enum):
    LOW = 1
    HIGH = 2


@pytest.fixture
def define(tmp_path: Path) -> Define:
    """Return a function that makes a query of a statement and its stub's signature."""

    def define(sql: str, stub: str) -> Query[..., Any]:
        end = "" if ";" in sql else "\n;\n"
        (tmp_path / "area.sql").write_text(f"-- name: probe\n{textwrap.dedent(sql).strip()}{end}")
        known: dict[str, Any] = {
            "query": Queries(tmp_path, label="sql"),
            "__name__": __name__,
            **{each.__name__: each for each in (Order, Level, Unset)},
            "Literal": Literal,
            "UNSET": UNSET,
        }
        exec(f"@query(file='area')\ndef probe({stub}: ...\n", known)
        made: Query[..., Any] = known["probe"]
        return made

    return define


NUMBERS = """
select n
from generate_series(1, 6) as n
where true
    -- if :low :high
    and n >= :low::integer
    and n <= :high::integer
    -- end if
    and n % 2 = 0                       -- if :even
    and n <> 4                          -- if not :four
order by
    n % 3,                              -- if :by = thirds
    n desc,                             -- if :by = falling
    n
"""
STUB = (
    "low: int | None = None, high: int | None = None, even: bool = False, four: bool = False,"
    " by: Literal['thirds', 'falling'] | None = None) -> list[int]"
)


# The arguments, and the rows.
CALLS: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [1, 2, 3, 5, 6]),
    ({"four": True}, [1, 2, 3, 4, 5, 6]),
    ({"low": 2, "high": 5}, [2, 3, 5]),
    ({"even": True, "four": True, "by": "falling"}, [6, 4, 2]),
    ({"four": True, "by": "thirds"}, [3, 6, 1, 4, 2, 5]),
    ({"low": 2, "high": 4, "by": "falling"}, [3, 2]),
]


@pytest.mark.parametrize(("given", "rows"), CALLS)
def test_lines_are_sent_as_their_conditions_say(
    define: Define, conn: Connection, given: dict[str, Any], rows: list[int]
) -> None:
    assert define(NUMBERS, STUB)(conn, **given) == rows


def test_with_every_line_in_the_text_is_that_of_the_file(define: Define, conn: Connection) -> None:
    whole = define(NUMBERS, STUB).statement.whole()

    assert whole.text == NUMBERS.strip().replace(":low", "$1").replace(":high", "$2").replace(
        "if $1 $2", "if :low :high"
    )
    cursor = psycopg.RawCursor(conn)
    assert cursor.execute(whole.text.encode(), ["1", "6"]).fetchall() == [(6,), (2,)]


def test_choice_by_an_enum_takes_member_or_value(define: Define, conn: Connection) -> None:
    sql = "select n from (values (1, 'b'), (2, 'a')) as t (n, title)\norder by\n"
    sql += "title, -- if :by = title\nn desc, -- if :by = newest\nn"
    query = define(sql, "by: Order) -> list[int]")

    assert query(conn, by=Order.TITLE) == [2, 1]
    assert query(conn, by="newest") == [2, 1]
    assert query.sql(by=Order.NEWEST) == query.sql(by="newest")
    with pytest.raises(ValidationError, match="must be one of title, newest"):
        query(conn, by="oldest")
    with pytest.raises(ValueError, match="no line -- if :by = oldest"):
        query.sql(by="oldest")


def test_choice_may_be_a_number_or_unset(define: Define, conn: Connection) -> None:
    sql = "select 1\n+ 10 -- if :level = 1\n+ 20 -- if :level = 2\n+ 0"
    query = define(sql, "level: Level | Unset = UNSET) -> int")

    assert query(conn) == 1
    assert query(conn, level=Level.HIGH) == 21
    assert query(conn, level=1) == 11
    literal = define(sql, "level: Literal[1, 2]) -> int")
    assert literal(conn, level=2) == 21


NESTED = """
select 1
    -- if :a
    + :a::integer
    + :b::integer       -- if :b
    + 100               -- if not :c
    -- end if
    + :c::integer       -- if :c
"""
NESTED_STUB = "a: int | None = None, b: int | None = None, c: int | None = None) -> int"


def test_blocks_nest(define: Define, conn: Connection) -> None:
    query = define(NESTED, NESTED_STUB)

    assert query(conn) == 1
    assert query(conn, a=10) == 111
    assert query(conn, a=10, b=5) == 116
    assert query(conn, a=10, b=5, c=1000) == 1016


def test_argument_without_effect_is_refused(define: Define, conn: Connection) -> None:
    query = define(NESTED, NESTED_STUB)

    with pytest.raises(ValidationError) as caught:
        query(conn, b=1)

    assert caught.value.field == "b"
    assert caught.value.rule == "has no effect without a"
    assert not any("b" in each.present and "a" not in each.present for each in query.variants())
    either = define(
        "select 1\n-- if not :a\n+ :b::integer -- if :b\n-- end if\n+ :a::integer -- if :a",
        "a: int | None = None, b: int | None = None) -> int",
    )
    with pytest.raises(ValidationError, match="b has no effect when a is given"):
        either(conn, a=1, b=1)


REFUSED = [
    # the statement, the stub, what the message says, where
    ("select 1\n-- if :a\n+ 1", "a: bool) -> int", "the block is not closed", "3:1"),
    (
        "select 1\n-- if :a\n-- if :b\n+ 1\n-- end if",
        "a: bool) -> int",
        "block is not closed",
        "3:1",
    ),
    ("select 1\n+ 1\n-- end if", "a: bool) -> int", "the end of a block has no beginning", "4:1"),
    ("select 1\n-- if :a\n-- end if", "a: bool) -> int", "the block is empty", "3:1"),
    (
        "select 1\n-- if :a\n+ 1 -- end if",
        "a: bool) -> int",
        "end of a block is not on a line",
        "4:5",
    ),
    (
        "select 1\n-- if :a\n+ 1\n-- end if :a",
        "a: bool) -> int",
        "of a block is not on a line",
        "5:1",
    ),
    ("-- if :a\nselect 1\n-- end if", "a: bool) -> int", "the block is outside", "2:1"),
    ("select 1\n-- if :a\n+ 1;\n-- end if", "a: bool) -> int", "the block is not closed", "3:1"),
    (
        "select 1\n-- if :a\n+ 1 -- if not :a\n-- end if",
        "a: bool) -> int",
        "never holds in the",
        "4:5",
    ),
    (
        "select 1\n-- if :a = x\n+ 1 -- if :a = y\n-- end if",
        "a: Literal['x', 'y']) -> int",
        "the condition on :a never holds in the block around it",
        "4:5",
    ),
    ("select 1\n+ (1 -- if :a\n+ 1) -- if not :a", "a: bool) -> int", "half a pair", "3:6"),
    ("select (1\n-- if :a\n+ 1)\n-- end if", "a: bool) -> int", "half a pair", "3:1"),
    ("select 1\n+ 1 -- if not :a :b", "a: bool) -> int", "is not of the form", "3:5"),
    ("select 1\n+ 1 -- if :a = ", "a: bool) -> int", "is not of the form", "3:5"),
    ("select 1\n+ 1 -- if not :a", ") -> int", "has no parameter a", "3:5"),
    ("select 1\n-- if :a\n+ 1\n-- end if", ") -> int", "has no parameter a", "3:1"),
    ("select 1\n+ 1 -- if :a = x", ") -> int", "has no parameter a", "3:5"),
    (
        "select 1\n+ 1 -- if not :a",
        "a: int) -> int",
        "a is never absent, so the line is never sent",
        "3:5",
    ),
    (
        "select 1\n+ :a -- if not :a",
        "a: int | None) -> int",
        ":a is sent where it is left out",
        "3:3",
    ),
    (
        "select 1\n-- if not :a\n+ 1\n+ :a\n-- end if",
        "a: int | None) -> int",
        ":a is sent where it is left out",
        "5:3",
    ),
    (
        "select n from t order by\nn, -- if :by = n\nm -- if :by = m",
        "by: Literal['n', 'm']) -> list[int]",
        "would leave order by with nothing behind it",
        "4:3",
    ),
    (
        "select n from t order by\nn, -- if :by = n\nm -- if :by = m\nlimit 1",
        "by: Literal['n', 'm']) -> list[int]",
        "would leave order by with nothing behind it",
        "4:3",
    ),
    (
        "select n from t order by\nk,\nm -- if :by\nlimit 1",
        "by: bool) -> list[int]",
        "would leave a comma with no item behind it",
        "4:3",
    ),
    (
        "select n from t order by\nn -- if :by = n\nlimit 1",
        "by: Literal['n']) -> int",
        "would leave order by with nothing behind it",
        "3:3",
    ),
    ("select 1,\n2 -- if :a\nfrom t", "a: bool) -> int", "a comma with no item", "3:3"),
    ("select f(1,\n2 -- if :a\n)", "a: bool) -> int", "a comma with no item", "3:3"),
    ("select 1,\n2 -- if :a", "a: bool) -> int", "a comma with no item", "3:3"),
    ("select\n1 -- if :a\n, 2", "a: bool) -> int", "leave select with nothing behind it", "3:3"),
    ("select 1,\n2, -- if :a\n3 -- if :b", "a: bool, b: bool) -> int", "a comma with no", "4:3"),
    ("select 1,\n-- if :a\n2,\n3\n-- end if\nfrom t", "a: bool) -> int", "a comma with no", "3:1"),
    ("select 1 from t where\nx -- if :a\norder by 1", "a: bool) -> int", "leave where with", "3:3"),
    ("select 1 from t where\nx -- if :a\nand y", "a: bool) -> int", "leave where with", "3:3"),
    (
        "select 1\n+ 1 -- if :by = title",
        "by: Literal['title', 'due']) -> int",
        "no line is for by = due, which its function",
        "3:5",
    ),
    (
        "select 1\n+ 1 -- if :by = title\n+ 2 -- if :by = titel",
        "by: Literal['title']) -> int",
        "by is never titel: its function",
        "4:5",
    ),
    (
        "select 1\n+ 1 -- if :by = title",
        "by: str) -> int",
        "by is compared with a value, but",
        "3:5",
    ),
    (
        "select 1\n+ 1 -- if :by = title\n+ 2 -- if :by",
        "by: Literal['title'] | None) -> int",
        "by keeps lines by its value elsewhere",
        "4:5",
    ),
    ("select 1\n+ 1 -- if :by = title", "by: Order) -> int", "no line is for by = newest", "3:5"),
]


@pytest.mark.parametrize(("sql", "stub", "message", "place"), REFUSED)
def test_what_is_wrong_is_refused_at_import_with_its_place(
    define: Define, sql: str, stub: str, message: str, place: str
) -> None:
    with pytest.raises(QueryDefinitionError) as caught:
        define(sql, stub)

    assert message in caught.value.message
    assert caught.value.where == f"sql/area.sql:{place}"
    assert caught.value.hint


FITTING = [
    # Lines of one condition go together, wherever they stand.
    ("with a as ( -- if :q\nselect 1 -- if :q\n) -- if :q\nselect 2", "q: bool = False) -> int"),
    ("select 1\n, 2 -- if :q\nfrom t", "q: bool = False) -> int"),
    (
        "select 1\nfrom t\n-- if :q\nwhere true\nand x\n-- end if\norder by 1",
        "q: bool = False) -> int",
    ),
    ("select f(\n1, -- if :q\n2)", "q: bool = False) -> int"),
    ("select 1 from t where\nx and -- if :q\ny", "q: bool = False) -> int"),
    ("select 1\n-- if :q\n-- if it holds, nothing\n+ 1\n-- end if", "q: bool = False) -> int"),
    ("select 1\n+ 1 -- IF NOT :q\n", "q: bool = False) -> int"),
    ("select 1\n+ 1 -- if :q = 'it''s'\n", 'q: Literal["it\'s"]) -> int'),
]


@pytest.mark.parametrize(("sql", "stub"), FITTING)
def test_lines_that_leave_sound_texts_are_taken(define: Define, sql: str, stub: str) -> None:
    assert define(sql, stub).statement.conditions


def messages(conn: Connection, query: Query[..., Any]) -> list[str]:
    return [str(finding) for finding in contract.check(conn, [query])]


ORDERED = """
select title
from tasks
where true
    -- if :priority
    and priority = :priority
    and status = 'pending'
    -- end if
    and workflow_id is null             -- if not :every
order by
    title,                              -- if :by = title
    created_at desc,                    -- if :by = newest
    id
"""
ORDERED_STUB = "by: Order | None = None, priority: int | None = None, every: bool = False)"


def test_every_variant_is_checked(define: Define, conn: Connection) -> None:
    query = define(ORDERED, f"{ORDERED_STUB} -> list[str]")

    assert messages(conn, query) == []
    assert len(list(contract.variants(query))) == 3 * 2 * 2
    required = define(ORDERED, f"{ORDERED_STUB.replace(' | None = None', '', 1)} -> list[str]")
    assert len(list(contract.variants(required))) == 2 * 2 * 2


# The change of the statement, and the finding.
WRONG = [
    ("created_at desc", "created desc", 'column "created" does not exist'),
    ("status = 'pending'", "status = 'stuck'", "invalid input value for enum"),
    ("workflow_id is null", "workflow is null", 'column "workflow" does not exist'),
    ("priority = :priority", "created_at = :priority", ":priority is timestamp"),
    ("select title", "select error_message", "error_message may be NULL"),
]


@pytest.mark.parametrize(("before", "after", "expected"), WRONG)
def test_mistake_in_one_variant_is_found(
    define: Define, conn: Connection, before: str, after: str, expected: str
) -> None:
    query = define(ORDERED.replace(before, after), f"{ORDERED_STUB} -> list[str]")

    found = messages(conn, query)

    assert any(expected in each for each in found), found


def test_null_is_ruled_out_only_where_the_line_is_sent(define: Define, conn: Connection) -> None:
    sql = "select error_message from tasks where true\nand error_message is not null -- if {}\n"

    absent = define(sql.format("not :every"), "every: bool = False) -> list[str]")
    chosen = define(sql.format(":by = title"), "by: Literal['title']) -> list[str]")
    maybe = define(sql.format(":by = title"), "by: Literal['title'] | None) -> list[str]")

    assert "may be NULL" in str(messages(conn, absent))
    assert messages(conn, chosen) == []
    assert "may be NULL" in str(messages(conn, maybe))


def test_whole_text_is_planned_too_as_psql_runs_it(define: Define, conn: Connection) -> None:
    query = define(
        "select title from tasks\norder by title -- if :by = title\norder by id -- if :by = id\n",
        "by: Literal['title', 'id']) -> list[str]",
    )

    assert "syntax error" in str(messages(conn, query))


def test_write_without_a_condition_in_one_variant_is_found(
    define: Define, conn: Connection
) -> None:
    query = define(
        "delete from tasks\nwhere true\nand status = 'archived' -- if not :all_of_them\n",
        "all_of_them: bool = False) -> int",
    )

    assert "writes to every row" in str(messages(conn, query))


def many(flags: int, values: int) -> tuple[str, str]:
    sql = "select 1\n" + "".join(f"+ {n} -- if :f{n}\n" for n in range(flags))
    sql += "".join(f"+ {n} -- if :by = v{n}\n" for n in range(values)) + "+ 0"
    names = ", ".join(f"f{n}: bool = False" for n in range(flags))
    chosen = ", ".join(f"'v{n}'" for n in range(values))
    return sql, f"{names}, by: Literal[{chosen}] | None = None) -> int"


def test_every_pair_is_seen_in_all_ways_in_a_bounded_number_of_texts(define: Define) -> None:
    query = define(*many(20, 6))
    states = [({f"f{n}"}, set[str]()) for n in range(20)]
    choice = [set[str](), *({f"by=v{n}"} for n in range(6))]
    facts = {f"by=v{n}" for n in range(6)}

    seen = [variant.present for variant in contract.variants(query)]

    for one, other in combinations(range(20), 2):
        for first, second in product(states[one], states[other]):
            assert any(
                present & {f"f{one}"} == first and present & {f"f{other}"} == second
                for present in seen
            )
    for one in range(20):
        for state, value in product(states[one], choice):
            assert any(
                present & {f"f{one}"} == state and present & facts == value for present in seen
            )
    # One of 7,340,032 texts.
    assert len(seen) <= MOST_COMBINATIONS
    twice = len(list(contract.variants(define(*many(40, 6)))))
    assert twice - 40 <= len(seen) - 20 + 10


def test_pairs_within_a_block_are_seen_with_the_block(define: Define) -> None:
    inner = "".join(f"+ {n} -- if :f{n}\n" for n in range(10))
    query = define(
        f"select 1\n-- if :a\n{inner}-- end if",
        "a: bool = False, " + ", ".join(f"f{n}: bool = False" for n in range(10)) + ") -> int",
    )

    seen = [variant.present for variant in contract.variants(query)]

    assert 2**11 > MOST_COMBINATIONS >= len(seen)
    assert all("a" in present for present in seen if present)
    for one, other in combinations(range(10), 2):
        assert any({"a", f"f{one}", f"f{other}"} <= present for present in seen)
