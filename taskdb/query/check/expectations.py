"""The expectations check: what the server makes of the queries is what the files say.

The files (`taskdb.query.expectations`) are the reviewed record. Whatever a migration or an edit
of a query changes about parameters, columns, NULLs, rows, tables or privileges shows up in their
diff, and a service compares its database with them when it starts (`taskdb.verify`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from psycopg import Connection

from taskdb.query import Queries
from taskdb.query._decisions import place_of
from taskdb.query._parameters import Parameter
from taskdb.query._rowclasses import bare_name, holds_rows
from taskdb.query.catalogue import contract as contract_queries
from taskdb.query.catalogue import expectations as queries_of_the_catalogue
from taskdb.query.catalogue.checks import Relation
from taskdb.query.catalogue.contract import TypeFacts
from taskdb.query.check.catalogue import Catalogue
from taskdb.query.check.describe import Arbiter, Column, Description
from taskdb.query.check.findings import AnyQuery, Described, QueryFinding, overrides
from taskdb.query.check.insides import Inside
from taskdb.query.check.nesting import column_of
from taskdb.query.check.servertypes import type_facts
from taskdb.query.errors import QueryDefinitionError
from taskdb.query.expectations import (
    REMEDY,
    Area,
    Expectation,
    Need,
    Value,
    area_of,
    label_of,
    read,
    text_hash,
)

__all__ = ["compare", "derive", "write"]

_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_]*")


def derive(
    conn: Connection[Any],
    queries: Iterable[AnyQuery],
    described: Sequence[Described],
    catalogue: Catalogue,
) -> dict[str, Area]:
    """Return the expectations by area, from what was *described* of the queries' variants.

    A query whose text the server refuses has none; the contract check tells of it.
    """
    results: dict[str, list[Described]] = {
        name: list(group) for name, group in groupby(described, lambda each: each.query.name)
    }
    copies = [query for query in queries if query.statement.copy_columns is not None]
    columns = {
        query.name: {
            each.name: each
            for each in contract_queries.copied_columns(conn, relation=query.statement.copied_table)
        }
        for query in copies
    }
    good = [each.result for each in described if isinstance(each.result, Description)]
    others = {each.type_oid for found in columns.values() for each in found.values()}
    types = type_facts(conn, good, others)
    path = queries_of_the_catalogue.search_path(conn)
    arbiters = {one for each in good for one in each.arbiters}
    relations = sorted({_relation_of(one, path) for one in arbiters})
    unique = {
        (each.relation, each.index_name): each.definition
        for each in queries_of_the_catalogue.unique_indexes(conn, relations=relations)
    }
    reader = _Reader(types, catalogue, path, unique)
    areas: dict[str, Area] = {}
    for query in queries:
        if query.statement.copy_columns is not None:
            found = reader.copy(query, {n: c.type_oid for n, c in columns[query.name].items()})
        else:
            found = reader.query(query, results[query.name])
        if found is not None:
            area, name = area_of(query)
            areas.setdefault(area, Area(area, {}, {})).queries[name] = found
    for each in areas.values():
        each.labels.update(reader.labels(each))
        each.rows.update(reader.rows(each))
    return areas


def _relation_of(arbiter: Arbiter, path: Collection[str]) -> str:
    return _spelled(arbiter.schema, arbiter.relation, path)


def _spelled(schema: str, name: str, path: Collection[str]) -> str:
    """A relation as a statement names it: without a schema of the search path, quoted if odd."""
    parts = [name] if schema in path else [schema, name]
    return ".".join(part if _PLAIN.fullmatch(part) else f'"{part}"' for part in parts)


def _only_when_given(query: AnyQuery, parameter: Parameter) -> bool:
    """Return whether a parameter that takes None is sent only with its own lines, so never NULL."""
    name, statement = parameter.name, query.statement
    return (
        name in statement.conditional
        and not parameter.unsettable
        and statement.unconditional_use(name) is None
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns descriptions, which go by number, into expectations, which go by name."""

    types: dict[int, TypeFacts]
    catalogue: Catalogue
    path: Collection[str]
    unique: Mapping[tuple[str, str], str]

    def query(self, query: AnyQuery, described: Sequence[Described]) -> Expectation | None:
        results = [each.result for each in described if isinstance(each.result, Description)]
        if len(results) < len(described):
            return None
        _, name = area_of(query)
        return Expectation(
            name,
            text_hash(query),
            self._takes(query, described),
            self._gives(query, results),
            self._within(query, results),
            all(each.at_most_one_row for each in results) and bool(results[0].columns),
            self._names(one for each in results for one in each.tables_read),
            self._names(one for each in results for one in each.tables_written),
            self._names(one for each in results for one in each.views),
            tuple(
                sorted(
                    {
                        self.unique[_relation_of(one, self.path), one.index_name]
                        for each in results
                        for one in each.arbiters
                    }
                )
            ),
            self._needs(one for each in results for one in each.needs),
        )

    def copy(self, query: AnyQuery, columns: dict[str, int]) -> Expectation | None:
        """A COPY is known by the columns it fills."""
        if not all(each.name in columns for each in query.parameters):
            return None
        relation = query.statement.copied_table
        takes = [
            Value(each.name, self.types[columns[each.name]].name, not each.nullable)
            for each in query.parameters
        ]
        needs = (Need("insert", relation),)
        _, name = area_of(query)
        return Expectation(name, text_hash(query), tuple(takes), writes=(relation,), needs=needs)

    def labels(self, area: Area) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The labels of the enums that the queries of *area* take and give, in order of name."""
        enums = {facts.name: tuple(facts.labels) for facts in self.types.values() if facts.labels}
        used = _types_in(area)
        yield from sorted((name, labels) for name, labels in enums.items() if name in used)

    def rows(self, area: Area) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The fields of the composites that the queries of *area* give, in order of name."""
        used = _types_in(area)
        for facts in sorted(self.types.values(), key=lambda each: each.name):
            if facts.field_names and facts.name in used:
                pairs = zip(facts.field_names, facts.field_oids, strict=True)
                yield facts.name, tuple(f"{name} {self.types[oid].name}" for name, oid in pairs)

    def _takes(self, query: AnyQuery, described: Sequence[Described]) -> tuple[Value, ...]:
        seen: dict[str, list[int]] = {}
        for each in described:
            if isinstance(each.result, Description):
                pairs = zip(each.variant.parameters, each.result.parameters, strict=True)
                for name, parameter in pairs:
                    seen.setdefault(name, []).append(parameter.type_oid)
        conditional = query.statement.conditional
        return tuple(
            Value(
                each.name,
                self._type(seen[each.name]),
                not each.nullable or _only_when_given(query, each),
                if_given=each.name in conditional,
            )
            for each in query.parameters
            if each.name in seen
        )

    def _gives(self, query: AnyQuery, results: Sequence[Description]) -> tuple[Value, ...]:
        marked = {each.column: each.nullable for each in overrides(query)}
        return tuple(
            self._column(columns, marked)
            for columns in zip(*(each.columns for each in results), strict=False)
        )

    def _within(self, query: AnyQuery, results: Sequence[Description]) -> tuple[Value, ...]:
        """Return the values inside columns that become rows in rows."""
        found: list[Value] = []
        for field in query.result.fields:
            column = column_of(query.result, field, results[0])
            if column and column.inside and holds_rows(field.annotation):
                seen = [
                    inside
                    for each in results
                    for one in each.columns
                    if one.name == column.name and (inside := one.inside)
                ]
                found += self._inner(seen, bare_name(column.name))
        return tuple(found)

    def _inner(self, seen: Sequence[Inside], at: str) -> Iterator[Value]:
        if seen[0].items is not None:
            items = [each.items.inside for each in seen if each.items and each.items.inside]
            if items:
                yield from self._inner(items, f"{at}[]")
            return
        for fields in zip(*(each.fields for each in seen), strict=False):
            way = f"{at}.{fields[0].name or '?'}"
            known = [each.type_oid for each in fields if each.type_oid]
            yield Value(
                way,
                self._type(known) if known else "unknown",
                not any(each.nullable for each in fields),
            )
            inner = [each.inside for each in fields if each.inside and not each.inside.is_empty]
            if inner:
                yield from self._inner(inner, way)

    def _column(self, columns: Sequence[Column], marked: dict[str, bool]) -> Value:
        name = columns[0].name
        nullable = marked.get(name, any(each.nullable for each in columns))
        return Value(
            bare_name(name),
            self._type([each.type_oid for each in columns]),
            not nullable,
            not nullable and any(self._allows_null(each) for each in columns),
        )

    def _allows_null(self, column: Column) -> bool:
        """Return whether the column shows a table's column that is not declared NOT NULL."""
        if column.table_oid is None or column.table_column is None:
            return False
        relation = self.catalogue.relation(column.table_oid)
        return (
            relation is not None
            and relation.kind in ("r", "p")
            and column.table_column > 0
            and column.table_column not in relation.never_null_alone
        )

    def _type(self, oids: Iterable[int]) -> str:
        return " or ".join(sorted({self.types[oid].name for oid in oids}))

    def _needs(self, needs: Iterable[tuple[str, Relation]]) -> tuple[Need, ...]:
        found = {Need(privilege, name) for privilege, one in needs for name in self._names([one])}
        return tuple(sorted(found, key=lambda each: (each.relation, each.privilege)))

    def _names(self, relations: Iterable[Relation]) -> tuple[str, ...]:
        """Names as a statement would give them; the server's own tables differ by version."""
        own = {one for one in map(self._name, relations) if one}
        return tuple(sorted(own))

    def _name(self, relation: Relation) -> str:
        if relation.schema in ("pg_catalog", "information_schema"):
            return ""
        return _spelled(relation.schema, relation.name, self.path)


def _types_in(area: Area) -> set[str]:
    return {
        value.type.removesuffix("[]")
        for each in area.queries.values()
        for value in (*each.takes, *each.gives, *each.within)
    }


def compare(
    queries: Queries, derived: dict[str, Area], only: Iterable[AnyQuery] | None = None
) -> list[QueryFinding]:
    """Compare what was derived with the files. A finding shows the lines that changed."""
    chosen = list(queries if only is None else only)
    written = read(queries, (area_of(query)[0] for query in chosen))
    findings = [finding for query in chosen for finding in _compare(query, derived, written)]
    for name, area in written.items():
        findings += _compare_file(queries, area, derived.get(name, Area(name, {}, {})), chosen)
    return findings


def _compare(
    query: AnyQuery, derived: dict[str, Area], written: dict[str, Area]
) -> Iterator[QueryFinding]:
    area, name = area_of(query)
    found = derived[area].queries.get(name) if area in derived else None
    if found is None:
        return
    expected = written[area].queries.get(name) if area in written else None
    if expected is None:
        yield _finding(query, "has no expectations")
    elif expected != found:
        yield _finding(query, _difference(list(expected.facts()), list(found.facts())))


def _finding(query: AnyQuery, message: str) -> QueryFinding:
    return QueryFinding(query.name, message, query.where, place_of(query.function), REMEDY)


def _difference(expected: Sequence[str], found: Sequence[str]) -> str:
    """Say which facts are no longer true, and which are true instead."""
    gone = [f"expected is {fact!r}" for fact in expected if fact not in found]
    come = [f"found {fact!r}" for fact in found if fact not in expected]
    parts = [*gone, *come]
    return "; ".join(parts) or "the order of its columns or parameters is not the expected one"


def _compare_file(
    queries: Queries, written: Area, derived: Area, chosen: Collection[AnyQuery]
) -> Iterator[QueryFinding]:
    """Tell of labels that changed, and of queries that are gone."""
    label = label_of(queries, written.name)
    if derived.queries.keys() == written.queries.keys():
        for what, expected, found in (
            ("labels", written.labels, derived.labels),
            ("fields", written.rows, derived.rows),
        ):
            names = sorted(
                name
                for name in expected.keys() | found.keys()
                if expected.get(name) != found.get(name)
            )
            if names:
                message = f"the {what} of {', '.join(names)} are not the expected ones"
                yield QueryFinding(written.name, message, label, label, REMEDY)
    known = {area_of(query)[1] for query in queries if area_of(query)[0] == written.name}
    for name in written.queries.keys() - known:
        message = "has expectations, but there is no such query"
        yield QueryFinding(f"{written.name}.{name}", message, label, label, REMEDY)


def write(queries: Queries, derived: dict[str, Area]) -> list[Path]:
    """Write the files, remove those of areas that are gone, and return those that changed.

    Raises QueryDefinitionError where the queries' folder is no folder that files go into.
    """
    folder = queries.expectations
    if not isinstance(folder, Path):
        raise QueryDefinitionError(
            f"the folder {folder} can't be written to", hint="Work on an unpacked package"
        )
    folder.mkdir(exist_ok=True)
    changed = [path for path in folder.glob("*.txt") if path.stem not in derived]
    for path in changed:
        path.unlink()
    for name, area in derived.items():
        path, text = folder / f"{name}.txt", str(area)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed
