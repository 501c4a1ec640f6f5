"""Random queries: joins, groups, CTEs, recursion."""

from __future__ import annotations

from tests.check.random_queries.expressions import Expressions
from tests.check.random_queries.tables import BOOL, DOC, INT, TABLES, TEXT, Level, Source


class Selects(Expressions):
    """Makes random queries of those expressions."""

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
        if self.one_in(6):
            where = f" where {self.pinned(level)}"
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

    def pinned(self, level: Level) -> str:
        """An equality of a column of each source with a constant: that may leave one row."""
        parts = ["true"]
        for source in level.sources:
            kind = INT if self.one_in(2) else TEXT
            names = [name for name, of in source.columns.items() if of == kind]
            if names:
                value = str(self.random.randint(0, 3)) if kind == INT else "'x'"
                cast = f"::{self.text_type()}" if kind == TEXT and self.one_in(4) else ""
                parts.append(f"{source.alias}.{self.random.choice(names)}{cast} = {value}")
        return " and ".join(parts)

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
