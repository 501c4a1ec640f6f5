"""Random queries on rows full of NULLs: no column judged "not null" may show one.

The fixed seed makes every run of CI the same; the fresh one looks elsewhere each time, and is
printed, so that a failure can be had again.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from taskdb.query.catalogue.checks import Function
from taskdb.query.check import nullability, scopes
from taskdb.query.check.catalogue import Catalogue
from taskdb.query.check.describe import describe
from taskdb.query.check.nullability import Nullability, Verdict, never
from taskdb.query.check.nullfree import Promise
from taskdb.query.check.scopes import Scope
from tests.random_queries import Generator as Queries
from tests.random_queries import schema
from tests.servers import Databases

QUERIES = 3_000
FIXED_SEED = 20_261_122
# What a random query may break of PostgreSQL's rules: a value out of range, a plan that it cannot
# make (an aggregate of the query around with a CTE inside), ...
REFUSALS = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.NotSupportedError,
    psycopg.ProgrammingError,
)


@dataclass
class Tally:
    """What a run has seen."""

    queries: int = 0
    refused: Counter[str] = field(default_factory=Counter[str])
    not_null: int = 0
    nullable: int = 0
    single: int = 0
    wrong: list[str] = field(default_factory=list[str])


@pytest.fixture(scope="module")
def server(databases: Databases) -> Generator[psycopg.Connection]:
    url = databases.empty()
    # As a superuser where there is one, or each tree would go into the server's log.
    with databases.admin(str(conninfo_to_dict(url)["dbname"])) as conn:
        conn.autocommit = False
        conn.execute(schema(conn.info.server_version // 10_000).encode())
        yield conn
        conn.rollback()
    databases.drop(url)


@pytest.fixture
def conn(server: psycopg.Connection) -> Generator[psycopg.Connection]:
    with server.transaction(force_rollback=True):
        yield server


def fuzz(conn: psycopg.Connection, seed: int, queries: int, *, until_wrong: bool = False) -> Tally:
    """Judge and run *queries* random queries. Those that PostgreSQL refuses don't count."""
    print(f"seed {seed}")
    generator = Queries(seed, conn.info.server_version // 10_000)
    tally, catalogue = Tally(), Catalogue()
    while tally.queries < queries and tally.refused.total() < queries:
        sql = generator.statement()
        try:
            check(conn, sql, catalogue, tally)
        except REFUSALS as exc:
            tally.refused[str(exc).splitlines()[0]] += 1
        if until_wrong and tally.wrong:
            break
    return tally


def check(conn: psycopg.Connection, sql: str, catalogue: Catalogue, tally: Tally) -> None:
    """Compare what is claimed of *sql* with its rows."""
    described = describe(conn, sql, catalogue=catalogue)
    with conn.transaction(force_rollback=True):
        result = conn.execute(sql.encode(), prepare=False).pgresult
    assert result is not None
    tally.queries += 1
    if described.at_most_one_row:
        tally.single += 1
        if result.ntuples > 1:
            tally.wrong.append(f"{result.ntuples} rows instead of one at most: {sql}")
    for number, column in enumerate(described.columns):
        seen = [result.get_value(row, number) is None for row in range(result.ntuples)]
        if column.nullable:
            tally.nullable += any(seen)
        else:
            tally.not_null += bool(seen)
            if any(seen):
                tally.wrong.append(f"{column.name} is not null, as {column.reason}: {sql}")


@pytest.mark.parametrize("seed", [FIXED_SEED, None], ids=["fixed", "fresh"])
def test_no_random_query_shows_a_null_or_a_row_that_was_ruled_out(
    conn: psycopg.Connection, seed: int | None
) -> None:
    tally = fuzz(conn, secrets.randbits(32) if seed is None else seed, QUERIES)

    assert tally.wrong == []
    assert tally.queries == QUERIES
    # The run means something: claims of either kind that had rows to be compared with.
    assert tally.not_null > QUERIES / 4
    assert tally.nullable > QUERIES / 4
    assert tally.single > QUERIES / 20
    assert tally.refused.total() < QUERIES / 10, tally.refused.most_common(5)


def all_there(self: Scope, index: int, facts: object) -> bool:
    return True


def trust_every_strict_function(function: Function) -> Promise | None:
    return Promise.ALL_ARGUMENTS if function.strict else None


def no_null_inside(self: Nullability, place: object, array: object) -> Verdict:
    return never("mutant")


def nothing_changes(self: Scope) -> set[tuple[int, int]]:
    return set()


def both_sides_known(sets: object) -> set[scopes.Key]:
    return scopes._union(sets)  # type: ignore[arg-type]


MUTANTS: dict[str, tuple[object, str, object]] = {
    "outer joins are inner": (Scope, "is_there", all_there),
    "groups always have rows": (Scope, "groups_have_rows", property(lambda self: True)),
    "strict means no NULL": (nullability, "promise", trust_every_strict_function),
    "arrays hold no NULL": (Nullability, "_elements", no_null_inside),
    "UPDATE changes nothing": (Scope, "changed", property(nothing_changes)),
    "OR is AND": (scopes, "_intersection", both_sides_known),
    "frames hold their row": (nullability, "_holds_its_row", lambda scope, call: True),
    "subqueries find a row": (Nullability, "gives_a_row", lambda self, scope: True),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_fuzz_finds_a_mistake_in_the_analysis(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, mutant: str
) -> None:
    owner, name, replacement = MUTANTS[mutant]
    monkeypatch.setattr(owner, name, replacement)

    tally = fuzz(conn, FIXED_SEED, QUERIES, until_wrong=True)

    print(f"found by query {tally.queries}")
    assert tally.wrong
