"""Drift of a project that uses what taskdb does not: operators, casts, servers, publications."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from taskdb.migrations import foreign, schema
from taskdb.testing.databases import Databases

SCHEMA = """
create extension file_fdw;
create type pair as (a integer, b integer);
create table things (id integer primary key, name text);
create table typed of pair;
create operator === (leftarg = integer, rightarg = integer, function = int4eq);
create operator family many using btree;
create collation plain from "C";
create text search configuration words (copy = simple);
create text search dictionary shorts (template = simple, stopwords = english);
create server files foreign data wrapper file_fdw;
create foreign table lines (line text) server files options (filename '/dev/null');
create function noticed() returns event_trigger language plpgsql as 'begin end';
create event trigger watched on ddl_command_end execute function noticed();
create publication all_things for table things;
"""
Named = tuple[str, str, str | None]
# A change, and what it must be told as: kind, name and aspect; None is a missing object.
CHANGES: dict[str, Named] = {
    "comment on schema public is 'ours'": ("schema", "public", "comment"),
    "create operator <<>> (rightarg = integer, function = int4abs)": (
        "operator",
        "<<>> (integer)",
        None,
    ),
    "alter operator === (integer, integer) set (restrict = eqsel)": (
        "operator",
        "=== (integer, integer)",
        "definition",
    ),
    "comment on operator === (integer, integer) is 'alike'": (
        "operator",
        "=== (integer, integer)",
        "comment",
    ),
    "alter operator family many using btree add operator 1 < (integer, integer)": (
        "operator family",
        "many of btree",
        "definition",
    ),
    "create operator class ints for type integer using btree family many as"
    " operator 3 ===, function 1 btint4cmp(integer, integer)": (
        "operator class",
        "ints of btree",
        None,
    ),
    'drop collation plain; create collation plain from "POSIX"': (
        "collation",
        "plain",
        "definition",
    ),
    "alter text search configuration words drop mapping for email": (
        "text search configuration",
        "words",
        "definition",
    ),
    "alter text search dictionary shorts (stopwords)": (
        "text search dictionary",
        "shorts",
        "definition",
    ),
    "alter foreign table lines options (set filename '/dev/zero')": (
        "foreign table",
        "lines",
        "foreign",
    ),
    "alter table typed not of": ("table", "typed", "row type"),
    "create cast (pair as text) with inout": ("cast", "public.pair as text", None),
    "alter event trigger watched disable": ("event trigger", "watched", "definition"),
    "alter publication all_things set table things (id) where (id > 7)": (
        "publication",
        "all_things",
        "definition",
    ),
    "alter publication all_things set (publish = 'insert')": (
        "publication",
        "all_things",
        "definition",
    ),
    "create foreign data wrapper nothing": ("foreign data wrapper", "nothing", None),
    "alter server files version '2'": ("foreign server", "files", "definition"),
    "create user mapping for public server files": ("user mapping", "public of files", None),
    "create trusted language other handler plpgsql_call_handler": ("language", "other", None),
    "create access method rows type table handler heap_tableam_handler": (
        "access method",
        "rows",
        None,
    ),
    "alter default privileges grant select on tables to public": (
        "default privileges",
        "r of {user}",
        None,
    ),
}


@pytest.fixture(scope="module")
def database(databases: Databases) -> Iterator[psycopg.Connection[Any]]:
    url = databases.empty()
    # A superuser, as servers and casts need one.
    with databases.admin(str(conninfo_to_dict(url)["dbname"])) as conn:
        conn.execute(SCHEMA.encode())
        yield conn
    databases.drop(url)


@pytest.mark.parametrize("change", CHANGES)
def test_each_difference_is_named(database: psycopg.Connection[Any], change: str) -> None:
    kind, name, aspect = CHANGES[change]
    before = schema.read(database, "public"), schema.read_database(database)

    with database.transaction(force_rollback=True):
        database.execute(change.encode())
        after = schema.read(database, "public"), schema.read_database(database)

    found = [each for pair in zip(after, before, strict=True) for each in schema.compare(*pair)]
    expected = (kind, name.format(user=database.info.user), aspect)
    assert expected in [(each.kind, each.name, each.aspect) for each in found]


def test_a_not_null_that_was_not_validated_is_another(database: psycopg.Connection[Any]) -> None:
    add = "alter table things add constraint named not null name"
    with database.transaction(force_rollback=True):
        database.execute("alter table things alter name set not null")
        before = schema.read(database, "public")
    if database.info.server_version < 180000:
        with pytest.raises(psycopg.errors.SyntaxError), database.transaction():
            database.execute(f"{add} not valid".encode())
        return

    with database.transaction(force_rollback=True):
        database.execute(f"{add} not valid".encode())
        after = schema.read(database, "public")

    (found,) = schema.compare(after, before)
    assert (found.name, found.aspect) == ("things.name", "not null not validated")


def test_options_of_a_user_mapping_are_compared_by_name(
    database: psycopg.Connection[Any],
) -> None:
    """Differences are printed, and these options hold passwords."""
    with database.transaction(force_rollback=True):
        database.execute("create foreign data wrapper wrapper")
        database.execute("create server elsewhere foreign data wrapper wrapper")
        database.execute(
            "create user mapping for public server elsewhere options (password 'p4ss')"
        )
        database_with = schema.read_database(database)

    assert "p4ss" not in str(database_with)
    assert "password" in str(database_with)


@pytest.mark.slow
def test_what_belongs_to_no_schema_is_compared_too(tmp_path: Path, databases: Databases) -> None:
    (tmp_path / "0001_pairs.sql").write_text(
        "create type pair as (a integer, b integer);\ncreate cast (pair as text) with inout;\n"
    )
    (tmp_path / "0001_pairs.rollback.sql").write_text("drop type pair cascade;\n")
    built = tmp_path / "schema" / "schema.sql"
    built.parent.mkdir()
    built.write_text("create type pair as (a integer, b integer);\n")

    (found,) = foreign.check_drift(databases.admin_url, tmp_path, built)

    assert str(found).startswith("database: cast public.pair as text is in ")
    assert f"and not in {built}" in str(found)
    assert foreign.check_migrations(databases.admin_url, tmp_path) == []
