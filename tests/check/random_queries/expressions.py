"""Random expressions: values, conditions, aggregates, windows."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable

from tests.check.random_queries.tables import ARRAY, BOOL, DOC, INT, NUM, TEXT, TIME, Level


class Expressions(ABC):
    """Makes random expressions; the same seed and major version make the same ones."""

    def __init__(self, seed: int, major: int) -> None:
        self.random = random.Random(seed)
        self.major = major
        self.aliases = 0
        self.ctes: list[dict[str, dict[str, str]]] = [{}]
        self.parameters: list[str] = []

    @abstractmethod
    def query(
        self, depth: int, outer: Level | None = None, types: list[str] | None = None
    ) -> tuple[str, dict[str, str]]:
        """A query, and its columns. *types* are those it must have."""

    def one_in(self, count: int) -> bool:
        return self.random.randrange(count) == 0

    def pick(self, *choices: Callable[[], str]) -> str:
        return self.random.choice(choices)()

    def alias(self) -> str:
        self.aliases += 1
        return f"t{self.aliases}"

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
