"""Expectations: the files say what the server makes of the queries; what changes is told."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from taskdb import queries
from taskdb.cli.common import queries_of
from taskdb.database import connect
from taskdb.errors import QueryDefinitionError
from taskdb.query import Queries
from taskdb.query.check import queries as query_check
from taskdb.query.expectations import WIDTH, Area, Expectation, Need, Value, area_of, read
from tests.check.own_package import Connection
from tests.command_line import Caller

SHIPPED = queries_of(None)


@pytest.fixture(scope="module")
def report(shared_database_url: str) -> query_check.QueryReport:
    with connect(shared_database_url) as conn:
        return query_check.combined(
            [query_check.check(conn, each, ["expectations"]) for each in SHIPPED]
        )


@pytest.mark.slow
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
    expected = read(queries.query, ["tasks"])["tasks"].queries["count_ready"]

    assert "tasks" in expected.reads
    assert "ready_tasks" in expected.through
    assert "select on ready_tasks" in map(str, expected.needs)


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
