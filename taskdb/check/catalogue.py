"""The part of PostgreSQL's catalogue that judging a query needs, each thing looked up once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

from psycopg import Connection

from taskdb.check.nodetree import Node, Value
from taskdb.models.checks import Function, Relation, TypeInfo, UniqueKey
from taskdb.queries import checks

_FUNCTION_FIELDS = {
    "AGGREF": "aggfnoid",
    "DISTINCTEXPR": "opfuncid",
    "FUNCEXPR": "funcid",
    "NULLIFEXPR": "opfuncid",
    "OPEXPR": "opfuncid",
    "SCALARARRAYOPEXPR": "opfuncid",
    "WINDOWFUNC": "winfnoid",
}
_CASTS = ("COERCETODOMAIN", "COERCEVIAIO")


class Catalogue:
    """What the catalogue says of the things met so far. Make a new one after a migration."""

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

    def load(self, conn: Connection, trees: Collection[Node]) -> None:
        """Look up what *trees* name and was not met before: at most four queries."""
        functions, relations, types = _names(trees)
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


def _names(trees: Collection[Node]) -> tuple[set[int], set[int], set[int]]:
    """The OIDs of all functions, relations and types that *trees* mention."""
    functions: set[int] = set()
    relations: set[int] = set()
    types: set[int] = set()
    for node in walk(list(trees)):
        if field := _FUNCTION_FIELDS.get(node.tag):
            functions.add(node.integer(field))
        elif node.tag == "RANGETBLENTRY" and node.has("relid"):
            relations.add(node.integer("relid"))
        elif node.tag in _CASTS:
            types.add(node.integer("resulttype"))
    return functions, relations, types


def walk(value: Value) -> Iterator[Node]:
    """Yield every node in *value*, the outer ones first."""
    todo: list[Value] = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, list):
            todo.extend(item)
        elif isinstance(item, Node):
            yield item
            todo.extend(item.fields.values())
