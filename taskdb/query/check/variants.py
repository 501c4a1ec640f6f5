"""Findings about all variants of a query, or all queries of a dataclass, taken together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from taskdb.query._annotations import NONE, is_any, members
from taskdb.query._decisions import place_of
from taskdb.query._rowclasses import field_name
from taskdb.query.check.describe import Description
from taskdb.query.check.findings import AnyQuery, Described, Override, QueryFinding, overrides
from taskdb.query.check.nesting import column_of, inner_fields

__all__ = ["of_all_variants"]


def of_all_variants(described: Sequence[Described]) -> Iterator[QueryFinding]:
    """Yield what no variant shows alone."""
    yield from _conditional_writes(described)
    yield from _needless_overrides(described)
    yield from _needless_options(described)


def _conditional_writes(described: Sequence[Described]) -> Iterator[QueryFinding]:
    """An UPDATE or DELETE whose only condition can be left out, and that does not say why."""
    for query, variant, result in described:
        statement = query.statement
        if (
            isinstance(result, Description)
            and result.writes_every_row
            and statement.conditions
            and statement.every_row is None
            and not _writes_every_row_anyway(query, described)
        ):
            given = {fact.partition("=")[0] for fact in variant.present}
            left_out = ", ".join(f":{name}" for name in sorted(statement.conditional - given))
            yield QueryFinding(
                query.name,
                f"writes to every row when {left_out} is left out",
                statement.where,
                place_of(query.function),
                "Add a condition, or write -- every row: and the reason below its name",
            )


def _writes_every_row_anyway(query: AnyQuery, described: Sequence[Described]) -> bool:
    return all(
        result.writes_every_row
        for other, _, result in described
        if other is query and isinstance(result, Description)
    )


def _needless_overrides(described: Iterable[Described]) -> Iterator[QueryFinding]:
    """Marks that say what the analysis finds by itself, of all variants taken together."""
    found: dict[tuple[str, int], bool] = {}
    marks: dict[tuple[str, int], tuple[AnyQuery, Override]] = {}
    for query, _, result in described:
        if isinstance(result, QueryFinding):
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
            yield QueryFinding(
                query.name,
                f"{mark.column} overrides nothing: the analysis finds the same",
                mark.where,
                place_of(query.function),
                "Name the column without the mark",
            )


def _needless_options(
    described: Iterable[Described],
) -> Iterator[QueryFinding]:
    """A field that takes None although no query that fills it can return NULL there."""
    nullable: dict[tuple[type, str], bool] = {}
    first: dict[tuple[type, str], AnyQuery] = {}
    for query, _, result in described:
        row = query.result.row
        if isinstance(result, QueryFinding):
            continue
        for field in query.result.fields:
            column = column_of(query.result, field, result)
            for inner in inner_fields(field.annotation, column.inside if column else None):
                if NONE in members(inner.annotation):
                    key = (inner.cls, inner.name)
                    nullable[key] = nullable.get(key, False) or inner.nullable
                    first.setdefault(key, query)
        if row is None:
            continue
        marked = {each.column: each.nullable for each in overrides(query)}
        seen = {
            field_name(column.name): marked.get(column.name, column.nullable)
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
            yield QueryFinding(
                query.name,
                f"column {key[1]} is never NULL, in any query that returns {key[0].__name__}, "
                f"but {key[0].__name__}.{key[1]} takes None",
                query.where,
                place_of(query.function),
                "Drop | None from the field",
            )
