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

SCHEMA = """
create table team (id integer primary key, name varchar(40) not null unique, note text);
create table member (
    id integer primary key,
    team_id integer not null references team,
    nick text,
    born date,
    unique (team_id, nick)
);
create table tag (name text, member_id integer references member);
create unique index tag_where on tag (name) where member_id is null;
create unique index tag_lower on tag (lower(name));
create table slot (day date, hour integer, who text, unique (day, hour) deferrable);
create table part (id integer primary key, v integer) partition by range (id);
create table part_1 partition of part default;
create table parent (id integer primary key);
create table child () inherits (parent);
create sequence ticket;
create view team_member as
select team.id, team.name, member.nick from team left join member on team.id = member.team_id;
create table ruled (id integer primary key, v integer);
create table journal (what text);
create rule noted as on insert to ruled do also insert into journal values ('insert');
create domain word as text;
create table code (
    id integer primary key,
    short varchar(9) not null unique,
    padded char(9) unique,
    plain name,
    number integer unique,
    word word unique
);
create table padded_code (id integer primary key, code char(9));
create table text_code (id integer primary key, long text);
insert into code (id, short) values (1, 'a'), (2, 'a ');
insert into padded_code values (1, 'a');
insert into team values (1, 'a', null), (2, 'b', null);
insert into member values (1, 1, 'x', null), (2, 1, 'y', null), (3, 2, null, null);
"""

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


# Rows.

SINGLE = [
    "select 1",
    "select name from team where id = $1",
    "select name from team where $1 = id",
    "select name from team where id = $1::bigint + 1",
    "select id from team where name = $1",
    "select id from member where team_id = 1 and nick = 'x'",
    "select t.name from member m join team t on t.id = m.team_id where m.id = $1",
    "select t.name from member m left join team t on t.id = m.team_id where m.id = $1",
    "select m.id, n.c from member m cross join lateral "
    "(select count(*) as c from tag where member_id = m.id) n where m.id = $1",
    "select id from member where team_id = (select min(id) from team) and nick = $1",
    "select e.nick from member m left join team t on t.id = m.team_id "
    "left join member e on e.id = t.id where m.id = $1",
    "select m.id from (select min(id) as c from team) t right join member m on t.c > m.id "
    "where m.id = t.c",
    "select t.id from (select min(id) as c from member) m "
    "left join team t on t.id = m.c group by t.id",
    "select * from (select id from team where id = $1) t",
    "with t as (select id from team where id = $1) select id from t",
    "select count(*) from team",
    "select team_id, count(*) from member where team_id = $1 group by team_id limit 1",
    "select t.id, count(m.id) from team t left join member m on m.team_id = t.id "
    "where t.id = $1 group by t.id",
    "select id from team limit 1",
    "select id from team order by name fetch first row only",
    "values (1, 2)",
    "select id from team where id = 1 intersect select id from member",
    "select id from team where id = 1 except select id from member",
    "select v from part where id = $1",
    "insert into team (id, name) values (1, 'x') returning id",
    "insert into team (id, name) select 1, 'x' returning id",
    "insert into team (id, name) select id, nick from member where id = $1 returning id",
    "update team set note = 'x' where id = $1 returning id",
    "update team set note = m.nick from member m where m.team_id = team.id and team.id = $1",
    "delete from member where id = $1 returning id",
    "delete from member where id = (select id from member order by id limit 1 for update)",
    "select id from code where short = $1",
    "select id from code where short = $1::text",
    "select c.id from code c join text_code t on c.short = t.long where t.id = $1",
    "select id from code where padded = $1",
    "select id from code where number = $1::bigint",
    "select id from code where word = $1",
]
MANY = [
    "select name from team",
    "select id from member where team_id = $1",
    "select id from member where nick = $1",
    "select name from team where id > $1",
    "select name from team where id = $1 or name = $2",
    "select name from team where id in (1, 2)",
    "select name from team where id = any ($1)",
    "select name from team where id = (random() * 3)::integer",
    "select name from team where upper(name) = $1",
    "select m.id from team t join member m on m.team_id = t.id where t.id = $1",
    "select t.id from team t left join member m on m.team_id = t.id and t.id = $1",
    "select a.id from team a full join team b on a.id = b.id where a.id = 1 or b.id = 2",
    "select m.id from (select min(id) as c from team) t right join member m on t.c = m.team_id "
    "where m.id = num_nulls(t.c)",
    "select count(*) from (select min(id) as c from team) t "
    "right join member m on t.c = m.team_id group by t.c + 1",
    "select count(*) from (select 1 as c) t full join (select 2 as c) m on t.c = m.c group by t.c",
    "select member_id from tag where name = $1",
    "select member_id from tag where lower(name) = $1",
    "select who from slot where day = $1 and hour = $2",
    "select id from parent where id = $1",
    "select team_id, count(*) from member group by team_id",
    "select id from team where id = 1 union all select id from team where id = 1",
    "select generate_series(1, 3)",
    "select generate_series(1, id) from team where id = $1",
    "select id from team limit 2",
    "select id from team limit $1",
    "select id from team order by name fetch first 1 rows with ties",
    "values (1), (2)",
    "select count(*) from team group by rollup (name)",
    "select x from unnest($1::integer[]) as x",
    "select t.v from (values (1), (2)) as v (n), lateral (select v.n as v) as t group by t.v",
    "insert into team (id, name) values (1, 'x'), (2, 'y') returning id",
    "insert into team (id, name) select id, nick from member returning id",
    "update team set note = 'x' returning id",
    "update team t set note = 'x' from member m where m.id = $1 and m.nick = t.name || 'x'",
    "delete from member using team where team.id = $1 and team_id = team.id",
    "delete from member where id in (select id from member limit 1)",
    # char(n) takes no notice of blanks at the end, so two texts can equal one of them.
    "select c.id from code c join padded_code p on c.short = p.code where p.id = $1",
    "select id from code where short::bpchar = $1",
    "select id from code where short = $1::bpchar",
    "select id from code where number::oid = $1",
    "select id from code where plain = $1",
]


@pytest.mark.parametrize("sql", SINGLE)
def test_one_row_at_most_is_proved(conn: psycopg.Connection, sql: str) -> None:
    assert describe(conn, sql).at_most_one_row


@pytest.mark.parametrize("sql", MANY)
def test_one_row_at_most_is_not_claimed_without_proof(conn: psycopg.Connection, sql: str) -> None:
    assert not describe(conn, sql).at_most_one_row


MANY_CHANGES = """
do $$ begin
    for n in 1..400 loop
        create table passing (id integer primary key, v text);
        drop table passing;
        commit;
    end loop;
end $$
"""


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
