"""The tables that random queries read, and what an expression may name."""

from __future__ import annotations

from dataclasses import dataclass, field

_SCHEMA = """
create schema fuzz;
set search_path to fuzz;
create type mood as enum ('calm', 'cross');
create domain filled as integer not null;
create table a (
    id integer primary key,
    n integer,
    k integer not null,
    s text,
    z text not null,
    b boolean,
    q boolean not null,
    arr integer[],
    at timestamptz,
    m mood,
    doc jsonb
);
create table b (
    id integer primary key,
    n integer references a,
    k integer not null references a,
    s text,
    z text not null,
    d filled,
    x numeric,
    constraint b_once unique (n, k)
);
create table c (id integer not null, n integer, k integer not null default 7, s text, z text);
create table e (id integer primary key, n integer, k integer not null, s text, z text not null);
create table p (id integer not null, n integer, k integer not null, s text) partition by list (k);
create table p1 partition of p for values in (1, 2);
create table p2 partition of p default;
create table h (id integer not null, n integer, k integer not null, s text);
create table h1 (extra text) inherits (h);
create table g (
    id integer primary key,
    n integer,
    k integer not null,
    twice integer generated always as (n * 2) stored,
    s text default 'new'
);
create table w (id integer primary key, n integer, k integer not null, s text);
create table f (
    id integer not null,
    n integer,
    k integer not null,
    s varchar(3) primary key,
    z char(3) not null unique,
    y char(3)
);
create function w_clears() returns trigger language plpgsql as $$
begin
    new.s := null;
    return new;
end;
$$;
create trigger w_clears before insert or update on w for each row execute function w_clears();
create function odd_is_null(integer) returns integer strict immutable language sql
as 'select case when $1 % 2 = 0 then $1 end';
create view va as select id, n, k, s, coalesce(n, k) as nk from a where s is not null;
create view vs as select id, n, k, s from c where n is not null with local check option;
create view vb as
select b.id, a.n, a.k, b.s, a.z as az from b left join a on b.n = a.id;
create view vg as
select n as id, count(*)::integer as k, max(n) as n, min(s) as s from a group by n;
insert into a values
(1, null, 1, 'x', 'p', true, true, '{1,2}', '2020-01-01', 'calm', '{"v": 1}'),
(2, 1, 2, null, 'q', null, false, null, 'infinity', null, null),
(3, 2, 3, 'y', '', false, true, '{}', null, 'cross', '{"v": null}'),
(4, 3, 4, null, 'p', true, false, '{null,3}', '2021-06-01', 'calm', '{}'),
(5, null, 1, '', 'r', null, true, '{5}', '-infinity', null, 'null'),
(6, 2, 2, 'x', 'q', false, true, '{2,null}', '2020-01-01', 'cross', '[1]');
insert into b values
(1, 1, 1, 'x', 'p', 1, 1.5), (2, null, 2, null, 'q', 2, null), (3, 2, 3, 'y', 'p', 3, 0),
(4, null, 6, '', 'z', 4, null);
insert into c values
(1, 1, 1, 'x', 'p'), (1, null, 2, null, null), (3, 2, 2, 'y', ''), (9, 9, 9, null, 'q');
insert into p values (1, 1, 1, 'x'), (2, null, 2, null), (3, 3, 5, 'y');
insert into h values (1, null, 1, 'x'), (2, 2, 2, null);
insert into h1 values (3, 1, 3, null, 'm'), (4, null, 1, 'y', null);
insert into g (id, n, k, s) values (1, 1, 1, 'x'), (2, null, 2, null), (3, 3, 3, 'y');
insert into w values (1, 1, 1, 'x'), (2, null, 2, 'y');
insert into f values
(1, 1, 1, 'x', 'x', 'y'), (2, null, 2, 'x ', 'p', null), (3, 2, 1, '', '', 'x'),
(1, 3, 3, 'y', 'y', 'x');
"""

_SCHEMA_18 = "alter table g add column virt integer not null generated always as (k * 2) virtual;"


def schema(major: int) -> str:
    """The statements that make the tables, on PostgreSQL *major*."""
    return _SCHEMA + (_SCHEMA_18 if major >= 18 else "")


INT, TEXT, BOOL, TIME, ARRAY, DOC, NUM = "int", "text", "bool", "time", "array", "doc", "num"

_COMMON = {"id": INT, "n": INT, "k": INT, "s": TEXT}
TABLES: dict[str, dict[str, str]] = {
    "a": {**_COMMON, "z": TEXT, "b": BOOL, "q": BOOL, "arr": ARRAY, "at": TIME, "doc": DOC},
    "b": {**_COMMON, "z": TEXT, "d": INT, "x": NUM},
    "c": {**_COMMON, "z": TEXT},
    "e": {**_COMMON, "z": TEXT},
    "p": _COMMON,
    "h": _COMMON,
    "g": {**_COMMON, "twice": INT},
    "w": _COMMON,
    "f": {**_COMMON, "z": TEXT, "y": TEXT},
    "va": {**_COMMON, "nk": INT},
    "vb": {**_COMMON, "az": TEXT},
    "vg": _COMMON,
    "vs": _COMMON,
}
WRITABLE = ("a", "b", "c", "e", "p", "h", "g", "w", "vs")


@dataclass
class Source:
    """Something in FROM: its alias and the types of its columns."""

    alias: str
    columns: dict[str, str]


@dataclass
class Level:
    """One query level while it is made: what its expressions may name."""

    sources: list[Source] = field(default_factory=list)
    outer: Level | None = None
    # After grouping: the expressions that may be named instead of columns, by type.
    grouped: dict[str, list[str]] | None = None

    def columns(self, wanted: str) -> list[str]:
        """The references of type *wanted*."""
        if self.grouped is not None:
            return self.grouped.get(wanted, [])
        return [
            f"{source.alias}.{name}"
            for source in self.sources
            for name, kind in source.columns.items()
            if kind == wanted
        ]
