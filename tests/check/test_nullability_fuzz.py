"""Random queries on rows full of NULLs: no column judged "not null" may show one.

The fixed seed makes every run of CI the same; the fresh one looks elsewhere each time. It stands
in the head of pytest's output, and TASKDB_FUZZ_SEED sets it, so that a failure can be had again.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from taskdb.query import Queries as Toolkit
from taskdb.query.catalogue.checks import Function
from taskdb.query.check import aggregates, conditions, contract, expressions, rowcount
from taskdb.query.check.catalogue import Catalogue
from taskdb.query.check.describe import Description, describe
from taskdb.query.check.findings import QueryFinding
from taskdb.query.check.nullability import Nullability, Verdict, never
from taskdb.query.check.nullfree import Promise
from taskdb.query.check.scopes import Key, Scope
from taskdb.testing.databases import Databases
from tests.check.random_queries import Generator as Queries
from tests.check.random_queries import schema

# Before a release: TASKDB_FUZZ_QUERIES=10000, with the fresh seed, on 15 and on 18.
FIXED_QUERIES = int(os.environ.get("TASKDB_FUZZ_QUERIES", "2000"))
FRESH_QUERIES = int(os.environ.get("TASKDB_FUZZ_QUERIES", "500"))
# Number of queries that find each mistake below, on either server.
ENOUGH = 8_000
FIXED_SEED = 20_261_122
# Errors of a random query that breaks PostgreSQL's rules: a value out of range, a plan that it
# cannot make (an aggregate of the query around with a CTE inside), ...
REFUSALS = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.NotSupportedError,
    psycopg.ProgrammingError,
    psycopg.errors.QueryCanceled,
    # Failures of the planner itself: "failed to build any 4-way joins".
    psycopg.errors.InternalError_,
)


@dataclass
class Tally:
    """Counts of a run."""

    queries: int = 0
    variants: int = 0
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
        conn.execute("set statement_timeout = '5s'")
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
    with TemporaryDirectory() as folder:
        run = Run(conn, Path(folder))
        while run.tally.queries < queries and run.tally.refused.total() < queries:
            try:
                if generator.one_in(20):
                    run.check_variants(*generator.conditional())
                else:
                    run.check(generator.statement())
            except REFUSALS as exc:
                run.tally.refused[str(exc).splitlines()[0]] += 1
            if until_wrong and run.tally.wrong:
                break
    return run.tally


@dataclass
class Run:
    """One run: what is claimed of queries is compared with their rows."""

    conn: psycopg.Connection
    folder: Path
    catalogue: Catalogue = field(default_factory=Catalogue)
    tally: Tally = field(default_factory=Tally)

    def check(self, sql: str) -> None:
        described = describe(self.conn, sql, catalogue=self.catalogue)
        self.compare(described, sql, [], sql)

    def check_variants(self, sql: str, annotations: dict[str, str]) -> None:
        """As `check`, of each variant of a query with conditional lines."""
        names = list(annotations)
        (self.folder / "q.sql").write_text(f"-- name: probe\n{sql}\n;\n")
        known: dict[str, Any] = {"query": Toolkit(self.folder), "__name__": __name__}
        known |= {"Any": Any, "Literal": Literal}
        parameters = ", ".join(f"{name}: {of}" for name, of in annotations.items())
        exec(f"@query(file='q')\ndef probe({parameters}) -> list[Any]: ...\n", known)
        refused: list[str] = []
        for _, variant, described in contract.describe_all(
            self.conn, [known["probe"]], self.catalogue
        ):
            if isinstance(described, QueryFinding):
                refused.append(described.message)
                continue
            self.tally.variants += 1
            given = [
                names.index(name) + 1 if name in variant.present else None
                for name in variant.parameters
            ]
            what = f"{sql} with {sorted(variant.present)}"
            self.compare(described, variant.text, given, what)
        # A fault of all dozens of variants is one refusal, as of a plain query.
        self.tally.refused.update(refused[:1])

    def compare(
        self, described: Description, sql: str, arguments: list[int | None], what: str
    ) -> None:
        with self.conn.transaction(force_rollback=True):
            cursor = psycopg.RawCursor(self.conn)
            result = cursor.execute(sql.encode(), arguments, prepare=False).pgresult
        assert result is not None
        tally = self.tally
        tally.queries += 1
        if described.at_most_one_row:
            tally.single += 1
            if result.ntuples > 1:
                tally.wrong.append(f"{result.ntuples} rows instead of one at most: {what}")
        for number, column in enumerate(described.columns):
            seen = [result.get_value(row, number) is None for row in range(result.ntuples)]
            if column.nullable:
                tally.nullable += any(seen)
            else:
                tally.not_null += bool(seen)
                if any(seen):
                    tally.wrong.append(f"{column.name} is not null, as {column.reason}: {what}")


@pytest.mark.parametrize(
    ("seed", "queries"),
    [
        pytest.param(FIXED_SEED, FIXED_QUERIES, id="fixed", marks=pytest.mark.slow),
        pytest.param(int(os.environ["TASKDB_FUZZ_SEED"]), FRESH_QUERIES, id="fresh"),
    ],
)
def test_no_random_query_shows_a_null_or_a_row_that_was_ruled_out(
    conn: psycopg.Connection, seed: int, queries: int
) -> None:
    tally = fuzz(conn, seed, queries)

    assert tally.wrong == []
    assert tally.queries >= queries
    assert tally.variants > queries / 20
    # The run means something: claims of either kind that had rows to be compared with.
    assert tally.not_null > queries / 4
    assert tally.nullable > queries / 4
    assert tally.single > queries / 20
    assert tally.refused.total() < queries / 10, tally.refused.most_common(5)


def all_there(self: Scope, index: int, facts: object) -> bool:
    return True


def trust_every_strict_function(function: Function) -> Promise | None:
    return Promise.ALL_ARGUMENTS if function.strict else None


def no_null_inside(self: Nullability, place: object, array: object) -> Verdict:
    return never("mutant")


def nothing_changes(self: Scope) -> set[tuple[int, int]]:
    return set()


def both_sides_known(sets: object) -> set[Key]:
    return conditions._union(sets)  # type: ignore[arg-type]


def covered(self: Nullability, place: object, arguments: object, budget: object) -> bool:
    return True


def one_pin_is_enough(scope: Scope, clause: object, settled: object, pins: object) -> bool:
    return bool(clause) and bool(pins)


MUTANTS: dict[str, tuple[object, str, object]] = {
    "outer joins are inner": (Scope, "is_there", all_there),
    "groups always have rows": (Scope, "groups_have_rows", property(lambda self: True)),
    "strict means no NULL": (expressions, "promise", trust_every_strict_function),
    "arrays hold no NULL": (Nullability, "_elements", no_null_inside),
    "UPDATE changes nothing": (Scope, "changed", property(nothing_changes)),
    "OR is AND": (conditions, "_intersection", both_sides_known),
    "frames hold their row": (aggregates, "_holds_its_row", lambda scope, call: True),
    "subqueries find a row": (Nullability, "gives_a_row", lambda self, scope: True),
    "parameters are never NULL": (contract, "_is_never_null", lambda *_: True),
    "any equality is the key's": (rowcount, "_is_of_family", lambda *_: True),
    "one compared column is a group": (rowcount, "_is_divided_by_fixed_values", one_pin_is_enough),
    "any compared column is a key": (rowcount, "_is_found_by_key", lambda *given: bool(given[2])),
    "a full join has both sides": (Nullability, "_is_covered", covered),
    "what is grouped twice is one": (Scope, "grouped_twice", property(nothing_changes)),
}


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS)
def test_fuzz_finds_a_mistake_in_the_analysis(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, mutant: str
) -> None:
    owner, name, replacement = MUTANTS[mutant]
    monkeypatch.setattr(owner, name, replacement)

    tally = fuzz(conn, FIXED_SEED, ENOUGH, until_wrong=True)

    print(f"found by query {tally.queries}")
    assert tally.wrong
