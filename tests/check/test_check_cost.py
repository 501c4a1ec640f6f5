"""Judging a query costs no more than its size: each node is visited a few times.

Shapes that people write in chains, of which each link mentions the one before twice. Counted are
visits, not seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator

import psycopg
import pytest

from taskdb.query.check import describe as module
from taskdb.query.check import insides, rowcount
from taskdb.query.check.catalogue import walk
from taskdb.query.check.describe import Description, describe
from taskdb.query.check.facts import Pins
from taskdb.query.check.nodetree import Tree, Value, parse
from taskdb.query.check.nullability import Nullability
from taskdb.query.check.scopes import Scope
from taskdb.testing.databases import Databases

SCHEMA = "create table t (id integer primary key, k integer not null, n integer)"
# A node may be met so often on average, and so often at most for each link of a chain.
ON_AVERAGE = 12


@pytest.fixture(scope="module")
def server(databases: Databases) -> Generator[psycopg.Connection]:
    with databases.connection(SCHEMA) as conn:
        yield conn


def full_joins(links: int) -> str:
    joined = "t as t0"
    for link in range(1, links):
        joined += f" full join t as t{link} using (id)"
    return f"select id, id + 1 as next, t0.k from {joined}"


def full_joins_to_the_right(links: int) -> str:
    joined = f"t as t{links}"
    for link in reversed(range(links)):
        right = f"({joined})" if " join " in joined else joined
        joined = f"t as t{link} full join {right} using (id)"
    return f"select id, coalesce(id, id) as again from {joined}"


def ctes(links: int) -> str:
    parts = ["c0 as (select id, k, n from t)"]
    parts += [
        f"c{link} as (select a.id, a.k + b.k as k, b.n from c{link - 1} as a "
        f"join c{link - 1} as b on a.id = b.id)"
        for link in range(1, links)
    ]
    return f"with {', '.join(parts)} select id, k, n from c{links - 1}"


def pinned_ctes(links: int) -> str:
    parts = ["c0 as (select id, k, n from t)"]
    parts += [
        f"c{link} as (select a.id, a.k, b.n from c{link - 1} as a "
        f"join c{link - 1} as b on a.id = b.id and a.k = b.k)"
        for link in range(1, links)
    ]
    return f"with {', '.join(parts)} select n from c{links - 1} where id = 1"


def single_ctes(links: int) -> str:
    parts = ["c0 as (select count(*) as c from t)"]
    parts += [
        f"c{link} as (select a.c + b.c as c from c{link - 1} as a, c{link - 1} as b)"
        for link in range(1, links)
    ]
    return f"with {', '.join(parts)} select c from c{links - 1}"


def ctes_in_a_recursion(links: int) -> str:
    parts = ["c0 as (select r.id, r.k from r where r.id < 9)"]
    parts += [
        f"c{link} as (select a.id, a.k + b.k as k from c{link - 1} as a, c{link - 1} as b)"
        for link in range(1, links)
    ]
    inner = f"with {', '.join(parts)} select id + 1, k from c{links - 1}"
    inner = inner.replace("from r where", "from (select 1 as id, 2 as k) as r where")
    return (
        "with recursive r as (select id, k from t union all "
        f"select s.id, s.k from r cross join lateral ({inner}) as s (id, k)) select id, k from r"
    )


def laterals(links: int) -> str:
    joined = "t as t0"
    for link in range(1, links):
        joined += (
            f", lateral (select t{link - 1}.k + t{link - 1}.k as k, t{link - 1}.n as n "
            f"where t{link - 1}.n is not null) as t{link}"
        )
    return f"select t{links - 1}.k, t{links - 1}.n from {joined}"


def laterals_of_two(links: int) -> str:
    joined = "t as t0, t as t1"
    for link in range(2, links):
        joined += (
            f" cross join lateral (select t{link - 1}.k + t{link - 2}.k as k, t{link - 1}.n "
            f"where t{link - 2}.n > t{link - 1}.k) as t{link}"
        )
    return f"select t{links - 1}.k, t{links - 1}.n from {joined}"


def coalesces(links: int) -> str:
    value = "a.n"
    for link in range(links):
        value = f"coalesce({value}, {'ab'[link % 2]}.k, {value if link < 3 else 'a.n'})"
    return f"select {value} as v, {value} as w from t as a full join t as b on a.id = b.id"


def coalesces_of_many_joins(links: int) -> str:
    joined, value = "t as t0", "t0.n"
    for link in range(1, links):
        joined += f" full join t as t{link} on t{link - 1}.id = t{link}.id"
        value = f"coalesce({value}, t{link}.k, t{link - 1}.n)"
    everything = ", ".join(f"t{link}.n" for link in range(links))
    return f"select {value} as v, coalesce({everything}) as w from {joined}"


def side_by_side(links: int) -> str:
    joined = ", ".join(
        f"(t as a{link} full join t as b{link} on a{link}.id = b{link}.id)" for link in range(links)
    )
    everything = ", ".join(f"a{link}.n, b{link}.n" for link in range(links))
    return f"select coalesce({everything}) as v, coalesce(a0.k, b1.n, b0.k) as w from {joined}"


def cases(links: int) -> str:
    value = "n"
    for link in range(links):
        value = f"case when n = {link} then {value} when k = {link} then n else k end"
    return f"select {value} as v from t"


def subqueries(links: int) -> str:
    source = "t"
    for link in range(links):
        source = f"(select a.id, a.k, a.n from {source} as a where a.n > {link})"
    return f"select s.id, s.k + s.k as k, (select s.n) as n from {source} as s"


def subqueries_inside(links: int) -> str:
    value = "t.n"
    for _ in range(links):
        value = f"(select case when t.k > 1 then {value} else t.k end)"
    return f"select {value} as v from t"


def unions(links: int) -> str:
    return " union all ".join(["select id, k, n from t"] * links)


def documents_in_ctes(links: int) -> str:
    parts = ["c0 as (select to_jsonb(t) as d, t.k from t)"]
    parts += [
        f"c{link} as (select coalesce(a.d, b.d) as d, a.k from c{link - 1} as a "
        f"join c{link - 1} as b on a.k = b.k)"
        for link in range(1, links)
    ]
    return f"with {', '.join(parts)} select d from c{links - 1}"


def documents_in_documents(links: int) -> str:
    parts = ["c0 as (select jsonb_build_object('k', k) as d from t)"]
    parts += [
        f"c{link} as (select jsonb_build_object('a', a.d, 'b', b.d) as d "
        f"from c{link - 1} as a, c{link - 1} as b)"
        for link in range(1, links)
    ]
    return f"with {', '.join(parts)} select d from c{links - 1}"


def rows_in_laterals(links: int) -> str:
    joined = "(select row(id, k) as r from t) as t0"
    for link in range(1, links):
        joined += (
            f" cross join lateral (select case when true then t{link - 1}.r "
            f"else t{link - 1}.r end as r) as t{link}"
        )
    return f"select t{links - 1}.r from {joined}"


SHAPES: dict[Callable[[int], str], int] = {
    full_joins: 12,
    full_joins_to_the_right: 12,
    ctes: 24,
    single_ctes: 24,
    pinned_ctes: 24,
    ctes_in_a_recursion: 16,
    laterals: 16,
    laterals_of_two: 16,
    coalesces: 12,
    coalesces_of_many_joins: 12,
    side_by_side: 8,
    cases: 12,
    subqueries: 16,
    subqueries_inside: 12,
    unions: 16,
    documents_in_ctes: 24,
    documents_in_documents: 24,
    rows_in_laterals: 24,
}


class Visits:
    """Counts what the analysis looks at, and how large the tree is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: Counter[int] = Counter()
        self.kept: list[object] = []
        self.nodes = 0
        judge, init, single = Nullability.judge, Scope.__init__, rowcount._is_single_query
        inside = insides._Reader.inside

        def counted_inside(self_: object, place: object, node: object) -> object:
            self.seen[id(node)] += 1
            return inside(self_, place, node)  # type: ignore[arg-type]

        def counted_judge(self_: Nullability, place: object, node: object) -> object:
            self.seen[id(node)] += 1
            return judge(self_, place, node)  # type: ignore[arg-type]

        def counted_init(self_: Scope, query: object, *rest: object) -> None:
            self.seen[id(query)] += 1
            init(self_, query, *rest)  # type: ignore[arg-type]

        def counted_single(scope: Scope, pins: Pins) -> bool:
            self.seen[id(scope.query)] += 1
            return single(scope, pins)

        def counted_parse(text: str) -> Tree:
            tree = parse(text)
            values: list[Value] = list(tree.nodes)
            self.nodes = sum(1 for _ in walk(values))
            self.kept.append(tree)
            return tree

        monkeypatch.setattr(Nullability, "judge", counted_judge)
        monkeypatch.setattr(Scope, "__init__", counted_init)
        monkeypatch.setattr(rowcount, "_is_single_query", counted_single)
        monkeypatch.setattr(insides._Reader, "inside", counted_inside)
        monkeypatch.setattr(module, "parse", counted_parse)

    def of(self, conn: psycopg.Connection, sql: str) -> tuple[Description, int, int]:
        self.seen.clear()
        described = describe(conn, sql)
        return described, self.seen.total(), self.seen.most_common(1)[0][1]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_each_node_is_visited_a_bounded_number_of_times(
    server: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, shape: Callable[[int], str]
) -> None:
    links = SHAPES[shape]
    visits = Visits(monkeypatch)
    _, few, _ = visits.of(server, shape(links // 2))
    _, many, most = visits.of(server, shape(links))

    assert many <= ON_AVERAGE * visits.nodes
    assert most <= 6 * links
    # Twice the links: four times the visits where each is met once for each link before, eight
    # times where one has to be found for each argument and each join.
    assert many <= 8 * few


NOT_NULL: dict[Callable[[int], str], list[str]] = {
    full_joins: ["id", "next"],
    full_joins_to_the_right: ["id", "again"],
    ctes: ["id", "k"],
    single_ctes: ["c"],
    laterals: ["k", "n"],
    laterals_of_two: ["k", "n"],
    coalesces: ["v", "w"],
    side_by_side: ["w"],
    cases: [],
    subqueries: ["id", "k", "n"],
    unions: ["id", "k"],
}


@pytest.mark.parametrize("shape", NOT_NULL, ids=lambda shape: shape.__name__)
def test_verdicts_stay_exact_in_long_chains(
    server: psycopg.Connection, shape: Callable[[int], str]
) -> None:
    described = describe(server, shape(SHAPES[shape]))

    assert [each.name for each in described.columns if not each.nullable] == NOT_NULL[shape]
    assert described.at_most_one_row == (shape is single_ctes)
