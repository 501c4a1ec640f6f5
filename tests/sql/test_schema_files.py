"""The files of the schema: their order, their indexes and the readers that these name."""

from __future__ import annotations

import re

import pytest

from taskdb.queries import admin, query
from tests.sql.catalogue import SCHEMAS, SQL, Connection, listed


@pytest.mark.parametrize(
    ("order", "folders"),
    [
        ("shared.sql", ["shared"]),
        ("workspace.sql", ["functions", "tables", "triggers", "views"]),
    ],
)
def test_every_file_of_the_schema_has_its_place_in_the_order(
    order: str, folders: list[str]
) -> None:
    listed_files = re.findall(r"^\\ir (\S+)$", (SQL / order).read_text("utf-8"), re.MULTILINE)
    files = {f"{folder}/{file.name}" for folder in folders for file in (SQL / folder).iterdir()}

    assert sorted(listed_files) == sorted(files)


def test_every_index_says_in_its_file_whom_it_serves() -> None:
    silent = []
    for file in SQL.glob("tables/*.sql"):
        statements = re.split(r";\n", file.read_text("utf-8"))
        for before, statement in zip(["", *statements], statements, strict=False):
            made = re.search(r"^create (unique )?index (\w+)", statement, re.MULTILINE)
            explained = "-- Serve" in statement or "-- Keeps" in statement
            follows = bool(re.search(r"^create (unique )?index", before, re.MULTILINE))
            if made and not (explained or follows):
                silent.append(made[2])
    assert silent == []


def test_named_queries_list_their_columns_or_name_whose_row_it_is() -> None:
    star = re.compile(r"(\bselect\s+|\breturning\s+|,\s*)\*", re.IGNORECASE)
    lazy = [
        file.name
        for file in (SQL / "queries").rglob("*.sql")
        if star.search(re.sub(r"--.*", "", file.read_text("utf-8")))
    ]
    assert lazy == []


def test_the_indexes_that_queries_plan_with_exist(conn: Connection) -> None:
    indexes = set(listed(conn, f"select indexname from pg_indexes where schemaname in {SCHEMAS}"))
    planned = {
        name
        for file in (SQL / "queries").rglob("*.sql")
        for line in re.findall(r"^-- plan: (.+)$", file.read_text("utf-8"), re.MULTILINE)
        if not line.startswith("allow ")
        for name in re.findall(r"\w+", line)
    }
    assert planned
    assert planned - indexes == set()


def test_the_readers_that_indexes_name_exist() -> None:
    named = {
        (area, name)
        for file in (*SQL.glob("tables/*.sql"), *SQL.glob("shared/*.sql"))
        for area, names in re.findall(
            r"-- Serves? (?:the same|queries/(?:admin/)?(\w+)\.sql: ([\w, ]+))",
            file.read_text("utf-8"),
        )
        if area
        for name in re.findall(r"[a-z]+_\w+", names)
    }
    known = {tuple(one.name.split(".")) for each in (query, admin.query) for one in each}
    assert named
    assert named - known == set()
