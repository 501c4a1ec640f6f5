"""Columns that can be NULL: the labelled lists in the .sql files beside this, and their edges."""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from psycopg.pq.abc import PGresult

from taskdb.query.check.describe import Description, describe
from taskdb.testing.databases import Databases

ALL_MAJORS = range(15, 19)
LISTS = ("nullability.sql", "other_people.sql")


@dataclass
class Case:
    """A query of a list: what each column is labelled, and what the query needs to run."""

    where: str
    sql: str
    labels: dict[str, str] = field(default_factory=dict[str, str])
    first: list[str] = field(default_factory=list[str])
    arguments: dict[int, str] = field(default_factory=dict[int, str])
    not_null: list[int] = field(default_factory=list[int])
    majors: range = ALL_MAJORS
    # The query gives "one" row at most, or "many" on the rows of the list.
    rows: str = ""

    def runnable(self) -> str:
        """The query with its arguments in the places of its parameters."""
        return re.sub(r"\$(\d+)", lambda match: self.arguments[int(match[1])], self.sql)


def read_cases(name: str) -> tuple[str, list[Case]]:
    """The schema of a list, and the cases that follow it."""
    schema, _, rest = Path(__file__).with_name(name).read_text().partition("\n-- # ")
    start = schema.count("\n") + 2
    cases: list[Case] = []
    line = start
    for block in re.split(r"\n\n", rest):
        if case := read_case(block, f"{name}:{line}"):
            cases.append(case)
        line += block.count("\n") + 2
    return schema, cases


def read_case(block: str, where: str) -> Case | None:
    case = Case(where, "")
    for text in block.splitlines():
        if not text.startswith("-- "):
            case.sql += text + "\n"
        elif case.sql:
            name, _, label = text[3:].partition(": ")
            case.labels[name] = label
        elif text.startswith("-- rows: "):
            case.rows = text[9:]
        elif text.startswith("-- first: "):
            case.first.append(text[10:])
        elif match := re.fullmatch(r"-- on (\d+)(?: to (\d+))?", text):
            case.majors = range(int(match[1]), int(match[2] or match[1]) + 1)
        elif match := re.fullmatch(r"-- \$(\d+): (.*?)(, never NULL)?", text):
            case.arguments[int(match[1])] = match[2]
            case.not_null += [int(match[1])] if match[3] else []
    return case if case.labels else None


READ = [read_cases(name) for name in LISTS]
SETUP = "".join(schema for schema, _ in READ)
CASES = [case for _, cases in READ for case in cases]


@pytest.fixture(scope="module")
def server(databases: Databases) -> Generator[psycopg.Connection]:
    """A connection to a database of this module's own, with the list's tables in it."""
    with databases.connection(SETUP) as conn:
        yield conn


@pytest.fixture
def conn(server: psycopg.Connection) -> Generator[psycopg.Connection]:
    with server.transaction(force_rollback=True):
        yield server


def applies(case: Case, conn: psycopg.Connection) -> bool:
    return conn.info.server_version // 10_000 in case.majors


def prepare(conn: psycopg.Connection, case: Case) -> None:
    for statement in case.first:
        conn.execute(statement.encode())


def judge(conn: psycopg.Connection, case: Case) -> Description:
    return describe(conn, case.sql, parameters_not_null=case.not_null)


def run(conn: psycopg.Connection, sql: str) -> PGresult:
    result = conn.execute(sql.encode()).pgresult
    assert result is not None
    return result


def nulls(result: PGresult) -> dict[str, bool]:
    """Return the columns of *result* that have a NULL; a JSON null is none."""
    return {
        (result.fname(column) or b"").decode(): any(
            result.get_value(row, column) is None for row in range(result.ntuples)
        )
        for column in range(result.nfields)
    }


def test_list_is_long_enough() -> None:
    labels = [label for case in CASES for label in case.labels.values()]

    assert len(labels) >= 100
    assert sum(label == "NULL" for label in labels) >= 50
    assert all(label == "NULL" or label.startswith("not null, ") for label in labels)


def check_labels(conn: psycopg.Connection, case: Case) -> None:
    """The labels of *case* are true, and nothing labelled NULL is judged to be not null."""
    prepare(conn, case)

    described = judge(conn, case)
    result = run(conn, case.runnable())
    seen = nulls(result)

    assert [column.name for column in described.columns] == list(case.labels)
    assert seen == {name: label == "NULL" for name, label in case.labels.items()}
    for column in described.columns:
        if case.labels[column.name] == "NULL":
            assert column.nullable, f"{case.where}, {column.name}: {column.reason}"
    if case.rows:
        assert (described.at_most_one_row, result.ntuples > 1) == CARDINALITIES[case.rows]


# Is one row at most proved, and are there several?
CARDINALITIES = {"one": (True, False), "many": (False, True)}


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.majors == ALL_MAJORS],
    ids=lambda case: case.where,
)
def test_labels_are_true_and_no_null_is_ruled_out(conn: psycopg.Connection, case: Case) -> None:
    check_labels(conn, case)


def test_labels_for_this_version_are_true_and_no_null_is_ruled_out(
    conn: psycopg.Connection,
) -> None:
    cases = [case for case in CASES if case.majors != ALL_MAJORS and applies(case, conn)]

    assert cases
    for case in cases:
        with conn.transaction(force_rollback=True):
            check_labels(conn, case)


def verdicts(conn: psycopg.Connection) -> list[tuple[Case, str, bool, str]]:
    """Case, column, is the verdict the label, and the verdict's reason, for the whole list."""
    found: list[tuple[Case, str, bool, str]] = []
    for case in CASES:
        if applies(case, conn):
            with conn.transaction(force_rollback=True):
                prepare(conn, case)
                for column in judge(conn, case).columns:
                    exact = column.nullable == (case.labels[column.name] == "NULL")
                    found.append((case, column.name, exact, column.reason))
    return found


def test_at_least_95_percent_of_labelled_columns_are_judged_exactly(
    conn: psycopg.Connection,
) -> None:
    found = verdicts(conn)

    missed = [f"{case.where}, {name}: {reason}" for case, name, exact, reason in found if not exact]
    assert len(found) >= 100
    assert len(missed) <= 0.05 * len(found), "\n".join(missed)


@pytest.mark.slow
def test_attnotnull_alone_is_wrong_about_the_list(conn: psycopg.Connection) -> None:
    """Many generators trust `ftable` and `attnotnull`: not null beside outer joins."""
    wrong: list[str] = []
    exact = count = 0
    for case in CASES:
        if not applies(case, conn):
            continue
        with conn.transaction(force_rollback=True):
            prepare(conn, case)
            for column in judge(conn, case).columns:
                row = conn.execute(
                    "select attnotnull from pg_attribute where attrelid = %s and attnum = %s",
                    [column.table_oid, column.table_column],
                ).fetchone()
                nullable = row is None or not row[0]
                count += 1
                exact += nullable == (case.labels[column.name] == "NULL")
                if not nullable and case.labels[column.name] == "NULL":
                    wrong.append(f"{case.where}, {column.name}")

    assert len(wrong) >= 15, wrong
    assert exact < 0.95 * count
