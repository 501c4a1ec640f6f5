"""The contract check: every text of every query, against a migrated database and its stub.

Each variant of a query is parsed, described and planned by the server, never run. What the server
then knows of parameters and columns is compared with the stub's annotations, both ways:
names, types, NULLs, and whether more than one row can come.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import psycopg
from psycopg import Connection

from taskdb.query._annotations import NONE, members, type_name
from taskdb.query._combinations import MOST_COMBINATIONS
from taskdb.query._decisions import VOID, place_of
from taskdb.query._parameters import Parameter
from taskdb.query._results import Cardinality, Field
from taskdb.query._rowclasses import field_name
from taskdb.query._statements import Variant
from taskdb.query._types import encodes_json, fits, is_sequence, item_of, sends
from taskdb.query.catalogue import contract
from taskdb.query.check.catalogue import Catalogue
from taskdb.query.check.describe import Column, Description, describe
from taskdb.query.check.findings import (
    AnyQuery,
    Described,
    Override,
    QueryFinding,
    overrides,
    remedy_of,
)
from taskdb.query.check.nesting import mismatches
from taskdb.query.check.overriding import TypeOverrides, agrees, resolved
from taskdb.query.check.planning import EXPLAIN, plan
from taskdb.query.check.servertypes import Types, type_facts
from taskdb.query.check.variants import of_all_variants

__all__ = [
    "check",
    "compare",
    "describe_all",
    "variants",
]


def check(conn: Connection[Any], queries: Iterable[AnyQuery]) -> list[QueryFinding]:
    """Compare *queries* (a `Queries`, or some of one) with the database of *conn*.

    Names without a schema are those of its search_path.

    Nothing is run, and the connection is left as it was. Returns what disagrees, once each.
    """
    queries = list(queries)
    return compare(conn, queries, describe_all(conn, queries, Catalogue()))


def describe_all(
    conn: Connection[Any], queries: Iterable[AnyQuery], catalogue: Catalogue
) -> list[Described]:
    """Have each text of each of *queries* described; a COPY has nothing to describe.

    The text with every line in it, which psql runs, is among them if the server refuses it.
    """
    described: list[Described] = []
    for query in queries:
        if query.statement.copy_columns is None:
            seen = [*variants(query)]
            whole = query.statement.whole(query.tag)
            for variant in seen:
                found = _describe(conn, query, variant, catalogue)
                described.append(Described(query, variant, found))
            if all(variant.text != whole.text for variant in seen):
                found = _describe(conn, query, whole, catalogue)
                if isinstance(found, QueryFinding):
                    described.append(Described(query, whole, found))
    return described


def compare(
    conn: Connection[Any], queries: Iterable[AnyQuery], described: Sequence[Described]
) -> list[QueryFinding]:
    """Compare *queries* with what was *described* of them, and each COPY with its table."""
    queries = list(queries)
    good = [each for _, _, each in described if isinstance(each, Description)]
    types = Types(type_facts(conn, good), conn.adapters)
    overrides = {id(each.types): resolved(conn, each.types) for each in queries}
    findings: dict[QueryFinding, None] = {}
    for query, variant, result in described:
        if isinstance(result, QueryFinding):
            findings[result] = None
        else:
            of_package = overrides[id(query.types)]
            findings |= dict.fromkeys(_of_declaration(query, of_package))
            comparison = _Comparison(query, variant, result, types, of_package)
            findings.update(dict.fromkeys(comparison.findings()))
    for query in queries:
        if query.statement.copy_columns is not None:
            findings.update(dict.fromkeys(_copy_findings(conn, query, overrides[id(query.types)])))
    findings.update(dict.fromkeys(of_all_variants(described)))
    return list(findings)


def _of_declaration(query: AnyQuery, overrides: TypeOverrides) -> Iterator[QueryFinding]:
    """Yield what is wrong with the types that the package names: the same for all its queries."""
    for problem in overrides.problems:
        label = query.statement.source.label
        yield QueryFinding(
            query.tag.strip("/* ").partition(":")[0],
            problem,
            label.rpartition("/")[0],
            query.function.__module__.rpartition(".")[0],
            "Correct types= where the package makes its Queries",
        )


def variants(query: AnyQuery) -> Iterator[Variant]:
    """All combinations of `-- if` lines; where those are too many, each alone and all pairs."""
    return query.statement.variants(query.tag, query.required, MOST_COMBINATIONS)


def _describe(
    conn: Connection[Any], query: AnyQuery, variant: Variant, catalogue: Catalogue
) -> Description | QueryFinding:
    not_null = [
        number
        for number, name in enumerate(variant.parameters, start=1)
        if _is_never_null(query, variant, name)
    ]
    items = [
        number
        for number, name in enumerate(variant.parameters, start=1)
        if _has_no_null(_parameter(query, name).annotation)
    ]
    try:
        found = describe(
            conn,
            variant.text,
            parameters_not_null=not_null,
            items_not_null=items,
            catalogue=catalogue,
        )
    except psycopg.Error as exc:
        return _refused(query, variant, exc)
    if _is_utility(query):
        return found
    try:
        return replace(found, arbiters=plan(conn, variant.text, found.parameters, catalogue))
    except psycopg.Error as exc:
        return _refused(query, variant, exc, len(EXPLAIN))


def _parameter(query: AnyQuery, name: str) -> Parameter:
    return next(each for each in query.parameters if each.name == name)


def _has_no_null(annotation: Any) -> bool:
    """Return whether the encoder lets no NULL through inside arrays of this annotation."""
    lists = [each for each in members(annotation) if is_sequence(each) and not encodes_json(each)]
    return bool(lists) and all(
        NONE not in items and all(_has_no_null(each) for each in items if is_sequence(each))
        for items in (members(item_of(each)) for each in lists)
    )


def _is_never_null(query: AnyQuery, variant: Variant, name: str) -> bool:
    """Return whether a parameter is never sent as NULL in this variant."""
    parameter = _parameter(query, name)
    if not parameter.nullable:
        return True
    # Its lines are in, so it is not None, unless None is a value beside UNSET.
    return name in variant.present and not parameter.unsettable


# A statement with a plan begins with one of these, or with a parenthesis.
_PLANNED: Final = frozenset(
    {"select", "insert", "update", "delete", "merge", "with", "values", "table"}
)


def _is_utility(query: AnyQuery) -> bool:
    source, first = query.statement.source, query.statement.tokens[0]
    word = source.text[first.start : first.end].lower()
    return word not in _PLANNED and word != "("


def _refused(
    query: AnyQuery, variant: Variant, exc: psycopg.Error, before: int = 0
) -> QueryFinding:
    """The finding of what the server refuses; its position counts what stands *before* the text."""
    position = exc.diag.statement_position
    offset = variant.offset(int(position) - 1 - before) if position else query.statement.at
    return QueryFinding(
        query.name,
        f"the server refuses it: {exc.diag.message_primary or exc}",
        query.statement.source.where(offset),
        place_of(query.function),
        remedy_of(exc, "Mend the statement, or the schema it was written for"),
    )


class _Comparison:
    """One variant, as the server describes it, beside the annotations of its stub."""

    def __init__(
        self,
        query: AnyQuery,
        variant: Variant,
        description: Description,
        types: Types,
        named: TypeOverrides | None = None,
    ) -> None:
        self.query = query
        self.variant = variant
        self.description = description
        self.types = types
        self.named = named or TypeOverrides()
        self.overrides = {each.column: each for each in overrides(query)}

    def findings(self) -> Iterator[QueryFinding]:
        yield from self._parameters()
        yield from self._sorting()
        yield from self._columns()
        yield from self._rows()

    def finding(self, message: str, remedy: str, offset: int | None = None) -> QueryFinding:
        statement = self.query.statement
        return QueryFinding(
            self.query.name,
            message,
            statement.source.where(statement.at if offset is None else offset),
            place_of(self.query.function),
            remedy,
        )

    def _parameters(self) -> Iterator[QueryFinding]:
        by_name = {each.name: each for each in self.query.parameters}
        for name, seen in zip(self.variant.parameters, self.description.parameters, strict=True):
            parameter = by_name[name]
            problem = self.argument_problem(parameter.annotation, seen.type_oid)
            for named in self.named.of_written(seen.number, self.description, self.types):
                problem = problem or self.named_problem(parameter.annotation, seen.type_oid, named)
            if problem:
                yield self.finding(
                    f":{name} {problem}, its argument is annotated"
                    f" {type_name(parameter.annotation)}",
                    "Change the annotation, or cast the parameter in the statement",
                    self.query.statement.parameters[name][0],
                )

    def _sorting(self) -> Iterator[QueryFinding]:
        for number in self.description.sorted_by:
            name = self.variant.parameters[number - 1]
            yield self.finding(
                f"order by :{name} sorts by nothing: it is one value, the same for all rows",
                f"Choose the column: order by case :{name} when 'title' then title end",
                self.query.statement.parameters[name][0],
            )

    def _columns(self) -> Iterator[QueryFinding]:
        result, columns = self.query.result, self.description.columns
        if not columns:
            if result.cardinality is not Cardinality.NONE and not result.counts:
                yield self.finding(
                    f"has no result, but its function promises {type_name(result.annotation)}",
                    "Add returning, or return int or None",
                )
            return
        if result.cardinality is Cardinality.NONE:
            if [each.type_oid for each in columns] == [VOID]:
                return
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
    ) -> Iterator[QueryFinding]:
        by_name = {field_name(column.name): column for column in columns}
        names = [field_name(column.name) for column in columns]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield self.finding(
                f"has {names.count(name)} columns of the name {name}",
                "Give each a name of its own: select a.id, b.id as b_id",
            )
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

    def _column(self, field: Field, column: Column) -> Iterator[QueryFinding]:
        named = self.query.result.named(field)
        problem = self.column_problem(field.annotation, column.type_oid) or self.named_problem(
            field.annotation,
            column.declared_oid or column.type_oid,
            self.named.of_column(column, self.types),
        )
        if problem:
            yield self.finding(
                f"column {column.name} {problem}, {named} is annotated"
                f" {type_name(field.annotation)}",
                "Change the annotation, or cast the column",
            )
        else:
            of = self.types.server_type(column.type_oid, reading=True)
            at = f"column {column.name}"
            for mismatch in mismatches(
                field.annotation, of, column.inside, self.types, self.named, at=at
            ):
                yield self.finding(mismatch.message, mismatch.remedy)
        override = self.overrides.get(column.name)
        if override is not None:
            yield from self._override(override)
        if (column.nullable if override is None else override.nullable) and not field.nullable:
            yield self.finding(
                f"column {column.name} may be NULL ({column.reason}), "
                f"but {named} is annotated {type_name(field.annotation)}",
                "Annotate it with | None, or make it NOT NULL",
            )

    def _override(self, override: Override) -> Iterator[QueryFinding]:
        if not override.reason:
            yield self.finding(
                f"{override.column} overrides what the analysis finds, and gives no reason",
                "End its line with a comment that says why",
                override.offset,
            )

    def _rows(self) -> Iterator[QueryFinding]:
        single = self.query.result.cardinality in (Cardinality.ONE, Cardinality.AT_MOST_ONE)
        if single and self.description.columns and not self.description.at_most_one_row:
            yield self.finding(
                "may return more than one row, but its function promises at most one",
                "Compare a unique key, add limit 1, or return a list",
            )

    def column_problem(self, annotation: Any, oid: int) -> str | None:
        """Say what a column is, if it is not what is annotated."""
        of = self.types.server_type(oid, reading=True)
        return None if fits(annotation, of) else f"is {of}"

    def named_problem(self, annotation: Any, oid: int, named: Any) -> str | None:
        """Say what the package names a type, if it is not what is annotated."""
        if named is None or agrees(annotation, named):
            return None
        return f"is {self.types.facts[oid].name}, which types= names {type_name(named)}"

    def argument_problem(self, annotation: Any, oid: int) -> str | None:
        """Say what a parameter is, if not every annotated value can be sent as that."""
        to = self.types.server_type(oid)
        return None if sends(annotation, to, self.types.adapters) else f"is {to}"


def _copy_findings(
    conn: Connection[Any], query: AnyQuery, named: TypeOverrides
) -> Iterator[QueryFinding]:
    """Compare a COPY's columns with the table's: they are there, and their types fit."""
    relation = query.statement.copied_table
    columns = {each.name: each for each in contract.copied_columns(conn, relation=relation)}
    described = Description("copy", (), (), False, (), (), ())
    oids = sorted({each.type_oid for each in columns.values()})
    types = Types(type_facts(conn, [], oids), conn.adapters)
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
        problem = comparison.argument_problem(
            parameter.annotation, column.type_oid
        ) or comparison.named_problem(
            parameter.annotation,
            column.type_oid,
            named.columns.get((column.relation, column.number))
            or named.of_type(column.type_oid, types),
        )
        if problem:
            yield comparison.finding(
                f"{relation}.{column.name} {problem}, its argument is annotated "
                f"{type_name(parameter.annotation)}",
                "Change the annotation",
                query.statement.start,
            )
