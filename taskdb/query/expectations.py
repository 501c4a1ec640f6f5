"""Expectations: what PostgreSQL makes of each query, kept in files that a person reviews.

`taskdb check --write` writes one file an area into the folder `Queries.expectations`, so that a
package carries both. Facts of a kind share lines; those after the first begin with `|`::

    query claim_next, one row at most
        text    5f3a0c9e1b2d4f60
        takes   agent text not null | agent_type text not null, if given
        gives   task_id uuid not null
        reads   task_claims
        writes  tasks
        through ready_tasks
        needs   select on ready_tasks

`taskdb check` compares the database of the migrations with them, and `taskdb.verify` the live one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from taskdb.query._queries import Queries
from taskdb.query._query import Query
from taskdb.query.errors import QueryDefinitionError

__all__ = [
    "Area",
    "Expectation",
    "Need",
    "Value",
    "area_of",
    "label_of",
    "read",
    "text_hash",
]

WIDTH: Final = 100
REMEDY: Final = "Run `taskdb check --write`, and review the difference"

_HEAD: Final = (
    "# What PostgreSQL makes of {area}.sql: written by `taskdb check --write`, for review."
)
_SINGLE: Final = ", one row at most"
_VALUE: Final = re.compile(r'("(?:[^"]|"")+"|\S+) (.+?)( not null)?( by the query)?(, if given)?')
_PLAIN: Final = re.compile(r"[^\s\"|]+")
_PART: Final = re.compile(r'(?:"(?:[^"]|"")*"|[^"|])+')


@dataclass(frozen=True, slots=True)
class Value:
    """A parameter or a column: its name, its type, and whether it may be NULL.

    `by_query` says of a column that it is never NULL although its table allows it, `if_given`
    of a parameter that its lines can be left out.
    """

    name: str
    type: str
    not_null: bool
    by_query: bool = False
    if_given: bool = False

    def __str__(self) -> str:
        name = self.name if _PLAIN.fullmatch(self.name) else _quoted(self.name)
        text = f"{name} {self.type}{' not null' if self.not_null else ''}"
        return f"{text}{' by the query' if self.by_query else ''}{', if given' * self.if_given}"

    @classmethod
    def of(cls, text: str) -> Value:
        """Read what `str` wrote. Raises ValueError."""
        found = _VALUE.fullmatch(text)
        if not found:
            raise ValueError(f"{text!r} is no name and type")
        name = found[1]
        if name.startswith('"'):
            name = name[1:-1].replace('""', '"')
        return cls(name, found[2], *(bool(found[number]) for number in (3, 4, 5)))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, order=True, slots=True)
class Need:
    """A privilege that a statement needs of who runs it; views' own rights are their owner's."""

    privilege: str
    relation: str

    def __str__(self) -> str:
        return f"{self.privilege} on {self.relation}"

    @classmethod
    def of(cls, text: str) -> Need:
        """Read what `str` wrote. Raises ValueError."""
        privilege, on, relation = text.partition(" on ")
        if not on:
            raise ValueError(f"{text!r} is no privilege on a relation")
        return cls(privilege, relation)


@dataclass(frozen=True, slots=True)
class Expectation:
    """Expectation of one query; `reads` and `writes` name tables, `through` views.

    `within` are the fields of rows inside its columns, by their way (`items[].price`); `unique`
    the unique indexes by which its `on conflict` knows a conflict.
    """

    name: str
    text: str = ""
    takes: tuple[Value, ...] = ()
    gives: tuple[Value, ...] = ()
    within: tuple[Value, ...] = ()
    single: bool = False
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    through: tuple[str, ...] = ()
    unique: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()

    def facts(self) -> Iterator[str]:
        """Yield its facts one by one."""
        yield f"query {self.name}{_SINGLE if self.single else ''}"
        yield f"text {self.text}"
        for word in _LISTS:
            yield from (f"{word} {each}" for each in getattr(self, word))

    def __str__(self) -> str:
        lines = [f"query {self.name}{_SINGLE if self.single else ''}", f"    text    {self.text}"]
        for word in _LISTS:
            lines += _wrapped(f"    {word:<7} ", [str(each) for each in getattr(self, word)])
        return "\n".join(lines)


def _wrapped(head: str, facts: Sequence[str]) -> Iterator[str]:
    """Yield lines with as many of the *facts* each as fit."""
    line = ""
    for fact in facts:
        if line and len(line) + len(fact) + 3 > WIDTH:
            yield line
            line = f"{'|':>{len(head) - 1}} {fact}"
        else:
            line = f"{line} | {fact}" if line else head + fact
    if line:
        yield line


_LISTS: Final = ("takes", "gives", "within", "reads", "writes", "through", "unique", "needs")
_READERS: Final = {
    "takes": Value.of,
    "gives": Value.of,
    "within": Value.of,
    "needs": Need.of,
}


@dataclass(frozen=True, slots=True)
class Area:
    """The expectations of one file of queries.

    `labels` are those of the enums among their types, `rows` the fields of the composites.
    """

    name: str
    queries: dict[str, Expectation]
    labels: dict[str, tuple[str, ...]]
    rows: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def __str__(self) -> str:
        enums = [f"enum {name}: {' | '.join(labels)}" for name, labels in self.labels.items()]
        enums += [f"row {name}: {' | '.join(fields)}" for name, fields in self.rows.items()]
        blocks = map(str, self.queries.values())
        parts = [_HEAD.format(area=self.name), *(["\n".join(enums)] if enums else []), *blocks]
        return "\n\n".join(parts) + "\n"

    @classmethod
    def of(cls, name: str, text: str, label: str) -> Area:
        """Read what `str` wrote. Raises QueryDefinitionError with the line."""
        area = cls(name, {}, {})
        facts: dict[str, Any] = {}
        for number, line in enumerate(text.splitlines(), 1):
            try:
                facts = area._read(line, facts)
            except (ValueError, KeyError) as exc:
                raise QueryDefinitionError(
                    f"the expectations can't be read: {exc}", where=f"{label}:{number}", hint=REMEDY
                ) from exc
        area._finish(facts)
        return area

    def _read(self, line: str, facts: dict[str, Any]) -> dict[str, Any]:
        word, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        if not word or word.startswith("#"):
            return facts
        if word == "|" and facts:
            word = facts["last"]
        if word in ("enum", "row"):
            name, _, parts = rest.partition(": ")
            known = self.labels if word == "enum" else self.rows
            known[name] = tuple(parts.split(" | "))
        elif word == "query":
            self._finish(facts)
            return {"name": rest.removesuffix(_SINGLE), "single": rest.endswith(_SINGLE)}
        elif word == "text" and facts:
            facts["text"] = rest
        elif word in _LISTS and facts:
            read = _READERS.get(word, str)
            values = [read(part.strip()) for part in _PART.findall(rest)]
            facts[word] = (*facts.get(word, ()), *values)
            facts["last"] = word
        else:
            raise ValueError(f"{word!r} is no kind of fact")
        return facts

    def _finish(self, facts: dict[str, Any]) -> None:
        if facts:
            facts.pop("last", None)
            self.queries[facts["name"]] = Expectation(**facts)


def area_of(query: Query[Any, Any]) -> tuple[str, str]:
    """Return the area of *query*, which is its file, and its name there."""
    area, _, name = query.name.rpartition(".")
    return area, name


def text_hash(query: Query[Any, Any]) -> str:
    """Return what tells whether a query's text is the one that was written of."""
    statement = query.statement
    lines = statement.source.text[statement.start : statement.end].splitlines()
    text = "\n".join(line.rstrip() for line in lines)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def label_of(queries: Queries, area: str) -> str:
    """Return how messages spell the file of an area: `sql/expectations/tasks.txt`."""
    return f"{queries.expectations_label}/{area}.txt"


def read(queries: Queries, areas: Iterable[str] | None = None) -> dict[str, Area]:
    """Read the files of *areas*, of all without; one that is not there is left out.

    Raises QueryDefinitionError for one that can't be read.
    """
    found: dict[str, Area] = {}
    folder = queries.expectations
    if areas is None:
        names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
        areas = sorted(name.removesuffix(".txt") for name in names if name.endswith(".txt"))
    for area in dict.fromkeys(areas):
        entry = folder / f"{area}.txt"
        if entry.is_file():
            text = entry.read_text(encoding="utf-8")
            found[area] = Area.of(area, text, label_of(queries, area))
    return found
