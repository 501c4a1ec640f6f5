"""The contract check: every text of every query, against a migrated database and its stub.

Each variant of a query is parsed, described and planned by the server, never run. What the server
then knows of parameters and columns is compared with the stub's annotations, both ways:
names, types, NULLs, and whether more than one row can come.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, NamedTuple, cast, get_args, get_origin
from uuid import UUID

import psycopg
from psycopg import Connection

from taskdb.query import Unset
from taskdb.query._annotations import NONE, is_any, is_class, members, spelled, unwrapped
from taskdb.query._execution import Query, place_of
from taskdb.query._lexer import Kind
from taskdb.query._parameters import Parameter
from taskdb.query._results import Field, Size, bare_name
from taskdb.query._statements import Variant
from taskdb.query.catalogue import contract
from taskdb.query.catalogue.contract import TypeFacts
from taskdb.query.check.catalogue import Catalogue
from taskdb.query.check.describe import Column, Description, describe
from taskdb.query.check.planning import EXPLAIN, plan

__all__ = [
    "MOST_VARIANTS",
    "Described",
    "Finding",
    "Override",
    "check",
    "compare",
    "describe_all",
    "overrides",
    "type_facts",
    "variants",
]

MOST_VARIANTS: Final = 64
"""Up to so many, all combinations of a query's `-- if` lines are checked; beyond, pairwise."""

AnyQuery = Query[Any, Any]

# What each Python type is sent as and read from, by the server's number of the type.
_OIDS: Final[dict[type, frozenset[int]]] = {
    bool: frozenset({16}),
    bytes: frozenset({17}),
    int: frozenset({20, 21, 23, 26}),
    float: frozenset({700, 701}),
    # 4072 is jsonpath.
    str: frozenset({18, 19, 25, 1042, 1043, 4072}),
    Decimal: frozenset({1700}),
    UUID: frozenset({2950}),
    date: frozenset({1082}),
    time: frozenset({1083}),
    datetime: frozenset({1184}),
    timedelta: frozenset({1186}),
}
_JSON: Final = frozenset({114, 3802})
_TEXT: Final = _OIDS[str]


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement: where it is on either side, what each has, and how to mend it."""

    query: str
    message: str
    sql_where: str
    python_where: str
    remedy: str

    def __str__(self) -> str:
        return (
            f"{self.sql_where}: {self.query}: {self.message} ({self.python_where}). {self.remedy}."
        )


class Described(NamedTuple):
    """One text of a query, and what the server says of it, or why it refuses it."""

    query: AnyQuery
    variant: Variant
    result: Description | Finding


@dataclass(frozen=True, slots=True)
class Override:
    """A column whose author knows better: `as "name!"` is never NULL, `as "name?"` may be."""

    query: str
    column: str
    nullable: bool
    reason: str
    where: str
    offset: int


def overrides(query: AnyQuery) -> list[Override]:
    """Return the overrides in a query's text; the reason is the comment that ends the line."""
    source = query.statement.source
    found: list[Override] = []
    for token in query.statement.tokens:
        text = source.text[token.start : token.end]
        if token.kind is Kind.QUOTED_IDENTIFIER and text.endswith(('!"', '?"')):
            rest = source.text[token.end : source.line_end(token.end)]
            reason = rest.partition("--")[2].strip()
            found.append(
                Override(
                    query.name,
                    text[1:-1],
                    text.endswith('?"'),
                    reason,
                    source.where(token.start),
                    token.start,
                )
            )
    return found


def check(conn: Connection[Any], queries: Iterable[AnyQuery]) -> list[Finding]:
    """Compare *queries* (a `Queries`, or some of one) with the database of *conn*.

    Names without a schema are those of its search_path.

    Nothing is run, and the connection is left as it was. Returns what disagrees, once each.
    """
    queries = list(queries)
    return compare(conn, queries, describe_all(conn, queries, Catalogue()))


def describe_all(
    conn: Connection[Any], queries: Iterable[AnyQuery], catalogue: Catalogue
) -> list[Described]:
    """Have each text of each of *queries* described; a COPY has nothing to describe."""
    return [
        Described(query, variant, _describe(conn, query, variant, catalogue))
        for query in queries
        if query.statement.copy_columns is None
        for variant in variants(query)
    ]


def compare(
    conn: Connection[Any], queries: Iterable[AnyQuery], described: Sequence[Described]
) -> list[Finding]:
    """Compare *queries* with what was *described* of them, and each COPY with its table."""
    types = type_facts(conn, (each for _, _, each in described if isinstance(each, Description)))
    findings: dict[Finding, None] = {}
    for query, variant, result in described:
        if isinstance(result, Finding):
            findings[result] = None
        else:
            findings.update(dict.fromkeys(_Comparison(query, variant, result, types).findings()))
    for query in queries:
        if query.statement.copy_columns is not None:
            findings.update(dict.fromkeys(_copy_findings(conn, query)))
    findings.update(dict.fromkeys(_needless_overrides(described)))
    findings.update(dict.fromkeys(_needless_options(described)))
    return list(findings)


def variants(query: AnyQuery) -> Iterator[Variant]:
    """All combinations of `-- if` lines; where those are too many, each alone and all pairs."""
    groups = query.statement.groups
    if 2 ** len(groups) <= MOST_VARIANTS:
        yield from query.variants()
        return
    # Any two groups differ in some digit of their numbers: with the groups that have the digit,
    # with those that don't, with all and with none, every pair is seen in all four ways.
    everything = frozenset[str]().union(*groups)
    chosen = dict.fromkeys((frozenset[str](), everything, *groups))
    for digit in range(len(groups).bit_length()):
        some = frozenset[str]().union(
            *(group for number, group in enumerate(groups) if number >> digit & 1)
        )
        chosen.update(dict.fromkeys((some, everything - some)))
    for present in chosen:
        yield query.statement.variant(present, query.mark)


def _describe(
    conn: Connection[Any], query: AnyQuery, variant: Variant, catalogue: Catalogue
) -> Description | Finding:
    by_name = {each.name: each for each in query.parameters}
    not_null = [
        number
        for number, name in enumerate(variant.parameters, start=1)
        if not by_name[name].nullable
        # Its lines are in, so it is not None, unless None is a value beside UNSET.
        or (name in variant.present and not by_name[name].unsettable)
    ]
    try:
        found = describe(conn, variant.text, parameters_not_null=not_null, catalogue=catalogue)
    except psycopg.Error as exc:
        return _refused(query, variant, exc)
    if _is_utility(query):
        return found
    try:
        return replace(found, arbiters=plan(conn, variant.text, found.parameters, catalogue))
    except psycopg.Error as exc:
        return _refused(query, variant, exc, len(EXPLAIN))


# What has a plan begins with one of these, or with a parenthesis.
_PLANNED: Final = frozenset(
    {"select", "insert", "update", "delete", "merge", "with", "values", "table"}
)


def _is_utility(query: AnyQuery) -> bool:
    source, first = query.statement.source, query.statement.tokens[0]
    word = source.text[first.start : first.end].lower()
    return word not in _PLANNED and word != "("


def _refused(query: AnyQuery, variant: Variant, exc: psycopg.Error, before: int = 0) -> Finding:
    """The finding of what the server refuses; its position counts what stands *before* the text."""
    position = exc.diag.statement_position
    offset = variant.offset(int(position) - 1 - before) if position else query.statement.at
    return Finding(
        query.name,
        f"the server refuses it: {exc.diag.message_primary or exc}",
        query.statement.source.where(offset),
        place_of(query.function),
        exc.diag.message_hint or "Mend the statement, or the schema it was written for",
    )


def type_facts(
    conn: Connection[Any], described: Iterable[Description], others: Collection[int] = ()
) -> dict[int, TypeFacts]:
    """Return what is known of the types of parameters and columns, and of what they stand on."""
    wanted: set[int] = set(others) | {
        oid
        for each in described
        for oid in (
            *(column.type_oid for column in each.columns),
            *(parameter.type_oid for parameter in each.parameters),
        )
    }
    known: dict[int, TypeFacts] = {}
    while missing := sorted(wanted - known.keys()):
        rows: list[TypeFacts] = contract.types(conn, oids=missing)
        found = {facts.oid: facts for facts in rows}
        known |= {oid: found.get(oid, _nothing(oid)) for oid in missing}
        wanted |= {
            oid for facts in found.values() for oid in (facts.element_oid, facts.base_oid) if oid
        }
    return known


def _nothing(oid: int) -> TypeFacts:
    return TypeFacts(oid, f"type {oid}", "b", 0, 0, [])


class _Comparison:
    """One variant, as the server describes it, beside the annotations of its stub."""

    def __init__(
        self,
        query: AnyQuery,
        variant: Variant,
        description: Description,
        types: dict[int, TypeFacts],
    ) -> None:
        self.query = query
        self.variant = variant
        self.description = description
        self.types = types
        self.overrides = {each.column: each for each in overrides(query)}

    def findings(self) -> Iterator[Finding]:
        yield from self._parameters()
        yield from self._columns()
        yield from self._rows()

    def finding(self, message: str, remedy: str, offset: int | None = None) -> Finding:
        statement = self.query.statement
        return Finding(
            self.query.name,
            message,
            statement.source.where(statement.at if offset is None else offset),
            place_of(self.query.function),
            remedy,
        )

    def _parameters(self) -> Iterator[Finding]:
        by_name = {each.name: each for each in self.query.parameters}
        for name, seen in zip(self.variant.parameters, self.description.parameters, strict=True):
            parameter = by_name[name]
            problem = self.problem(_meant(parameter), seen.type_oid)
            if problem:
                yield self.finding(
                    f":{name} {problem}, its argument is annotated {spelled(parameter.annotation)}",
                    "Change the annotation, or cast the parameter in the statement",
                    self.query.statement.parameters[name][0],
                )

    def _columns(self) -> Iterator[Finding]:
        result, columns = self.query.result, self.description.columns
        if not columns:
            if result.size is not Size.NONE and not result.counts:
                yield self.finding(
                    f"has no result, but its function promises {spelled(result.annotation)}",
                    "Add returning, or return int or None",
                )
            return
        if result.size is Size.NONE:
            yield self.finding(
                "has a result, but its function returns None", "Return it, or drop it"
            )
            return
        if result.row is None:
            if len(columns) != 1:
                yield self.finding(
                    f"has {len(columns)} columns, but its function promises one value",
                    "Select one column, or return a dataclass",
                )
                return
            yield from self._column(result.fields[0], columns[0])
            return
        yield from self._named_columns(result.row, result.fields, columns)

    def _named_columns(
        self, row: type, fields: tuple[Field, ...], columns: tuple[Column, ...]
    ) -> Iterator[Finding]:
        by_name = {bare_name(column.name): column for column in columns}
        for field in fields:
            if field.name in by_name:
                yield from self._column(field, by_name[field.name])
            else:
                yield self.finding(
                    f"has no column {field.name}, which {row.__name__}.{field.name} takes",
                    "Select it, or drop the field",
                )
        for name in by_name.keys() - {field.name for field in fields}:
            yield self.finding(
                f"has a column {name}, which {row.__name__} has no field for",
                "Add the field, or drop the column",
            )

    def _column(self, field: Field, column: Column) -> Iterator[Finding]:
        named = self.query.result.named(field)
        problem = self.problem(members(field.annotation), column.type_oid)
        if problem:
            yield self.finding(
                f"column {column.name} {problem}, {named} is annotated {spelled(field.annotation)}",
                "Change the annotation, or cast the column",
            )
        override = self.overrides.get(column.name)
        if override is not None:
            yield from self._override(override)
        if (column.nullable if override is None else override.nullable) and not field.nullable:
            yield self.finding(
                f"column {column.name} may be NULL ({column.reason}), "
                f"but {named} is annotated {spelled(field.annotation)}",
                "Annotate it with | None, or make it NOT NULL",
            )

    def _override(self, override: Override) -> Iterator[Finding]:
        if not override.reason:
            yield self.finding(
                f"{override.column} overrides what the analysis finds, and gives no reason",
                "End its line with a comment that says why",
                override.offset,
            )

    def _rows(self) -> Iterator[Finding]:
        single = self.query.result.size in (Size.ONE, Size.AT_MOST_ONE)
        if single and self.description.columns and not self.description.at_most_one_row:
            yield self.finding(
                "may return more than one row, but its function promises at most one",
                "Compare a unique key, add limit 1, or return a list",
            )

    def problem(self, annotations: list[Any], oid: int) -> str | None:
        """Say what *oid* is, if none of the annotations is that."""
        wanted = [each for each in annotations if unwrapped(each)[0] not in (NONE, Unset)]
        if any(self._fits(annotation, oid) for annotation in wanted):
            return None
        facts = self.types[oid]
        labels = f" ({', '.join(facts.labels)})" if facts.labels else ""
        return f"is {facts.name}{labels}"

    def _fits(self, annotation: Any, oid: int) -> bool:
        facts = self.types[oid]
        if facts.base_oid:
            return self._fits(annotation, facts.base_oid)
        if is_any(annotation):
            return True
        meant, _ = unwrapped(annotation)
        if is_class(annotation, Enum):
            if facts.kind == "e":
                return {each.value for each in cast("type[Enum]", meant)} == set(facts.labels)
            return oid in _TEXT
        origin = get_origin(meant) or meant
        if oid in _JSON:
            return origin in (dict, list) or meant in (str, int, float, bool)
        if origin is list:
            items = get_args(meant) or (Any,)
            # (An array of a domain has a type of its own, which psycopg reads as text.)
            return (
                bool(facts.element_oid)
                and self.types[facts.element_oid].kind != "d"
                and any(
                    self._fits(member, facts.element_oid)
                    for member in members(items[0])
                    if unwrapped(member)[0] is not NONE
                )
            )
        return isinstance(meant, type) and oid in _OIDS.get(meant, ())


def _meant(parameter: Parameter) -> list[Any]:
    return members(parameter.annotation)


def _copy_findings(conn: Connection[Any], query: AnyQuery) -> Iterator[Finding]:
    """Compare a COPY's columns with the table's: they are there, and their types fit."""
    source = query.statement.source
    words = source.text[query.statement.start : query.statement.end].split(None, 2)
    relation = words[1].partition("(")[0]
    columns = {each.name: each for each in contract.copied_columns(conn, relation=relation)}
    described = Description("copy", (), (), False, (), (), ())
    oids = sorted({each.type_oid for each in columns.values()})
    types = type_facts(
        conn,
        [Description("copy", tuple(_as_column(oid) for oid in oids), (), False, (), (), ())],
    )
    comparison = _Comparison(query, next(query.variants()), described, types)
    for parameter in query.parameters:
        column = columns.get(parameter.name)
        if column is None:
            yield comparison.finding(
                f"{relation} has no column {parameter.name} to copy into",
                "Name one it has, or make it",
                query.statement.start,
            )
            continue
        problem = comparison.problem(_meant(parameter), column.type_oid)
        if problem:
            yield comparison.finding(
                f"{relation}.{column.name} {problem}, its argument is annotated "
                f"{spelled(parameter.annotation)}",
                "Change the annotation",
                query.statement.start,
            )


def _as_column(oid: int) -> Column:
    return Column("", oid, -1, None, None, True, "")


def _needless_overrides(described: Iterable[Described]) -> Iterator[Finding]:
    """Marks that say what the analysis finds by itself, of all variants taken together."""
    found: dict[tuple[str, int], bool] = {}
    marks: dict[tuple[str, int], tuple[AnyQuery, Override]] = {}
    for query, _, result in described:
        if isinstance(result, Finding):
            continue
        columns = {column.name: column.nullable for column in result.columns}
        for mark in overrides(query):
            if mark.column in columns:
                key = (query.name, mark.offset)
                found[key] = found.get(key, False) or columns[mark.column]
                marks[key] = (query, mark)
    for key, nullable in found.items():
        query, mark = marks[key]
        if mark.nullable == nullable:
            yield Finding(
                query.name,
                f"{mark.column} overrides nothing: the analysis finds the same",
                mark.where,
                place_of(query.function),
                "Name the column without the mark",
            )


def _needless_options(
    described: Iterable[Described],
) -> Iterator[Finding]:
    """A field that takes None although no query that fills it can return NULL there."""
    nullable: dict[tuple[type, str], bool] = {}
    first: dict[tuple[type, str], AnyQuery] = {}
    for query, _, result in described:
        row = query.result.row
        if row is None or isinstance(result, Finding):
            continue
        marked = {each.column: each.nullable for each in overrides(query)}
        seen = {
            bare_name(column.name): marked.get(column.name, column.nullable)
            for column in result.columns
        }
        for field in query.result.fields:
            if field.name in seen and field.nullable and not is_any(field.annotation):
                key = (row, field.name)
                nullable[key] = nullable.get(key, False) or seen[field.name]
                first.setdefault(key, query)
    for key, may_be_null in nullable.items():
        if not may_be_null:
            query = first[key]
            yield Finding(
                query.name,
                f"column {key[1]} is never NULL, in any query that returns {key[0].__name__}, "
                f"but {key[0].__name__}.{key[1]} takes None",
                query.where,
                place_of(query.function),
                "Drop | None from the field",
            )
