"""Descriptions by `describe` of a statement; it leaves the connection alone."""

from __future__ import annotations

from collections.abc import Generator

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGresult

from taskdb.query.catalogue import checks
from taskdb.query.check import describe as module
from taskdb.query.check import nullability
from taskdb.query.check.catalogue import Catalogue
from taskdb.query.check.describe import Column, describe
from taskdb.query.check.nodetree import NodeTreeError
from taskdb.testing.databases import Databases
from tests.query.teams import SCHEMA

INTEGER, TEXT, VARCHAR = 23, 25, 1043


@pytest.fixture(scope="module")
def url(databases: Databases) -> Generator[str]:
    made = databases.empty()
    with psycopg.connect(made) as conn:
        conn.execute(SCHEMA.encode())
    yield made
    databases.drop(made)


@pytest.fixture
def conn(url: str) -> Generator[psycopg.Connection]:
    with psycopg.connect(url) as connection:
        yield connection
        connection.rollback()


def test_columns_have_name_type_and_origin(conn: psycopg.Connection) -> None:
    described = describe(conn, "select id, name, upper(name) from team where id = $1 and note = $2")

    oid = conn.execute("select 'team'::regclass::oid").fetchall()[0][0]
    assert [
        (one.name, one.type_oid, one.type_modifier, one.table_oid, one.table_column)
        for one in described.columns
    ] == [
        ("id", INTEGER, -1, oid, 1),
        ("name", VARCHAR, 44, oid, 2),
        ("upper", TEXT, -1, None, None),
    ]
    assert [(one.number, one.type_oid) for one in described.parameters] == [(1, INTEGER), (2, TEXT)]
    assert described.command == "select"


def test_reason_names_the_column_and_what_is_known_of_it(conn: psycopg.Connection) -> None:
    described = describe(
        conn, "select t.id, m.nick, t.note from team t left join member m on m.team_id = t.id"
    )

    assert [(one.nullable, one.reason) for one in described.columns] == [
        (False, "t.id is a NOT NULL column"),
        (True, "m.nick is on the side of an outer join that may have no match"),
        (True, "t.note is a nullable column"),
    ]


def test_what_keeps_null_away_is_known_of_names_slices_and_conditions(
    conn: psycopg.Connection,
) -> None:
    described = describe(
        conn,
        "select make_interval(days => n), (array[n])[1:2], (array[n])[1], n"
        " from (select nullif(id, 0) as n from team) as t where make_interval(days => n) > '0'",
    )

    assert [one.nullable for one in described.columns] == [False, False, True, False]


def test_nothing_is_executed(conn: psycopg.Connection) -> None:
    describe(conn, "delete from member returning id")
    describe(conn, "select nextval('ticket')")

    assert conn.execute("select count(*) from member").fetchone() == (3,)
    assert conn.execute("select is_called from ticket").fetchone() == (False,)


def settings(conn: psycopg.Connection) -> dict[str, str]:
    return dict(conn.execute("select name, setting from pg_settings").fetchall())


@pytest.mark.parametrize("autocommit", [True, False])
@pytest.mark.parametrize("sql", ["select id from team", "select nothing from team", "selec 1"])
def test_idle_connection_is_idle_again_with_its_settings(
    conn: psycopg.Connection, autocommit: bool, sql: str
) -> None:
    conn.autocommit = autocommit
    before = settings(conn)
    conn.rollback()

    if "id" in sql:
        describe(conn, sql)
    else:
        with pytest.raises(psycopg.ProgrammingError):
            describe(conn, sql)

    assert conn.info.transaction_status is TransactionStatus.IDLE
    assert settings(conn) == before


def test_transaction_of_the_caller_goes_on_with_its_work_and_settings(
    conn: psycopg.Connection,
) -> None:
    conn.execute("set local client_min_messages to error")
    conn.execute("create table fresh (id integer not null)")
    before = settings(conn)

    described = describe(conn, "select id from fresh")
    with pytest.raises(psycopg.errors.UndefinedColumn):
        describe(conn, "select absent from fresh")

    assert not described.columns[0].nullable
    assert conn.info.transaction_status is TransactionStatus.INTRANS
    assert settings(conn) == before
    assert conn.execute("select count(*) from fresh").fetchone() == (0,)


def test_notices_do_not_reach_the_callers_handlers(conn: psycopg.Connection) -> None:
    seen: list[str | None] = []
    conn.add_notice_handler(lambda diagnostic: seen.append(diagnostic.message_primary))

    describe(conn, "select id from team")

    assert seen == []
    conn.execute("do $$ begin raise notice 'still heard'; end $$")
    assert seen == ["still heard"]


def test_trees_stay_out_of_the_servers_log_for_whoever_may_say_so(
    databases: Databases, conn: psycopg.Connection
) -> None:
    with databases.admin() as admin, admin.transaction(force_rollback=True):
        superuser = admin.execute("select current_setting('is_superuser')").fetchone()

        assert checks.print_rewritten_trees(admin).endswith("fatal") == (superuser == ("on",))
        assert checks.print_rewritten_trees(conn) == "log off on"


def test_failed_transaction_is_refused(conn: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        conn.execute("select 1 / 0")

    with pytest.raises(psycopg.InterfaceError, match="failed transaction; roll it back"):
        describe(conn, "select 1")


def test_pipeline_mode_is_refused(conn: psycopg.Connection) -> None:
    with conn.pipeline(), pytest.raises(psycopg.InterfaceError, match="pipeline mode; leave it"):
        describe(conn, "select 1")


def test_catalogue_is_asked_once_for_each_thing(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = Catalogue()
    first = describe(conn, "select lower(name), id::text from team", catalogue=catalogue)
    monkeypatch.setattr("taskdb.query.check.catalogue.checks", None)

    again = describe(conn, "select id::text, lower(name) from team", catalogue=catalogue)

    assert [one.nullable for one in first.columns] == [False, False]
    assert [one.nullable for one in again.columns] == [False, False]


# Where the tree says nothing, every column may be NULL.


def all_may_be_null(columns: tuple[Column, ...], reason: str) -> bool:
    return bool(columns) and all(one.nullable and reason in one.reason for one in columns)


def test_untested_major_version_means_that_all_may_be_null(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TESTED_MAJORS", frozenset({14}))

    described = describe(conn, "select id from team where id = $1")

    assert all_may_be_null(described.columns, "not known yet")
    assert not described.at_most_one_row
    assert len(described.parameters) == 1


def test_tree_that_is_not_understood_means_that_all_may_be_null(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(text: str) -> None:
        raise NodeTreeError("a WONDER node")

    monkeypatch.setattr(module, "parse", refuse)

    described = describe(conn, "select id from team")

    assert all_may_be_null(described.columns, "a WONDER node")


def test_unknown_expression_means_that_this_column_may_be_null(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(nullability._JUDGES, "OPEXPR")

    described = describe(conn, "select id, id + 1 as next from team")

    assert [one.nullable for one in described.columns] == [False, True]
    assert "OPEXPR" in described.columns[1].reason


def test_utility_statement_has_columns_that_may_be_null(conn: psycopg.Connection) -> None:
    described = describe(conn, "show timezone")

    assert described.command == "utility"
    assert all_may_be_null(described.columns, "utility")


def test_rules_that_make_several_queries_mean_that_all_may_be_null(
    conn: psycopg.Connection,
) -> None:
    described = describe(conn, "insert into ruled values (1, 2) returning id")

    assert all_may_be_null(described.columns, "rules")
    assert [one.name for one in described.tables_written] == ["journal", "ruled"]


def test_names_of_any_kind_do_not_confuse_the_tree(conn: psycopg.Connection) -> None:
    odd = 'x} {VAR :varno 1 (") \\ \n' + "ä" * 15
    quoted = '"' + odd.replace('"', '""') + '"'

    described = describe(
        conn, f"select {quoted}.name as {quoted}, {quoted}.note from team as {quoted}"
    )

    assert [one.name for one in described.columns] == [odd, "note"]
    assert [one.nullable for one in described.columns] == [False, True]


# Tables.


@pytest.mark.parametrize(
    ("sql", "read", "written", "views"),
    [
        ("select 1", [], [], []),
        ("select id from team", ["team"], [], []),
        ("select nick from team_member", ["member", "team"], [], ["team_member"]),
        ("select (select count(*) from tag) from team where id in (select id from part)",
         ["part", "tag", "team"], [], []),
        ("with m as (delete from member returning team_id) select name from team, m",
         ["member", "team"], ["member"], []),
        ("insert into team (id, name) values (1, 'x')", [], ["team"], []),
        ("insert into team (id, name) values (1, 'x') returning id", ["team"], ["team"], []),
        ("insert into tag (name) select nick from member", ["member"], ["tag"], []),
        ("insert into team (id, name) values (1, 'x') on conflict (id) do update "
         "set name = excluded.name", ["team"], ["team"], []),
        ("update team set note = 'x'", [], ["team"], []),
        ("update team set note = nick from member where member.team_id = team.id",
         ["member", "team"], ["team"], []),
        ("delete from tag", [], ["tag"], []),
        ("merge into team using tag on tag.name = team.name when matched then delete",
         ["tag", "team"], ["team"], []),
    ],
)  # fmt: skip
def test_tables_read_and_written_are_found_at_every_level(
    conn: psycopg.Connection, sql: str, read: list[str], written: list[str], views: list[str]
) -> None:
    described = describe(conn, sql)

    assert [one.name for one in described.tables_read] == read
    assert [one.name for one in described.tables_written] == written
    assert [one.name for one in described.views] == views


MANY_CHANGES = """
do $$ begin
    for n in 1..400 loop
        create table passing (id integer primary key, v text);
        drop table passing;
        commit;
    end loop;
end $$
"""


@pytest.mark.slow
def test_a_table_that_changes_meanwhile_is_described_as_it_is_then(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server analyses it again for Describe, and sends its tree again.

    Within a transaction it hears of the change where many make it catch up, as under load.
    """
    url = databases.empty()
    with psycopg.connect(url, autocommit=True) as other, psycopg.connect(url) as conn:
        other.execute("create table busy (id integer primary key, v integer)")
        prepared = module._succeeded

        def changed(result: PGresult, encoding: str) -> PGresult:
            other.execute("create index on busy (v)")
            other.execute(MANY_CHANGES)
            return prepared(result, encoding)

        monkeypatch.setattr(module, "_succeeded", changed)
        described = describe(conn, "select id, v from busy where id = 1")

        assert [(each.name, each.nullable) for each in described.columns] == [
            ("id", False),
            ("v", True),
        ]
        assert described.at_most_one_row
        assert [each.name for each in described.tables_read] == ["busy"]
    databases.drop(url)
