"""Random queries over a small schema full of NULLs, for the nullability fuzz.

Every query is valid SQL of a shape people write: joins of all kinds, subqueries, CTEs, views,
set operations, grouping sets, window frames, RETURNING. Values are small, so that conditions
hold often and joins match sometimes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
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


class Generator:
    """Makes random queries; the same seed and major version make the same ones."""

    def __init__(self, seed: int, major: int) -> None:
        self.random = random.Random(seed)
        self.major = major
        self.aliases = 0
        self.ctes: list[dict[str, dict[str, str]]] = [{}]
        self.parameters: list[str] = []

    def conditional(self) -> tuple[str, dict[str, str]]:
        """A query with conditional lines, and the annotations of its parameters."""
        self.aliases = 0
        self.ctes = [{}]
        self.parameters = ["p", "q", "r"]
        level = Level()
        tables = self.from_clause(level, 1) or " from a as t0"
        items = [f"{self.typed(self.any_type(), level, 2)} as c{number}" for number in range(3)]
        lines = [f"select {', '.join(items)}{tables}", "where true"]
        for name in self.parameters[: self.random.randint(1, 3)]:
            self.parameters.remove(name)
            named = level.columns(INT) or ["1"]
            test = self.random.choice(["=", "<>", ">=", "is not distinct from"])
            condition = f"{self.random.choice(named)} {test} :{name}::integer"
            if self.one_in(3):
                condition = f"({condition} or {self.condition(level, 1)})"
            lines += self.block(name, condition, level)
            self.parameters.append(name)
        if self.one_in(3):
            lines.append(f"    and {self.condition(level, 1)}  -- if not :f")
        if self.one_in(3):
            orders = [f"{number}" for number in self.random.sample(("1", "2", "3"), 2)]
            lines += ["order by", f"{orders[0]},  -- if :by = x", f"{orders[1]},  -- if :by = y"]
            lines.append(orders[0])
        if self.one_in(4):
            lines.append(f"limit 1  -- if {self.random.choice((':p', 'not :f'))}")
        self.parameters = []
        text = "\n".join(lines)
        annotations = dict.fromkeys("pqr", "int | None = None")
        annotations |= {"f": "bool = False", "by": "Literal['x', 'y'] | None = None"}
        return text, {name: of for name, of in annotations.items() if f":{name}" in text}

    def block(self, name: str, condition: str, level: Level) -> list[str]:
        """*condition*, sent with the argument *name*, as a line or among those of a block."""
        if not self.one_in(3):
            return [f"    and {condition}  -- if :{name}"]
        inner = [f"    and {condition}", f"    and {self.condition(level, 1)}"]
        if self.one_in(2):
            inner[1] += "  -- if :f"
        return [f"    -- if :{name}", *inner, "    -- end if"]

    def statement(self) -> str:
        """A statement that returns rows."""
        self.aliases = 0
        self.ctes = [{}]
        if self.one_in(4):
            return self.dml()
        return self.query(depth=2)[0]

    # Choices.

    def one_in(self, count: int) -> bool:
        return self.random.randrange(count) == 0

    def pick(self, *choices: Callable[[], str]) -> str:
        return self.random.choice(choices)()

    def alias(self) -> str:
        self.aliases += 1
        return f"t{self.aliases}"

    # Queries.

    def query(
        self, depth: int, outer: Level | None = None, types: list[str] | None = None
    ) -> tuple[str, dict[str, str]]:
        """A query, and its columns. *types* are those it must have."""
        wanted = types or [self.any_type() for _ in range(self.random.randint(1, 4))]
        names = [f"c{number}" for number in range(1, len(wanted) + 1)]
        columns = dict(zip(names, wanted, strict=True))
        if depth > 0 and self.one_in(6):
            prefix = self.with_clause(depth, outer)
            body = self.plain(depth - 1, outer, columns)
            self.ctes.pop()
            return f"{prefix} {body}", columns
        if depth > 0 and self.one_in(7):
            operator = self.random.choice(
                ["union", "union all", "intersect", "except", "intersect all"]
            )
            left, _ = self.query(depth - 1, outer, wanted)
            right, _ = self.query(depth - 1, outer, wanted)
            return f"({left}) {operator} ({right})", columns
        if self.one_in(15):
            return self.values(columns), columns
        return self.plain(depth, outer, columns), columns

    def values(self, columns: dict[str, str]) -> str:
        level = Level()
        rows = [
            "(" + ", ".join(self.typed(kind, level, 1) for kind in columns.values()) + ")"
            for _ in range(self.random.randint(1, 3))
        ]
        return f"select * from (values {', '.join(rows)}) as {self.alias()} ({', '.join(columns)})"

    def with_clause(self, depth: int, outer: Level | None) -> str:
        """WITH and its queries, which the queries after it may name."""
        self.ctes.append(dict(self.ctes[-1]))
        if self.one_in(3):
            return self.recursive(outer)
        parts = []
        for _ in range(self.random.randint(1, 2)):
            name = self.alias()
            text, columns = self.query(depth - 1, outer)
            kind = self.random.choice(["", "materialized ", "not materialized "])
            parts.append(f"{name} as {kind}({text})")
            self.ctes[-1][name] = columns
        return "with " + ", ".join(parts)

    def recursive(self, outer: Level | None) -> str:
        name = self.alias()
        columns = {"i": INT, "c1": self.any_type(), "c2": self.any_type()}
        first_level = Level(outer=outer)
        first = ", ".join(self.typed(columns[one], first_level, 1) for one in ("c1", "c2"))
        step = Level([Source("r", columns)], outer)
        source = f"{name} as r"
        if self.one_in(3):
            table = self.random.choice(("a", "b", "c"))
            source += f" {self.random.choice(['left join', 'join'])} {table} as rt on rt.id = r.i"
            step.sources.append(Source("rt", TABLES[table]))
        then = ", ".join(self.typed(columns[one], step, 1) for one in ("c1", "c2"))
        where = "r.i < 3" + (f" and {self.condition(step, 1)}" if self.one_in(3) else "")
        self.ctes[-1][name] = columns
        return (
            f"with recursive {name} (i, c1, c2) as (select 1, {first} "
            f"union all select r.i + 1, {then} from {source} where {where})"
        )

    def plain(self, depth: int, outer: Level | None, columns: dict[str, str]) -> str:
        """A SELECT with all that belongs to it."""
        level = Level(outer=outer)
        tables = self.from_clause(level, depth)
        where = f" where {self.condition(level, 2)}" if not self.one_in(3) else ""
        style = self.random.randrange(8)
        if style == 0:
            return self.one_group(level, columns, tables + where)
        if style in (1, 2):
            return self.many_groups(level, columns, tables + where)
        make = self.windowed if style == 3 else self.typed
        items = [f"{make(kind, level, 2)} as {name}" for name, kind in columns.items()]
        distinct = "distinct " if self.one_in(12) and DOC not in columns.values() else ""
        limit = f" limit {self.random.randint(1, 3)}" if self.one_in(10) else ""
        return f"select {distinct}{', '.join(items)}{tables}{where}{limit}"

    def one_group(self, level: Level, columns: dict[str, str], rest: str) -> str:
        """Aggregates without GROUP BY: one row, even of nothing."""
        items = [f"{self.aggregate(kind, level)} as {name}" for name, kind in columns.items()]
        having = f" having count(*) {self.random.choice(['>', '<'])} 2" if self.one_in(4) else ""
        return f"select {', '.join(items)}{rest}{having}"

    def many_groups(self, level: Level, columns: dict[str, str], rest: str) -> str:
        """GROUP BY of columns or expressions, perhaps with grouping sets."""
        if text := self.grouped_twice(level, columns, rest):
            return text
        kinds = [INT, self.random.choice((INT, TEXT, BOOL))]
        keys: list[tuple[str, str]] = []
        for kind in kinds[: self.random.randint(1, 2)]:
            named = level.columns(kind)
            if named and not self.one_in(4):
                keys.append((kind, self.random.choice(named)))
            elif named:
                keys.append((kind, self.wrapped(kind, self.random.choice(named))))
        if not keys:
            return self.one_group(level, columns, rest)
        grouped: dict[str, list[str]] = {}
        for kind, text in keys:
            grouped.setdefault(kind, []).append(text)
        after = Level(level.sources, level.outer, grouped)
        items = [
            f"{self.aggregate(kind, level) if self.one_in(2) else self.typed(kind, after, 2)}"
            f" as {name}"
            for name, kind in columns.items()
        ]
        texts = [text for _, text in keys]
        group = self.grouping(texts)
        having = f" having {self.condition(after, 1)}" if self.one_in(4) else ""
        return f"select {', '.join(items)}{rest} group by {group}{having}"

    def grouped_twice(self, level: Level, columns: dict[str, str], rest: str) -> str:
        """GROUP BY of two items that are one key, if there are two of one type."""
        kinds = list(columns.values())
        several = [kind for kind in (INT, TEXT) if kinds.count(kind) > 1 and level.columns(kind)]
        if not several or self.one_in(3):
            return ""
        kind = several[0]
        text = self.random.choice(level.columns(kind))
        text = self.wrapped(kind, text) if self.one_in(4) else text
        numbers = [number for number, of in enumerate(kinds, 1) if of == kind][:2]
        after = Level(level.sources, level.outer, {kind: [text]})
        items: list[str] = []
        for number, (name, of) in enumerate(columns.items(), 1):
            inside = of == kind and self.one_in(3)
            item = self.typed(kind, after, 1) if inside else self.aggregate(of, level)
            items.append(f"{text if number in numbers else item} as {name}")
        first, second = self.random.sample(numbers, 2)
        group = self.random.choice(
            [
                f"{first}, rollup ({second})",
                f"rollup ({second}), {first}",
                f"grouping sets (({first}, {second}), ({first}))",
                f"grouping sets (({second}), ({first}))",
                f"{first}, {second}",
                f"cube ({first}, {second})",
            ]
        )
        having = f" having {self.condition(after, 1)}" if self.one_in(3) else ""
        return f"select {', '.join(items)}{rest} group by {group}{having}"

    def grouping(self, texts: list[str]) -> str:
        listed = ", ".join(texts)
        choices = [
            listed,
            listed,
            listed,
            f"rollup ({listed})",
            f"cube ({listed})",
            f"grouping sets (({listed}), ({texts[0]}))",
            f"grouping sets (({listed}), ({texts[-1]}), ())",
            f"{texts[0]}, rollup ({texts[-1]})",
        ]
        return self.random.choice(choices)

    def wrapped(self, kind: str, column: str) -> str:
        """A grouping expression around *column*."""
        if kind == INT:
            return self.random.choice([f"coalesce({column}, 0)", f"({column} + 1)"])
        if kind == TEXT:
            return self.random.choice([f"coalesce({column}, '')", f"upper({column})"])
        return f"({column} is true)"

    # FROM.

    def from_clause(self, level: Level, depth: int) -> str:
        if self.one_in(20):
            return ""
        text = self.source(level, depth)
        for _ in range(self.random.choice((0, 0, 1, 1, 1, 2))):
            text = self.joined(text, level, depth)
        return f" from {text}"

    def joined(self, left: str, level: Level, depth: int) -> str:
        """*left*, which is all of *level* so far, joined to something that *level* gains."""
        before = list(level.sources)
        kind = self.random.choice(["join", "left join", "left join", "right join", "full join"])
        inner = Level(outer=level.outer)
        if self.one_in(6):
            return f"{left} cross join {self.source(level, depth)}"
        if self.one_in(4):
            lateral = Level(before, level.outer)
            right = self.source(lateral, depth)
            inner.sources = lateral.sources[len(before) :]
            kind = self.random.choice(["join", "left join"]) if "lateral" in right else kind
        elif self.one_in(4):
            right = f"({self.joined(self.source(inner, depth, lateral=False), inner, 0)})"
        else:
            right = self.source(inner, depth, lateral=False)
        level.sources = before + inner.sources
        if len(before) == len(inner.sources) == 1 and self.one_in(4):
            shared = [
                name
                for name, of in before[0].columns.items()
                if of == INT and inner.sources[0].columns.get(name) == INT
            ]
            if shared:
                name, alias = self.random.choice(shared), self.alias()
                level.sources.append(Source(alias, {name: INT}))
                return f"{left} {kind} {right} using ({name}) as {alias}"
        return f"{left} {kind} {right} on {self.on(before, inner.sources, level, kind)}"

    def on(self, before: list[Source], added: list[Source], level: Level, kind: str) -> str:
        left, right = Level(before).columns(INT), Level(added).columns(INT)
        cast = ""
        if kind != "full join" and self.one_in(4):
            texts = Level(before).columns(TEXT), Level(added).columns(TEXT)
            left, right = texts if all(texts) else (left, right)
            cast = f"::{self.text_type()}" if all(texts) and self.one_in(2) else ""
        if not left or not right:
            return "true"
        equal = f"{self.random.choice(left)} = {self.random.choice(right)}{cast}"
        if kind == "full join" or not self.one_in(4):
            return equal
        return f"{equal} and {self.condition(Level(before + added, level.outer), 1)}"

    def source(self, level: Level, depth: int, lateral: bool = True) -> str:
        """Something to select from, which *level* gains."""
        alias = self.alias()
        names = list(self.ctes[-1])
        choice = self.random.randrange(12)
        if names and choice < 5:
            name = self.random.choice(names)
            level.sources.append(Source(alias, self.ctes[-1][name]))
            return f"{name} as {alias}"
        if depth > 0 and choice in (5, 6):
            beside = lateral and bool(level.sources) and self.one_in(2)
            around = Level(list(level.sources), level.outer) if beside else level.outer
            text, columns = self.query(depth - 1, around)
            level.sources.append(Source(alias, columns))
            return f"{'lateral ' if beside else ''}({text}) as {alias}"
        if choice == 8 and self.one_in(3):
            text, columns = self.chain()
            level.sources.append(Source(alias, columns))
            return f"({text}) as {alias}"
        if choice == 7 and self.one_in(2):
            level.sources.append(Source(alias, {"v": INT, "o": INT}))
            calls = ["generate_series(1, 2)", "unnest(array[1, null])", "unnest(array[1, 2])"]
            return f"{self.random.choice(calls)} with ordinality as {alias} (v, o)"
        name = self.random.choice(list(TABLES))
        level.sources.append(Source(alias, TABLES[name]))
        only = "only " if name == "h" and self.one_in(3) else ""
        return f"{only}{name} as {alias}"

    def chain(self) -> tuple[str, dict[str, str]]:
        """Tables joined one after the other by USING, most of them by full joins."""
        name = self.random.choice(("id", "k", "n"))
        tables = [self.random.choice(("a", "b", "c", "e", "f")) for _ in range(3)]
        aliases = [self.alias() for _ in tables]
        text = f"{tables[0]} as {aliases[0]}"
        for table, alias in zip(tables[1:], aliases[1:], strict=True):
            kind = self.random.choice(["full join", "full join", "full join", "left join", "join"])
            text = f"{text} {kind} {table} as {alias} using ({name})"
        first, second, third = aliases
        columns = {
            "id": name,
            "n": f"coalesce({second}.n, {name})",
            "k": f"coalesce({first}.k, {third}.k)",
            "m": f"coalesce({first}.k, {second}.k, {third}.k)",
            "s": f"coalesce({third}.s, {first}.s)",
        }
        where = f" where {first}.k is not null" if self.one_in(5) else ""
        items = ", ".join(f"{expression} as {alias}" for alias, expression in columns.items())
        kinds = dict.fromkeys(("id", "n", "k", "m"), INT) | {"s": TEXT}
        return f"select {items} from {text}{where}", kinds

    # Expressions.

    def any_type(self) -> str:
        return self.random.choice((INT, INT, INT, TEXT, TEXT, BOOL, BOOL, NUM, TIME, ARRAY, DOC))

    def typed(self, kind: str, level: Level, depth: int) -> str:
        """An expression of type *kind*."""
        named = level.columns(kind)
        if kind == INT and self.parameters and self.one_in(4):
            return f":{self.random.choice(self.parameters)}::integer"
        if named and (depth <= 0 or self.one_in(2)):
            return self.random.choice(named)
        outer = level.outer
        if outer is not None and self.one_in(6):
            above = outer.columns(kind)
            if above:
                return self.random.choice(above)
        if depth <= 0:
            return self.literal(kind)
        return self.compound(kind, level, depth)

    def text_type(self) -> str:
        return self.random.choice(["varchar", "varchar(2)", "char(2)", "bpchar", "name", "text"])

    def compared_text(self, level: Level) -> str:
        """An equality of texts, of which one type may call more equal than another."""
        named = level.columns(TEXT) or ["'x'"]
        left = self.random.choice(named)
        right = self.random.choice([*named, "'x'", "'x '", f"'x'::{self.text_type()}"])
        left = f"{left}::{self.text_type()}" if self.one_in(4) else left
        return f"{left} = {right}"

    def literal(self, kind: str) -> str:
        if self.one_in(4):
            return f"null::{self.sql_type(kind)}"
        match kind:
            case "int":
                return str(self.random.randint(0, 3))
            case "text":
                return self.random.choice(["'x'::text", "''::text", "'p'::text"])
            case "bool":
                return self.random.choice(["true", "false"])
            case "time":
                return self.random.choice(["now()", "'infinity'::timestamptz"])
            case "array":
                return self.random.choice(["'{1,2}'::integer[]", "array[1, null]", "'{}'::int[]"])
            case "doc":
                return self.random.choice(["'{}'::jsonb", "'null'::jsonb", "'{\"v\": 1}'::jsonb"])
            case _:
                return self.random.choice(["1.5", "0::numeric", "'NaN'::numeric"])

    def sql_type(self, kind: str) -> str:
        return {
            INT: "integer",
            TEXT: "text",
            BOOL: "boolean",
            TIME: "timestamptz",
            ARRAY: "integer[]",
            DOC: "jsonb",
            NUM: "numeric",
        }[kind]

    def compound(self, kind: str, level: Level, depth: int) -> str:
        def one(of: str) -> str:
            return self.typed(of, level, depth - 1)

        if self.one_in(3):
            return self.pick(
                lambda: f"coalesce({one(kind)}, {one(kind)})",
                lambda: self.case(kind, level, depth),
                lambda: f"nullif({one(kind)}, {one(kind)})" if kind != DOC else one(kind),
                lambda: f"(case when {self.condition(level, depth - 1)} then {one(kind)} end)",
            )
        if self.one_in(6) and level.grouped is None:
            text, _ = self.query(0, level, [kind])
            return f"(select q.c1 from ({text}) as q limit 1)"
        if self.one_in(8) and level.grouped is None:
            return f"(select {one(kind)})"
        match kind:
            case "int":
                return self.pick(
                    lambda: f"({one(INT)} + {one(INT)})",
                    lambda: f"greatest({one(INT)}, {one(INT)})",
                    lambda: f"length({one(TEXT)})",
                    lambda: f"cardinality({one(ARRAY)})",
                    lambda: f"array_length({one(ARRAY)}, 1)",
                    lambda: f"({one(ARRAY)})[1]",
                    lambda: f"abs({one(INT)})",
                    lambda: f"({one(INT)})::{self.random.choice(['bigint', 'numeric'])}::integer",
                    lambda: f"odd_is_null({one(INT)})",
                    lambda: f"num_nulls({one(INT)}, {one(TEXT)})",
                    lambda: f"({one(DOC)} ->> 'v')::integer",
                    lambda: f"({one(NUM)} > 0)::integer",
                    lambda: f"({one(BOOL)})::integer",
                )
            case "text":
                return self.pick(
                    lambda: f"({one(TEXT)} || {one(TEXT)})",
                    lambda: f"({one(TEXT)})::{self.text_type()}::text",
                    lambda: f"({one(TEXT)})::{self.text_type()}",
                    lambda: f"concat({one(TEXT)}, {one(INT)})",
                    lambda: f"concat_ws({one(TEXT)}, {one(TEXT)}, 'y')",
                    lambda: f"({one(INT)})::text",
                    lambda: f"({one(DOC)} ->> 'v')",
                    lambda: f"substring({one(TEXT)} from 'x')",
                    lambda: f"substring({one(TEXT)} from 1)",
                    lambda: f"to_char({one(TIME)}, 'YYYY')",
                    lambda: f"upper({one(TEXT)})",
                    lambda: f"array_to_string({one(ARRAY)}, ',')",
                    lambda: f"jsonb_typeof({one(DOC)})",
                )
            case "bool":
                return f"({self.condition(level, depth)})"
            case "time":
                return self.pick(
                    lambda: f"date_trunc('day', {one(TIME)})",
                    lambda: f"({one(TIME)} + interval '1 day')",
                    lambda: f"greatest({one(TIME)}, {one(TIME)})",
                )
            case "array":
                return self.pick(
                    lambda: f"array[{one(INT)}, {one(INT)}]",
                    lambda: f"array_append({one(ARRAY)}, {one(INT)})",
                    lambda: f"({one(ARRAY)} || {one(ARRAY)})",
                    lambda: f"array(select {one(INT)})" if level.grouped is None else one(ARRAY),
                    lambda: f"array_remove({one(ARRAY)}, {one(INT)})",
                )
            case "doc":
                return self.pick(
                    lambda: f"jsonb_build_object('v', {one(INT)})",
                    lambda: f"({one(DOC)} -> 'v')",
                    lambda: f"to_jsonb({one(INT)})",
                )
            case _:
                return self.pick(
                    lambda: f"({one(INT)})::numeric",
                    lambda: f"extract(epoch from {one(TIME)})",
                    lambda: f"extract(hour from {one(TIME)})",
                    lambda: f"({one(NUM)} * {one(INT)})",
                    lambda: f"round({one(NUM)})",
                )

    def case(self, kind: str, level: Level, depth: int) -> str:
        """CASE, often one that asks for NULL and then uses the column it asked about."""
        named = level.columns(kind)
        if named and self.one_in(2):
            column = self.random.choice(named)
            test = self.random.choice(["is null", "is not null"])
            first, second = self.typed(kind, level, 0), column
            if test == "is not null":
                first, second = second, first
            return f"(case when {column} {test} then {first} else {second} end)"
        branch = (
            f"when {self.condition(level, depth - 1)} then {self.typed(kind, level, depth - 1)}"
        )
        return f"(case {branch} else {self.typed(kind, level, depth - 1)} end)"

    def condition(self, level: Level, depth: int) -> str:
        """An expression of type boolean, often one that asks for NULL."""

        def one(of: str) -> str:
            return self.typed(of, level, depth - 1)

        kind = self.random.choice((INT, INT, TEXT, BOOL, TIME, ARRAY))
        operator = self.random.choice(["=", "<>", "<", ">=", "is distinct from"])
        if depth > 0 and self.one_in(3):
            inner = self.condition(level, depth - 1)
            tests = ["true", "not true", "false", "not false", "unknown", "not unknown"]
            return self.pick(
                lambda: f"({inner} and {self.condition(level, depth - 1)})",
                lambda: f"({inner} or {self.condition(level, depth - 1)})",
                lambda: f"(not {inner})",
                lambda: f"(({inner}) is {self.random.choice(tests)})",
            )
        choices: list[Callable[[], str]] = [
            lambda: f"{one(kind)} is not null",
            lambda: f"{one(kind)} is not null",
            lambda: f"{one(kind)} is null",
            lambda: f"{one(kind)} {operator} {one(kind)}",
            lambda: f"{one(INT)} {operator} {one(INT)}",
            lambda: f"{one(TEXT)} like '%'",
            lambda: self.compared_text(level),
            lambda: self.compared_text(level),
            lambda: f"{one(INT)} in (1, 2, {one(INT)})",
            lambda: f"{one(INT)} = any ({one(ARRAY)}::integer[])",
            lambda: f"{one(INT)} <> all ({one(ARRAY)}::integer[])",
            lambda: f"{one(INT)} not in (1, {one(INT)})",
            lambda: f"({one(INT)}, {one(INT)}) < ({one(INT)}, {one(INT)})",
            lambda: f"({one(INT)}, {one(TEXT)}) is not null",
            lambda: f"{one(INT)} between {one(INT)} and {one(INT)}",
            lambda: f"{one(ARRAY)} @> {one(ARRAY)}",
            lambda: f"{one(DOC)} ? 'v'",
            lambda: one(BOOL) if depth > 0 else "true",
        ]
        if depth > 0 and level.grouped is None:
            choices += [
                lambda: f"exists ({self.query(0, level)[0]})",
                lambda: f"{one(INT)} in ({self.query(0, level, [INT])[0]})",
                lambda: f"{one(INT)} not in ({self.query(0, level, [INT])[0]})",
                lambda: f"{one(INT)} >= all ({self.query(0, level, [INT])[0]})",
            ]
        return self.pick(*choices)

    # Aggregates and windows.

    def aggregate(self, kind: str, level: Level) -> str:
        def one(of: str) -> str:
            return self.typed(of, Level(level.sources, level.outer), 1)

        text = {
            INT: lambda: self.pick(
                lambda: "count(*)::integer",
                lambda: f"count({one(INT)})::integer",
                lambda: f"max({one(INT)})",
                lambda: f"sum({one(INT)})::integer",
                lambda: f"regr_count(1, {one(INT)})::integer",
                lambda: f"(mode() within group (order by {one(INT)}))",
            ),
            TEXT: lambda: self.pick(
                lambda: f"min({one(TEXT)})",
                lambda: f"string_agg({one(TEXT)}, ',')",
                lambda: f"(array_agg({one(TEXT)}))[1]",
            ),
            BOOL: lambda: self.pick(
                lambda: f"bool_and({one(BOOL)})",
                lambda: f"every({one(BOOL)})",
                lambda: f"(count({one(INT)}) > 1)",
            ),
            TIME: lambda: f"max({one(TIME)})",
            ARRAY: lambda: f"array_agg({one(INT)})",
            DOC: lambda: f"jsonb_agg({one(INT)})",
            NUM: lambda: self.pick(
                lambda: f"avg({one(INT)})",
                lambda: f"sum({one(NUM)})",
                lambda: f"stddev({one(INT)})",
                lambda: f"var_pop({one(INT)})",
            ),
        }[kind]()
        if self.one_in(5) and text.endswith(")") and text[0] not in "(":
            text += f" filter (where {self.condition(Level(level.sources, level.outer), 1)})"
        if self.one_in(4):
            return f"coalesce({text}, {self.literal(kind)})"
        return text

    def windowed(self, kind: str, level: Level, depth: int) -> str:
        """A window function of type *kind*, or another expression."""
        if self.one_in(3):
            return self.typed(kind, level, depth)
        one = self.typed(kind, level, 1)
        calls = [
            f"lag({one}) ",
            f"lead({one}, 1, {self.typed(kind, level, 1)}) ",
            f"first_value({one}) ",
            f"last_value({one}) ",
            f"nth_value({one}, 2) ",
        ]
        if kind == INT:
            calls += ["row_number() ", "rank() ", "dense_rank() ", "ntile(2) "]
            calls += [f"max({one}) ", f"sum({one}) ", f"count({one}) ", "count(*) "]
        text = self.random.choice(calls) + f"over ({self.window(level)})"
        text = f"({text})::{self.sql_type(kind)}"
        if self.one_in(4):
            column = self.typed(kind, level, 0)
            return f"(case when {column} is not null then {text} else {self.literal(kind)} end)"
        return text

    def window(self, level: Level) -> str:
        keys = level.columns(INT) or ["1"]
        partition = f"partition by {self.random.choice(keys)} " if self.one_in(2) else ""
        order = f"order by {self.random.choice(keys)} "
        frames = [
            "",
            "",
            "rows between unbounded preceding and current row",
            "rows between 1 preceding and 1 following",
            "rows between 2 preceding and 1 preceding",
            "rows between 1 following and 2 following",
            "groups between 1 preceding and current row",
            "range between 1 preceding and 1 following",
            "range between 1 following and 2 following",
            "rows between unbounded preceding and unbounded following exclude current row",
            "rows between current row and unbounded following exclude ties",
            "groups between current row and 1 following exclude group",
        ]
        frame = self.random.choice(frames)
        if "range between 1" in frame and order == "order by 1 ":
            frame = ""
        return f"{partition}{order}{frame}"

    # Statements that write.

    def dml(self) -> str:
        table = self.random.choice(WRITABLE)
        columns = {name: kind for name, kind in TABLES[table].items() if name != "twice"}
        target = Level([Source("x", TABLES[table])])
        match self.random.randrange(4):
            case 0:
                text = self.insert(table, columns)
            case 1:
                text = f"delete from {table} as x"
                if self.one_in(3):
                    extra = Level()
                    text += f" using {self.source(extra, 1, lateral=False)}"
                    target.sources += extra.sources
                text += f" where {self.condition(target, 2)}"
            case _:
                text = self.update(table, columns, target)
        returned = ", ".join(self.returned(target) for _ in range(self.random.randint(1, 4)))
        text = f"{text} returning {returned}"
        return f"with z as ({text}) select * from z" if self.one_in(4) else text

    def insert(self, table: str, columns: dict[str, str]) -> str:
        """INSERT of chosen values, or of rows of another table, perhaps with ON CONFLICT."""
        given = {"id": "100", "k": "1", "n": self.literal(INT), "s": self.literal(TEXT)}
        given |= {
            name: text
            for name, text in (("z", "'z'"), ("q", "true"), ("d", "3"))
            if name in columns
        }
        if table == "b":
            given["n"] = "null"
        if table == "vs":
            given["n"] = "2"
        rest = f"values ({', '.join(given.values())})"
        if not self.one_in(3):
            level = Level([Source("y", TABLES["a"])])
            given |= {"id": "y.id + 40", "s": self.typed(TEXT, level, 2)}
            if table not in ("b", "vs"):
                given |= {"n": self.typed(INT, level, 2), "k": "y.k"}
            rest = (
                f"select {', '.join(given.values())} from a as y where {self.condition(level, 1)}"
            )
        text = f"insert into {table} as x ({', '.join(given)}) {rest}"
        if table in ("a", "e", "g", "w") and self.one_in(2):
            action = self.random.choice(
                ["nothing", "update set n = null, s = excluded.s", "update set n = excluded.k"]
            )
            text += f" on conflict (id) do {action}"
        return text.replace("y.id + 40", "y.id") if self.one_in(2) and "conflict" in text else text

    def update(self, table: str, columns: dict[str, str], target: Level) -> str:
        """UPDATE of one or two columns, perhaps from another table."""
        settable = [name for name in ("n", "s", "b", "arr", "at", "doc") if name in columns]
        names = self.random.sample(settable, self.random.randint(1, min(2, len(settable))))
        extra = Level()
        source = ""
        if self.one_in(3):
            source = f" from {self.source(extra, 1, lateral=False)}"
            target.sources += extra.sources
        sets = []
        for name in names:
            value = self.typed(columns[name], target, 1)
            if table in ("b", "vs") and name == "n":
                value = "2" if table == "vs" else "null"
            sets.append(f"{name} = {value}")
        return (
            f"update {table} as x set {', '.join(sets)}{source} where {self.condition(target, 2)}"
        )

    def returned(self, target: Level) -> str:
        """An item of RETURNING; from 18 also of the row as it was, or as it is now."""
        own = target.sources[0].columns
        name = self.random.choice(list(own))
        if self.major >= 18 and self.one_in(3):
            return f"{self.random.choice(['old', 'new'])}.{name}"
        return self.typed(self.any_type(), target, 1) if self.one_in(4) else f"x.{name}"
