"""The contract check: what the server knows of each query agrees with its function.

Each mutation changes one thing, of the schema or of a query, its function or its dataclass;
the check must find it, and say what it is.
"""

from __future__ import annotations

import dataclasses
import textwrap
import typing
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

import psycopg
import pytest

from taskdb import queries
from taskdb.cli.common import queries_of
from taskdb.models import TaskStatus
from taskdb.query import UNSET, Naive, Queries, Unset
from taskdb.query._combinations import MOST_COMBINATIONS
from taskdb.query.check import contract
from taskdb.testing.databases import Databases
from tests.command_line import run

Connection = psycopg.Connection[Any]
Check = Callable[[str, str], list[str]]


@pytest.mark.slow
def test_the_shipped_queries_fit_the_shipped_schema(conn: Connection) -> None:
    for each in queries_of(None):
        assert [str(finding) for finding in contract.check(conn, each)] == []


def test_nothing_is_left_behind(conn: Connection) -> None:
    before = conn.execute("select name, setting from pg_settings order by name").fetchall()
    contract.check(conn, [queries.query["tasks.get"]])

    after = conn.execute("select name, setting from pg_settings order by name").fetchall()
    assert after == before
    assert conn.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)


# A change of the schema, the query that meets it, and what the finding must say.
SCHEMA = [
    ("alter table task_details drop column file_path", "tasks.copy_details", "file_path"),
    (
        "alter table tasks rename column error_message to trouble",
        "tasks.copy_tasks",
        "error_message",
    ),
    (
        "alter table tasks alter column max_attempts drop not null",
        "tasks.list_failed",
        "may be NULL",
    ),
    ("alter table tasks alter column created_at drop not null", "tasks.list_tasks", "may be NULL"),
    (
        "alter table task_details alter column complexity_score type text",
        "tasks.copy_details",
        "is text",
    ),
    (
        "alter table task_details alter column estimated_hours type float8",
        "tasks.copy_details",
        "double precision",
    ),
    (
        "alter table task_details alter column requirements type text",
        "tasks.copy_details",
        "is text",
    ),
    ("alter type shared.task_status add value 'stuck'", "tasks.get", "stuck"),
    ("alter type shared.task_status rename value 'failed' to 'broken'", "tasks.get", "broken"),
    ("alter type shared.dependency_type add value 'hints'", "dependencies.add_dependency", "hints"),
    ("alter type shared.claim_outcome add value 'lost'", "claims.list_for_task", "lost"),
    ("alter type shared.plan_status add value 'idle'", "features.get", "idle"),
    ("alter table epics drop constraint epics_key_is_unique", "epics.get_by_key", "more than one"),
    ("alter table epics drop constraint epics_pkey cascade", "epics.get", "more than one"),
    ("drop view ready_tasks cascade", "tasks.count_ready", "ready_tasks"),
    ("drop table task_files", "files.put", "task_files"),
    ("alter table task_history rename to changes", "flow.reopenings", "task_history"),
    ("alter table task_history drop column note cascade", "flow.reopenings", "note"),
    ("alter table tasks alter column claim_token type text", "claims.heartbeat", ":token is text"),
    ("alter table task_history alter column agent drop not null", "flow.reopenings", "may be NULL"),
    (
        "alter table subtasks drop constraint subtasks_position_is_positive, "
        "alter column position type text",
        "subtasks.list_subtasks",
        "is text",
    ),
    ("alter table task_files alter column content drop not null", "files.get", "may be NULL"),
    ("alter table task_details drop column actual_hours", "tasks.copy_details", "actual_hours"),
    ("alter table tasks alter column started_at type date", "tasks.copy_tasks", "is date"),
    ("drop table task_dependencies cascade", "dependencies.copy_dependencies", "no column"),
    ("drop function claim_tasks cascade", "claims.claim_next", "claim_tasks"),
]


@pytest.mark.parametrize(("change", "name", "expected"), SCHEMA, ids=[row[0] for row in SCHEMA])
def test_change_of_the_schema_is_found(
    conn: Connection, change: str, name: str, expected: str
) -> None:
    query = queries.query[name]
    assert contract.check(conn, [query]) == []
    conn.execute("set local client_min_messages = error")
    # Views and triggers that stand on what is changed are none of this test's business.
    conn.execute(DROP_WHAT_STANDS_ON_TASKS) if change.startswith("alter table task") else None
    conn.execute(change)

    found = contract.check(conn, [query])

    assert found
    assert any(expected in str(finding) for finding in found), [str(each) for each in found]
    assert all(finding.sql_where.startswith("sql/queries/") for finding in found)
    assert all(finding.python_where.startswith("taskdb/queries/") for finding in found)


DROP_WHAT_STANDS_ON_TASKS = """
do $$
declare
    name text;
begin
    for name in select viewname from pg_views where schemaname = 'taskdb' loop
        execute format('drop view if exists %I cascade', name);
    end loop;
    for name in
        select format('%I on %s', tgname, tgrelid::regclass) from pg_trigger
        where
            tgrelid in ('tasks'::regclass, 'task_details'::regclass, 'task_history'::regclass)
            and not tgisinternal
    loop
        execute format('drop trigger %s', name);
    end loop;
end;
$$
"""


class Mood(StrEnum):
    GOOD = "good"
    BAD = "bad"


@dataclasses.dataclass(slots=True)
class Row:
    key: str
    title: str
    workflow_id: uuid.UUID | None


@dataclasses.dataclass(slots=True)
class StrictRow:
    key: str
    title: str
    workflow_id: uuid.UUID


@dataclasses.dataclass(slots=True)
class LooseRow:
    key: str
    title: str | None
    workflow_id: uuid.UUID | None


@dataclasses.dataclass(slots=True)
class LongRow:
    key: str
    title: str
    workflow_id: uuid.UUID | None
    colour: str


@pytest.fixture
def check(conn: Connection, tmp_path: Path) -> Check:
    """Return a function from a statement and a stub to what the contract check says of them."""

    def check(sql: str, stub: str) -> list[str]:
        (tmp_path / "area.sql").write_text(f"-- name: probe\n{textwrap.dedent(sql).strip()}\n")
        query = Queries(tmp_path)
        names = {
            **NAMES,
            "query": query,
            "__name__": __name__,
        }
        exec(f"@query(file='area')\ndef probe({stub}: ...\n", names)
        return [str(finding) for finding in contract.check(conn, query)]

    return check


NAMES: dict[str, object] = {
    each.__name__: each
    for each in (
        Decimal,
        LongRow,
        LooseRow,
        Mood,
        Naive,
        Row,
        StrictRow,
        TaskStatus,
        Unset,
        datetime,
        timedelta,
    )
} | {"UNSET": UNSET, "typing": typing, "uuid": uuid}
BY_KEY = "select key, title, workflow_id from tasks where key = :key;"

# A statement, its stub, and what the finding must say; None: they agree.
QUERIES: list[tuple[str, str, str | None]] = [
    (BY_KEY, "key: str) -> Row", None),
    (BY_KEY, "key: str) -> Row | None", None),
    (BY_KEY, "key: int) -> Row", ":key is"),
    (BY_KEY, "key: str) -> StrictRow", "workflow_id may be NULL"),
    (BY_KEY, "key: str) -> LooseRow", "title is never NULL"),
    (BY_KEY, "key: str) -> LongRow", "no column colour"),
    ("select key, title, workflow_id, id from tasks where key = :key;", "key: str) -> Row", "no field"),
    ("select key, title, workflow_id from tasks where title = :title;", "title: str) -> Row", "more than one"),
    ("select key, title, workflow_id from tasks where title = :title limit 1;", "title: str) -> Row", None),
    ("select priority as key, title, workflow_id from tasks limit 1;", ") -> Row", "is smallint"),
    # As psycopg, which does not know the type, gives it.
    ("select status from tasks where key = :key;", "key: str) -> str", None),
    ("select status from tasks where key = :key;", "key: str) -> int", "is task_status (pending"),
    ("select status from tasks where key = :key;", "key: str) -> typing.Literal['pending']", "is task_status"),
    ("select title from tasks where status = :status;", "status: typing.Literal['pending']) -> list[str]", None),
    ("select title from tasks where status = :status;", "status: typing.Literal['stuck']) -> list[str]", "is task_status"),
    ("select id, key as id, workflow_id from tasks where key = :key;", "key: str) -> Row", "has 2 columns of the name id"),
    ("select context from task_details where task_id = :id;", "id: uuid.UUID) -> int | None", "is jsonb"),
    ("select context from task_details where task_id = :id;", "id: uuid.UUID) -> dict[str, datetime] | None", "is jsonb"),
    ("select 1 as key, title, workflow_id from full_tasks where requirements = :list limit 1;", "list: list[str]) -> Row", ":list is jsonb"),
    ("select title from full_tasks where requirements = any (:all);", "all: list[dict[str, int]]) -> list[str]", ":all is jsonb[]"),
    ("select title from full_tasks where requirements = :one;", "one: list[dict[str, int]]) -> list[str]", None),
    ("select title from full_tasks where complexity_score = :n;", "n: int | str) -> list[str]", ":n is smallint"),
    ("select title from full_tasks where actual_hours > :n;", "n: int) -> list[str]", None),
    ("select now()::timestamp;", ") -> typing.Annotated[datetime, Naive()]", None),
    ("select created_at from tasks where created_at > :at::timestamp;", "at: datetime) -> list[datetime]", ":at is timestamp without"),
    ("select status from tasks where key = :key;", "key: str) -> TaskStatus", None),
    ("select status from tasks where key = :key;", "key: str) -> Mood", "is task_status"),
    ("select created_at from tasks where key = :key;", "key: str) -> datetime", None),
    ("select created_at::timestamp from tasks where key = :key;", "key: str) -> datetime", "without time zone"),
    ("select estimated_hours from task_details where task_id = :id;", "id: uuid.UUID) -> Decimal | None", None),
    ("select estimated_hours from task_details where task_id = :id;", "id: uuid.UUID) -> Decimal", "may be NULL"),
    ("select array_agg(key) from tasks;", ") -> list[list[str] | None]", None),
    ("select array_agg(key) from tasks;", ") -> list[list[int] | None]", "is key[]"),
    ("select array_agg(key::text) from tasks;", ") -> list[list[str] | None]", None),
    ("select count(*) from tasks;", ") -> int", None),
    ("select sum(priority) from tasks;", ") -> int", "may be NULL"),
    ("select context from task_details where task_id = :id;", "id: uuid.UUID) -> dict[str, typing.Any] | None", None),
    ("select context from task_details where task_id = :id;", "id: uuid.UUID) -> Decimal | None", "is jsonb"),
    ("select now() - :age::interval;", "age: timedelta) -> datetime", None),
    ("select now() - :age::interval;", "age: Decimal) -> datetime", ":age is interval"),
    ("select title from tasks where status = :status;", "status: TaskStatus) -> list[str]", None),
    ("select title from tasks where status = :status;", "status: Mood) -> list[str]", ":status is task_status"),
    ("select title from tasks where status = any(:statuses);", "statuses: list[TaskStatus]) -> list[str]", None),
    ("select title from tasks where id = any(:ids);", "ids: list[str]) -> list[str]", ":ids is uuid[]"),
    ("select colour from tasks;", ") -> list[str]", "colour"),
    ("delete from tasks where key = :key;", "key: str) -> int", None),
    ("delete from tasks where key = :key;", "key: str) -> Row", "has no result"),
    ("delete from tasks where key = :key returning id;", "key: str) -> None", "has a result"),
    ("delete from tasks where key = :key returning id, key;", "key: str) -> uuid.UUID", "has 2 columns"),
    ('select title as "title!" from tasks where key = :key;', "key: str) -> str", "gives no reason"),
    ('select title as "title!" from tasks where key = :key; -- sure', "key: str) -> str", "overrides nothing"),
    ('select error_message as "text!"  -- checked elsewhere\nfrom tasks where key = :key;', "key: str) -> str", None),
    ('select title as "title?"  -- a test\nfrom tasks where key = :key;', "key: str) -> str", "may be NULL"),
    ('select error_message as "text!"  -- checked elsewhere\nfrom tasks where true\nand error_message is not null -- if :q\nand title = :q -- if :q\n;', "q: str | None = None) -> list[str]", None),
    ('select error_message as "text!"  -- checked elsewhere\nfrom tasks where error_message is not null\nand title = :q -- if :q\n;', "q: str | None = None) -> list[str]", "overrides nothing"),
    ('select title as "text?"  -- one day\nfrom tasks where true\nand title = :q -- if :q\n;', "q: str | None = None) -> list[str | None]", None),
    ('select error_message as "text?"  -- one day\nfrom tasks where true\nand error_message = :q -- if :q\n;', "q: str | None = None) -> list[str | None]", "overrides nothing"),
    ("select title from tasks order by :by, id;", "by: str) -> list[str]", "order by :by sorts by nothing"),
    ("select title, row_number() over (order by :by::text) as n from tasks;", "by: str) -> list[str]", "order by :by sorts by nothing"),
    ("select title from tasks order by case when true then :by end;", "by: str) -> list[str]", "order by :by sorts by nothing"),
    ("select title from tasks order by lower(coalesce(:by, 'id')) desc, id;", "by: str) -> list[str]", "order by :by sorts by nothing"),
    ("select array_agg(title order by :by::text) as titles from tasks;", "by: str) -> list[str]", "order by :by sorts by nothing"),
    ("select title from tasks order by random() * :n::float8;", "n: float) -> list[str]", None),
    ("select title from tasks order by (select max(title) from tasks where key = :key);", "key: str) -> list[str]", None),
    ("select title from tasks order by case :by when 'title' then title end, id;", "by: str) -> list[str]", None),
    ("select title from tasks order by id <-> :n;", "n: int) -> list[str]", "does not exist"),
    ("delete from tasks where true\n and key = :key -- if :key\n;", "key: str | None = None) -> int", "writes to every row when :key is left out"),
    ("delete from tasks where true\n and key = :key -- if :key\n and title = :title -- if :title\n;", "key: str | None = None, title: str | None = None) -> int", "when :key, :title is left out"),
    ("update tasks set title = 'x'\nwhere key = :key -- if :key\n;", "key: str | None = None) -> int", "writes to every row when :key"),
    ("with d as (delete from tasks where true\n and key = :key -- if :key\n returning id) select count(*) from d;", "key: str | None = None) -> int", "writes to every row when :key"),
    ("delete from tasks where workflow_id is null\n and key = :key -- if :key\n;", "key: str | None = None) -> int", None),
    ("delete from tasks;", ") -> int", None),
    ("delete from tasks where null;", ") -> int", None),
    ("delete from tasks where null\n or key = :key -- if :key\n;", "key: str | None = None) -> int", None),
    ("delete from tasks where false;", ") -> int", None),
    ("delete from tasks where 1 = 1\n and key = :key -- if :key\n;", "key: str | None = None) -> int", "writes to every row when :key"),
    ("delete from tasks where 'a' = 'a' and true\n and key = :key -- if :key\n;", "key: str | None = None) -> int", "writes to every row when :key"),
    ("update tasks set title = 'x' from features as f join epics as e on e.id = f.epic_id and e.key = 'E'\nwhere true\n and tasks.key = :key -- if :key\n;", "key: str | None = None) -> int", "writes to every row when :key"),
    ("delete from tasks where 1 = 2\n or key = :key -- if :key\n;", "key: str | None = None) -> int", None),
    ("delete from tasks where 1 < 2\n and key = :key -- if :key\n;", "key: str | None = None) -> int", None),
    ("-- every row: a cleared board is meant\ndelete from tasks where true\n and key = :key -- if :key\n;", "key: str | None = None) -> int", None),
    ("update tasks set title = :title\n, priority = 1 -- if :urgent\n;", "title: str, urgent: bool = False) -> int", None),
    ("select item from unnest(:items::text[]) as item;", "items: list[str]) -> list[str]", None),
    ("select item from unnest(:items::text[]) as item;", "items: list[str] | None) -> list[str]", None),
    ("select item from unnest(:items::text[]) as item;", "items: list[str | None]) -> list[str]", "item may be NULL"),
    ("select item from unnest(:items::int[]) as item;", "items: list[list[int]]) -> list[int]", None),
    ("select item from unnest(:items::int[]) as item;", "items: list[list[int | None]]) -> list[int]", "item may be NULL"),
    ("select key = any(:keys::text[]) from tasks;", "keys: list[str]) -> list[bool]", None),
    ("update tasks set title = :title where key = :key;", "key: str, title: str) -> int", None),
    ("update tasks set title = :title, -- if :title\n priority = 1 where key = :key;", "key: str, title: int | Unset = UNSET) -> int", ":title is"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "stub", "expected"), QUERIES)
def test_query_and_function_are_compared_both_ways(
    check: Check, sql: str, stub: str, expected: str | None
) -> None:
    found = check(sql, stub)

    if expected is None:
        assert found == []
    else:
        assert any(expected in finding for finding in found), found


CONDITIONAL = (
    "select title, title = :q as exact from tasks where true\n    and title like :q -- if :q\n;"
)


def test_parameter_is_not_null_only_in_the_variants_with_its_line(
    conn: Connection, tmp_path: Path
) -> None:
    @dataclasses.dataclass(slots=True)
    class Match:
        title: str
        exact: bool

    (tmp_path / "area.sql").write_text(f"-- name: probe\n{CONDITIONAL}")
    query = Queries(tmp_path)

    def probe(*, q: str | None = None) -> list[Match]: ...

    probe.__annotations__["return"] = list[Match]
    found = [str(each) for each in contract.check(conn, [query(file="area")(probe)])]

    assert len(found) == 1
    assert "exact may be NULL (parameter $1 may be NULL)" in found[0]


PLANNED_TABLES = """
create domain filled as integer not null;
create table account (
    id integer primary key,
    mail text,
    name text unique,
    gone timestamptz,
    fill filled default 1
);
create unique index account_by_mail on account (mail) where gone is null;
create table payment (id integer primary key, account_id integer, spent int4range);
"""

# A statement that parses, its parameters, and why it can't be planned; None: it can.
PLANNED: list[tuple[str, str, str | None]] = [
    ("insert into account (id, mail) values (:id, :m) on conflict (mail) do nothing;", "id: int, m: str", "no unique or exclusion constraint"),
    ("insert into account (id, mail) values (:id, :m) on conflict (mail) where gone is null do nothing;", "id: int, m: str", None),
    ("insert into account (id, name) values (:id, :m) on conflict (lower(name)) do nothing;", "id: int, m: str", "no unique or exclusion constraint"),
    ("insert into account (id, name) values (:id, :m) on conflict (name) do update set mail = excluded.name;", "id: int, m: str", None),
    ("with a as (insert into account (id, mail) values (:id, :m) on conflict (mail) do nothing returning id) select count(*) from a;", "id: int, m: str", "no unique or exclusion constraint"),
    ("select a.name from account a left join payment p on p.account_id = a.id for update;", "", "nullable side of an outer join"),
    ("select a.name from account a left join payment p on p.account_id = a.id for update of a;", "", None),
    ("select a.name from account a full join payment p on p.account_id < a.id;", "", "FULL JOIN is only supported"),
    ("select a.name from account a full join payment p on p.account_id = a.id;", "", None),
    ("select name from account where true\nfor update -- if :lock\n;", "lock: bool | None = None", None),
    ("select name from (select name, row_number() over (order by id) as n from account) a where n < 9\nfor update -- if :lock\n;", "lock: bool | None = None", "not allowed with window functions"),
    ("select 1 / 0 as name;", "", "division by zero"),
    ("insert into account (id, fill) values (:id, :fill);", "id: int, fill: int", None),
    ("update account set fill = :fill::filled where id = :id;", "id: int, fill: int", None),
    ("delete from account where id = :id and name is not distinct from :name and gone = :gone;", "id: int, name: str | None, gone: datetime", None),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "stub", "expected"), PLANNED)
def test_what_the_planner_refuses_is_found_and_nothing_is_run(
    conn: Connection, check: Check, sql: str, stub: str, expected: str | None
) -> None:
    conn.execute(PLANNED_TABLES)
    returns = "list[str | None]" if sql.startswith("select") else "int"

    found = check(sql, f"{stub}) -> {returns}")

    planner = [each for each in found if "the server refuses it" in each]
    assert bool(planner) == bool(expected), found
    assert all(expected and expected in each for each in planner), found
    assert conn.execute("select count(*) from account").fetchone() == (0,)
    assert conn.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)


def test_server_error_is_reported_where_it_is_in_the_file(check: Check) -> None:
    (finding,) = check("select key,\n    colour\nfrom tasks;", ") -> list[Row]")

    assert "area.sql:3:5:" in finding
    assert "colour" in finding


def test_every_pair_of_conditional_lines_is_seen_in_all_four_ways(tmp_path: Path) -> None:
    update = queries.query["tasks.update"]
    groups = update.statement.groups
    assert 2 ** len(groups) > MOST_COMBINATIONS

    seen = [variant.present for variant in contract.variants(update)]

    assert len(seen) <= MOST_COMBINATIONS
    for one in groups:
        for other in groups:
            if one != other:
                ways = {(one <= present, other <= present) for present in seen}
                assert len(ways) == 4


@pytest.mark.slow
def test_command_checks_the_project(databases: Databases, tmp_path: Path) -> None:
    # Whichever workspace one works in: what is checked is created again.
    elsewhere = {"TASKDB_WORKSPACE": "elsewhere"}
    done = run("--url", databases.admin_url, "check", "contract", folder=tmp_path, more=elsewhere)

    assert done.status == 0, done.out + done.err
    assert "contract: no findings" in done.out
