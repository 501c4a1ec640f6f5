"""The server's types by number: what its catalogue says of each, and what psycopg makes of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from psycopg import Connection
from psycopg.adapt import AdaptersMap

from taskdb.query._types import ServerType, TypeKind, server_type
from taskdb.query.catalogue import contract
from taskdb.query.catalogue.contract import TypeFacts
from taskdb.query.check.describe import Description

__all__ = ["Types", "type_facts"]

# Integers that JSON has as numbers: bigint, smallint, integer.
_NUMBERS: Final = frozenset({20, 21, 23})


def type_facts(
    conn: Connection[Any], described: Iterable[Description], others: Collection[int] = ()
) -> dict[int, TypeFacts]:
    """Return what is known of the types of parameters and columns, and of what they stand on."""
    wanted: set[int] = set(others) | {
        oid
        for each in described
        for oid in (
            *(column.type_oid for column in each.columns),
            *(column.declared_oid for column in each.columns if column.declared_oid),
            *(oid for column in each.columns if column.inside for oid in column.inside.types()),
            *(parameter.type_oid for parameter in each.parameters),
        )
    }
    known: dict[int, TypeFacts] = {}
    while missing := sorted(wanted - known.keys()):
        rows: list[TypeFacts] = contract.types(conn, oids=missing)
        found = {facts.oid: facts for facts in rows}
        known |= {oid: found.get(oid, _nothing(oid)) for oid in missing}
        wanted |= {
            oid
            for facts in found.values()
            for oid in (facts.element_oid, facts.base_oid, *facts.field_oids)
            if oid
        }
    return known


def _nothing(oid: int) -> TypeFacts:
    return TypeFacts(oid, f"type {oid}", "b", 0, 0, [], [], [], False)


@dataclass(frozen=True, slots=True)
class Types:
    """The server's types by number: what the catalogue says, and what psycopg does."""

    facts: Mapping[int, TypeFacts]
    adapters: AdaptersMap

    def server_type(self, oid: int, *, reading: bool = False) -> ServerType:
        """Return the type that *oid* stands for: of a domain the one below it.

        Types that are registered with psycopg count where a value is read.
        """
        facts = self.facts[oid]
        if facts.base_oid:
            return self.server_type(facts.base_oid, reading=reading)
        known = server_type(oid, self.adapters if reading else None)
        labels = tuple(facts.labels) or None
        if not known.is_unknown:
            return replace(known, name=facts.name, labels=labels)
        if facts.element_oid:
            item = self.server_type(facts.element_oid)
            return ServerType(facts.name, oid, TypeKind.ARRAY, item=item, comes_as_text=True)
        kind = TypeKind.ROW if facts.kind == "c" else known.kind
        return replace(
            known,
            name=facts.name,
            kind=kind,
            labels=labels,
            fields=self._fields(facts),
            is_unknown=False,
        )

    def _fields(self, facts: TypeFacts) -> tuple[tuple[str, ServerType], ...]:
        oids = map(self.server_type, facts.field_oids)
        return tuple(zip(facts.field_names, oids, strict=True))

    def in_row(self, of: ServerType) -> ServerType:
        """Return what is found inside a row, where text is what nothing better is made of."""
        if of.item is not None:
            return replace(of, item=self.in_row(of.item))
        if of.kind is TypeKind.PLAIN and of.classes in ((), (tuple,)):
            return replace(of, classes=(*of.classes, str))
        return of

    def in_json(self, of: ServerType) -> ServerType:
        """Return what is found inside JSON that was made of a value of the type *of*."""
        if of.oid in self.facts and self.facts[of.oid].casts_to_json:
            return ServerType(f"{of.name} as JSON", 0, TypeKind.JSON)
        if of.kind is TypeKind.ARRAY and of.item is not None:
            return replace(of, item=self.in_json(of.item), comes_as_text=False)
        if of.kind is TypeKind.ROW:
            fields = tuple((name, self.in_json(each)) for name, each in of.fields)
            return replace(of, fields=fields)
        if of.classes == (int,) and of.oid not in _NUMBERS:
            # A value that PostgreSQL does not write as a number.
            return replace(of, classes=(str,))
        return of
