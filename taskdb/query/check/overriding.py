"""Types that a package names once, beside what the server says of columns and parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import GenericAlias
from typing import Annotated, Any, Final, NewType, get_args, get_origin

import psycopg
from psycopg import Connection

from taskdb.query._annotations import LISTS, NONE, is_any, members, type_name
from taskdb.query._types import fits, is_sequence, item_of, sends
from taskdb.query.catalogue import contract
from taskdb.query.check.comparisons import TableColumn
from taskdb.query.check.describe import Column, Description
from taskdb.query.check.insides import Inner
from taskdb.query.check.servertypes import Types, type_facts
from taskdb.query.rules import Unset

__all__ = ["TypeOverrides", "agrees", "resolved"]

_PART: Final = re.compile(r'"(?:[^"]|"")+"|[^."]+')


@dataclass(frozen=True, slots=True)
class TypeOverrides:
    """The annotations of types, by OID, and of columns; `problems` are names that say nothing.

    `of_domains` are columns of domains among the types, each with its domain.
    """

    types: Mapping[int, Any] = field(default_factory=dict[int, Any])
    columns: Mapping[TableColumn, Any] = field(default_factory=dict[TableColumn, Any])
    of_domains: Mapping[TableColumn, int] = field(default_factory=dict[TableColumn, int])
    problems: Sequence[str] = ()

    def of_type(self, oid: int, types: Types) -> Any | None:
        """Return the annotation of a type: of an array, a list of its items', if it is read so.

        Arrays of domains come as text.
        """
        if oid in self.types:
            return self.types[oid]
        facts = types.facts.get(oid)
        if facts is None or facts.element_oid not in self.types:
            return None
        listed = GenericAlias(list, self.types[facts.element_oid])
        return listed if fits(listed, types.server_type(oid, reading=True)) else None

    def of_column(self, column: Column, types: Types) -> Any | None:
        """Return the annotation of a result's column."""
        if column.table_oid and column.table_column:
            named = self.columns.get((column.table_oid, column.table_column))
            if named is not None:
                return named
        return self.of_type(column.declared_oid or column.type_oid, types)

    def of_inner(self, inner: Inner, types: Types) -> Any | None:
        """Return the annotation of what is inside a column."""
        named = self.columns.get(inner.column) if inner.column else None
        return named if named is not None else self.of_type(inner.type_oid, types)

    def of_parameter(self, number: int, described: Description, types: Types) -> Any | None:
        """Return the annotation of parameter *number*, counted from 1."""
        return next(self.of_written(number, described, types), None)

    def of_written(self, number: int, described: Description, types: Types) -> Iterator[Any]:
        """Yield the annotations of the columns that a parameter is written to, or of its type.

        One that is cast, as a text to a document, is not annotated as its column.
        """
        oid = described.parameters[number - 1].type_oid
        named = [self.columns.get(column) for column in described.written.get(number, ())]
        if not any(named):
            named = [self.of_type(oid, types)]
        of = types.server_type(oid)
        yield from (each for each in named if each and sends(each, of, types.adapters))

    def suggested(self, number: int, described: Description, types: Types) -> Any | None:
        """As `of_parameter`; also that of the domain whose column a parameter is compared with.

        PostgreSQL says of such a parameter the type that the domain stands on.
        """
        named = self.of_parameter(number, described, types)
        domain = self.of_domains.get(described.compared.get(number, (0, 0)))
        if named is not None or domain is None:
            return named
        base = types.facts[domain].base_oid if domain in types.facts else 0
        return self.types[domain] if described.parameters[number - 1].type_oid == base else None


def resolved(conn: Connection[Any], declared: Mapping[str, Any]) -> TypeOverrides:
    """Look up in the database what the names of *declared* types and columns mean there."""
    if not declared:
        return TypeOverrides()
    parts = [_PART.findall(name) for name in declared]
    try:
        with conn.transaction():
            found = contract.named_types(
                conn,
                type_names=["" if len(each) > 2 else ".".join(each) for each in parts],
                relations=[".".join(each[:-1]) for each in parts],
                columns=[each[-1].strip('"') for each in parts],
            )
    except psycopg.errors.SyntaxError as exc:
        return TypeOverrides(problems=[f"a name in types= is no type: {exc.diag.context or exc}"])
    types: dict[int, Any] = {}
    names: dict[int, str] = {}
    columns: dict[TableColumn, Any] = {}
    problems: list[str] = []
    for (name, annotation), each in zip(declared.items(), found, strict=True):
        if each.relation and each.column_number:
            columns[each.relation, each.column_number] = annotation
        elif each.type_oid:
            types[each.type_oid], names[each.type_oid] = annotation, name
        else:
            problems.append(f"types= has {name!r}, and the database has no such type or column")
    known = Types(type_facts(conn, [], types), conn.adapters)
    for oid, annotation in types.items():
        of = known.server_type(oid, reading=True)
        if not fits(annotation, of):
            problems.append(
                f"types= reads {names[oid]!r} as {type_name(annotation)}, which is {of}"
            )
    domains = [oid for oid in types if known.facts[oid].base_oid]
    of_domains = {
        (each.relation, each.column_number): each.type_oid
        for each in contract.columns_of_types(conn, oids=domains)
    }
    return TypeOverrides(types, columns, of_domains, problems)


def agrees(annotation: Any, declared: Any) -> bool:
    """Return whether an annotation is the declared one, None, rules and finer names aside."""
    kinds = [each for each in members(annotation) if each is not NONE and each is not Unset]
    return all(any(_is(kind, each) for each in members(declared)) for kind in kinds)


def _is(kind: Any, declared: Any) -> bool:
    while get_origin(declared) is Annotated:
        declared = get_args(declared)[0]
    while kind != declared:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif isinstance(kind, NewType):
            kind = kind.__supertype__
        elif is_sequence(kind, LISTS) and is_sequence(declared, LISTS):
            return agrees(item_of(kind), item_of(declared))
        else:
            return is_any(kind)
    return True
