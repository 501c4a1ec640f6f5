"""The part of PostgreSQL's catalogue that judging a query needs, each thing looked up once."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator

from psycopg import Connection

from taskdb.query.catalogue import checks
from taskdb.query.catalogue.checks import Function, Relation, TypeInfo, UniqueKey
from taskdb.query.check.nodetree import Node, Value

# Fields of a printed tree that hold OIDs, by what they are of.
_FIELDS = {
    "aggfnoid": "function",
    "funcid": "function",
    "opfuncid": "function",
    "paramtype": "type",
    "winfnoid": "function",
    "relid": "relation",
    "resulttype": "type",
}
_OID = re.compile(rf":({'|'.join(_FIELDS)}) (\d+)")


class Catalogue:
    """Cache of the catalogue's facts. Make a new one after a migration."""

    def __init__(self) -> None:
        self._functions: dict[int, Function | None] = {}
        self._relations: dict[int, Relation | None] = {}
        self._types: dict[int, TypeInfo | None] = {}
        self._keys: dict[int, list[UniqueKey]] = defaultdict(list)

    def function(self, oid: int) -> Function | None:
        """The function with this OID, or None if it was not loaded or does not exist."""
        return self._functions.get(oid)

    def relation(self, oid: int) -> Relation | None:
        """The relation with this OID, or None if it was not loaded or does not exist."""
        return self._relations.get(oid)

    def type(self, oid: int) -> TypeInfo | None:
        """The type with this OID, or None if it was not loaded or does not exist."""
        return self._types.get(oid)

    def unique_keys(self, oid: int) -> list[UniqueKey]:
        """The unique keys of the relation with this OID."""
        return self._keys.get(oid, [])

    def load(self, conn: Connection, tree: str) -> None:
        """Look up what the printed *tree* names and was not met before: at most four queries."""
        named: dict[str, set[int]] = {kind: set() for kind in _FIELDS.values()}
        for name, oid in set(_OID.findall(tree.replace("\n", " "))):
            named[_FIELDS[name]].add(int(oid))
        functions, relations, types = named["function"], named["relation"], named["type"]
        if missing := _missing(functions, self._functions):
            found = {item.oid: item for item in checks.functions(conn, oids=missing)}
            self._functions.update({oid: found.get(oid) for oid in missing})
        if missing := _missing(relations, self._relations):
            tables = {item.oid: item for item in checks.relations(conn, oids=missing)}
            self._relations.update({oid: tables.get(oid) for oid in missing})
            for key in checks.unique_keys(conn, oids=missing):
                self._keys[key.relation].append(key)
        if missing := _missing(types, self._types):
            known = {item.oid: item for item in checks.types(conn, oids=missing)}
            self._types.update({oid: known.get(oid) for oid in missing})


def _missing(wanted: set[int], known: Collection[int]) -> list[int]:
    return sorted(wanted.difference(known, [0]))


def walk(value: Value) -> Iterator[Node]:
    """Yield every node in *value*, the outer ones first."""
    todo: list[Value] = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, Node):
            yield item
            todo.extend([part for part in item.fields.values() if not isinstance(part, str)])
        elif isinstance(item, list):
            todo.extend(item)
