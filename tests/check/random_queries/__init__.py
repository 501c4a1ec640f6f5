"""Random queries over a small schema full of NULLs, for the nullability fuzz.

Every query is valid SQL of a shape people write: joins of all kinds, subqueries, CTEs, views,
set operations, grouping sets, window frames, RETURNING. Values are small, so that conditions
hold often and joins match sometimes.
"""

from __future__ import annotations

from tests.check.random_queries.selects import Selects
from tests.check.random_queries.tables import INT, TABLES, TEXT, WRITABLE, Level, Source, schema

__all__ = ["Generator", "schema"]


class Generator(Selects):
    """Makes random statements; the same seed and major version make the same ones."""

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
