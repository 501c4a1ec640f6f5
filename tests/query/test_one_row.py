"""Proofs that a statement gives one row at most, and statements that have none."""

from __future__ import annotations

from collections.abc import Generator

import psycopg
import pytest

from taskdb.query.check.describe import describe
from taskdb.testing.databases import Databases
from tests.query.teams import SCHEMA


@pytest.fixture(scope="module")
def conn(databases: Databases) -> Generator[psycopg.Connection]:
    with databases.connection(SCHEMA) as conn:
        yield conn


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
    # A column of a view or subquery that is the key of its table, or all that its rows differ by.
    "select * from (select id, name from team) v where v.id = $1",
    "select w.name from (select v.id, v.name from (select id, name from team) v) w where w.id = $1",
    "select nick, name from member_team where id = $1",
    "with t as (select id, note from team) select note from t where id = $1",
    "with t as materialized (select id, note from team) select note from t where t.id = $1",
    "with t as (select id, name from team), u as (select id, b.name from t a join t b using (id)) "
    "select name from u where id = $1",
    "select v.name from member m left join (select id, name from team) v on v.id = m.team_id "
    "where m.id = $1",
    "select v.name from member m cross join lateral "
    "(select t.id, t.name from team t where t.note = m.nick) v where m.id = $1 and v.id = 1",
    "select v.n from (select id, row_number() over () as n from team offset 1) v where v.id = $1",
    "select v.n from (select id, count(*) as n from team group by id) v where v.id = $1",
    "select v.n from (select team_id, count(*) as n from member group by team_id) v "
    "where v.team_id = $1",
    "select nick from latest where team_id = $1",
    "select t.name, l.nick from team t left join latest l on l.team_id = t.id where t.id = $1",
    "select distinct team_id from member where team_id = $1",
    "select team_id, count(*) from member where team_id = $1 group by team_id",
    "select distinct on (m.team_id) m.nick from team t join member m on m.team_id = t.id "
    "where m.team_id = $1 order by m.team_id, m.id desc",
    "select v.team_id from (select distinct team_id from member) v where v.team_id = $1",
    "delete from member using (select id from team) v where v.id = 1 and member.id = v.id",
    # One source row at most, and the key of the target.
    "merge into team t using (values ($1::bigint)) s (id) on t.id = s.id when matched then delete",
    "merge into team t using (select * from team where id = $1) s on t.id = s.id and s.note = 'x' "
    "when matched then update set note = s.note when not matched then insert values (7, s.name)",
    "merge into team t using (team a join team b on b.id = a.id and a.id = $1) on t.id = b.id "
    "when matched then delete",
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
    # A view's column is the key of one table, and the rows are those of several, or of none.
    "select nick from team_member where id = $1",
    "select v.id from (select t.id from team t full join member m on m.id = t.id) v where v.id = 1",
    "select v.id from (select id from team union all select id from member) v where v.id = $1",
    "select v.id from (select id, generate_series(1, 2) from team) v where v.id = $1",
    "select v.id from (select id + 0 as id from team) v where v.id = $1",
    "select v.id from (select id from parent) v where v.id = $1",
    "select v.id from (select id from team) v where v.id > $1",
    "select v.id from (values (1), (1)) v (id) where v.id = $1",
    "with recursive r as (select id from team union all select id from r where false) "
    "select id from r where id = $1",
    "select m.id from member m left join (select id from team) v on v.id = m.team_id "
    "where v.id = 1",
    # Groups and distinct rows that differ by more than what is compared, or compared otherwise.
    "select v.team_id from (select team_id, nick from member group by team_id, nick) v "
    "where v.team_id = $1",
    "select v.t from (select team_id as t from member group by rollup (team_id, nick)) v "
    "where v.t = $1",
    "select v.nick from (select distinct on (nick) nick, team_id from member) v "
    "where v.team_id = $1",
    "select distinct on (nick) nick from member where team_id = $1",
    "select m.team_id from team t left join member m on m.team_id = 1 and m.id > t.id "
    "group by m.team_id",
    "select distinct short from code where short::bpchar = $1",
    "select team_id from member where team_id in (1, 2) group by team_id",
    "select v.short from (select distinct short from code) v where v.short::bpchar = $1",
    "select v.short from (select short from code group by short) v where v.short::bpchar = $1",
    "select v.code from (select short::bpchar as code from code) v where v.code = $1",
    "select v.code from (select short as code from code) v where v.code::bpchar = $1",
    # The condition leaves no source row out, and without a key a row may match many.
    "merge into team t using team s on t.id = $1 and s.id = $1 when matched then delete",
    "merge into team t using team s on t.id = s.id and s.id = $1 when matched then delete",
    "merge into team t using (values ($1)) s (x) on t.note = s.x when matched then delete",
    "merge into team t using (team a left join team b on b.id = a.id and a.id = $1) "
    "on t.id = a.id when matched then delete",
    "merge into team t using (values (1), (2)) s (id) on t.id = s.id when matched then delete",
]
MATCHED_FROM_BOTH_SIDES = (
    "merge into team t using (values ($1::bigint)) s (id) on t.id = s.id "
    "when matched then delete when not matched by {side} then do nothing"
)


@pytest.mark.parametrize("sql", SINGLE)
def test_one_row_at_most_is_proved(conn: psycopg.Connection, sql: str) -> None:
    assert describe(conn, sql).at_most_one_row


@pytest.mark.parametrize("sql", MANY)
def test_one_row_at_most_is_not_claimed_without_proof(conn: psycopg.Connection, sql: str) -> None:
    assert not describe(conn, sql).at_most_one_row


def test_rows_of_the_target_without_a_source_are_more_than_one(conn: psycopg.Connection) -> None:
    if conn.info.server_version < 170000:
        with pytest.raises(psycopg.errors.SyntaxError):
            describe(conn, MATCHED_FROM_BOTH_SIDES.format(side="source"))
        return

    assert not describe(conn, MATCHED_FROM_BOTH_SIDES.format(side="source")).at_most_one_row
    assert describe(conn, MATCHED_FROM_BOTH_SIDES.format(side="target")).at_most_one_row
