"""The server's types by number: what its catalogue says of each, and what psycopg makes of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from psycopg import Connection
from psycopg.adapt import AdaptersMap

from taskdb.query._types import ServerType, TypeKind, server_type
from taskdb.query.catalogue import contract
from taskdb.query.catalogue.contract import TypeFacts
from taskdb.query.check.describe import Description

__all__ = ["Types", "type_facts"]


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
        return replace(known, name=facts.name, labels=labels, is_unknown=False)
