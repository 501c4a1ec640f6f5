"""From conditions that were true, or false, to the facts that follow from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

from taskdb.query.check.catalogue import Catalogue
from taskdb.query.check.facts import Key
from taskdb.query.check.nodetree import Node, Value

__all__ = ["Conditions"]

_PARAMETER = 0
_ANY_SUBLINK = 2
_IS_NOT_NULL = 1
_IS_TRUE, _IS_NOT_TRUE, _IS_FALSE, _IS_NOT_UNKNOWN = 0, 1, 2, 5

# Expressions of which two of the same text in one row have the same value, if no function
# in them is volatile.
_STABLE = frozenset(
    {
        "AGGREF",
        "ARRAYCOERCEEXPR",
        "ARRAYEXPR",
        "BOOLEANTEST",
        "BOOLEXPR",
        "CASEEXPR",
        "CASEWHEN",
        "COALESCEEXPR",
        "COERCEVIAIO",
        "COLLATEEXPR",
        "CONST",
        "DISTINCTEXPR",
        "FIELDSELECT",
        "FUNCEXPR",
        "GROUPINGFUNC",
        "MINMAXEXPR",
        "NAMEDARGEXPR",
        "NULLIFEXPR",
        "NULLTEST",
        "OPEXPR",
        "PARAM",
        "RELABELTYPE",
        "ROWEXPR",
        "SCALARARRAYOPEXPR",
        "SORTGROUPCLAUSE",
        "SUBSCRIPTINGREF",
        "TARGETENTRY",
        "WINDOWFUNC",
    }
)
_CALLS = {
    "AGGREF": "aggfnoid",
    "DISTINCTEXPR": "opfuncid",
    "FUNCEXPR": "funcid",
    "NULLIFEXPR": "opfuncid",
    "OPEXPR": "opfuncid",
    "SCALARARRAYOPEXPR": "opfuncid",
    "WINDOWFUNC": "winfnoid",
}
_WITHOUT_MEANING = frozenset({"location", "colnames", "resname"})

# A NULL in gives a NULL out.
_WRAPPERS = frozenset(
    {
        "ARRAYCOERCEEXPR",
        "COERCETODOMAIN",
        "COLLATEEXPR",
        "FIELDSELECT",
        "NAMEDARGEXPR",
        "RELABELTYPE",
    }
)


class Conditions(ABC):
    """Conclusions from the conditions of one level of a query, which `Scope` is."""

    number: int
    catalogue: Catalogue

    @abstractmethod
    def behind(self, index: int, number: int) -> Node | None:
        """The expression that column *number* of relation *index* is another name of, if any."""

    @abstractmethod
    def further_out(self, levels: int) -> Conditions:
        """The level *levels* queries further out. Raises `NodeTreeError`."""

    def flatten(self, node: Node) -> Node:
        """*node*, or what a column of a join stands for, or of 18's grouping relation."""
        while node.tag == "VAR" and node.integer("varlevelsup") == 0:
            inner = self.behind(node.integer("varno"), node.integer("varattno"))
            if inner is None:
                break
            node = inner
        return node

    def key(self, node: Node) -> Key | None:
        """The key of *node*: two expressions of one key have one value in a row. None: unsure."""
        try:
            return self._key(node)
        except _NoKeyError:
            return None

    def _key(self, value: Value) -> Key:
        if isinstance(value, list):
            return tuple(self._key(item) for item in value)
        if not isinstance(value, Node):
            return (value,)
        if value.tag == "VAR":
            return self._column_key(value)
        if value.tag not in _STABLE:
            raise _NoKeyError
        if value.tag == "PARAM" and value.integer("paramkind") != _PARAMETER:
            raise _NoKeyError
        if call := _CALLS.get(value.tag):
            function = self.catalogue.function(value.integer(call))
            if function is None or function.volatile or function.returns_set:
                raise _NoKeyError
        parts = [
            self._key(part) for name, part in value.fields.items() if name not in _WITHOUT_MEANING
        ]
        return (value.tag, *parts)

    def _column_key(self, node: Node) -> Key:
        if node.has("varreturningtype") and node.integer("varreturningtype") != 0:
            raise _NoKeyError
        scope = self.further_out(node.integer("varlevelsup"))
        index, number = node.integer("varno"), node.integer("varattno")
        inner = scope.behind(index, number)
        return ("column", scope.number, index, number) if inner is None else scope._key(inner)

    def if_true(self, node: Node) -> set[Key]:
        """Return the keys that are not NULL when the condition *node* is true."""
        match node.tag:
            case "BOOLEXPR":
                arguments = node.nodes("args")
                match node.text("boolop"):
                    case "and":
                        return _union(self.if_true(item) for item in arguments)
                    case "or":
                        return _intersection(self.if_true(item) for item in arguments)
                    case _:
                        return self.if_false(arguments[0])
            case "NULLTEST":
                if node.integer("nulltesttype") == _IS_NOT_NULL:
                    return self._if_no_field_null(node.node("arg"))
                return set()
            case "BOOLEANTEST":
                return self._if_tested(node, negated=False)
            case "SCALARARRAYOPEXPR":
                scalar, array = node.nodes("args")
                found = self.if_not_null(array)
                if self.is_strict(node) and (node.flag("useOr") or _has_an_element(array)):
                    found |= self.if_not_null(scalar)
                return found
            case "SUBLINK" if node.integer("subLinkType") == _ANY_SUBLINK:
                return self.if_true(node.node("testexpr"))
            case _:
                return self.if_not_null(node)

    def _if_no_field_null(self, node: Node) -> set[Key]:
        """Return the keys that are not NULL when `node is not null`: for a row, all its fields."""
        found = self.if_not_null(node)
        if node.tag == "ROWEXPR":
            found |= _union(self.if_not_null(field) for field in node.nodes("args"))
        return found

    def if_false(self, node: Node) -> set[Key]:
        """Return the keys that are not NULL when the condition *node* is false."""
        match node.tag:
            case "BOOLEXPR":
                arguments = node.nodes("args")
                match node.text("boolop"):
                    case "and":
                        return _intersection(self.if_false(item) for item in arguments)
                    case "or":
                        return _union(self.if_false(item) for item in arguments)
                    case _:
                        return self.if_true(arguments[0])
            case "NULLTEST":
                if node.integer("nulltesttype") == _IS_NOT_NULL:
                    return set()
                return self.if_not_null(node.node("arg"))
            case "BOOLEANTEST":
                return self._if_tested(node, negated=True)
            case "SUBLINK":
                return set()
            case _:
                return self.if_not_null(node)

    def if_not_true(self, node: Node) -> set[Key]:
        """Return the keys that are not NULL when *node* is false or NULL, as in an ELSE."""
        match node.tag:
            case "NULLTEST" | "BOOLEANTEST":
                return self.if_false(node)
            case "BOOLEXPR" if node.text("boolop") == "or":
                return _union(self.if_not_true(item) for item in node.nodes("args"))
            case "BOOLEXPR" if node.text("boolop") == "and":
                return _intersection(self.if_not_true(item) for item in node.nodes("args"))
            case "BOOLEXPR":
                inner = node.nodes("args")[0]
                return self.if_true(inner) if inner.tag in ("NULLTEST", "BOOLEANTEST") else set()
            case _:
                return set()

    def _if_tested(self, node: Node, *, negated: bool) -> set[Key]:
        """Return the keys that follow from a test such as `x is [not] true`, held or *negated*."""
        argument, test = node.node("arg"), node.integer("booltesttype")
        if negated:
            # The tests stand in pairs: each even one is followed by its opposite.
            test ^= 1
        if test == _IS_TRUE:
            return self.if_true(argument)
        if test == _IS_NOT_TRUE:
            return self.if_not_true(argument)
        if test == _IS_FALSE:
            return self.if_false(argument)
        return self.if_not_null(argument) if test == _IS_NOT_UNKNOWN else set()

    def if_not_null(self, node: Node) -> set[Key]:
        """Return the keys that are not NULL when *node* is not: its own, its strict arguments'."""
        found: set[Key] = set()
        key = self.key(node)
        if key is not None:
            found.add(key)
        if node.tag in _WRAPPERS or (node.tag == "COERCEVIAIO" and self._reads_no_null(node)):
            found |= self.if_not_null(node.node("arg"))
        elif node.tag in ("FUNCEXPR", "OPEXPR") and self.is_strict(node):
            found |= _union(self.if_not_null(item) for item in node.nodes("args"))
        elif node.tag == "BOOLEXPR" and node.text("boolop") == "not":
            found |= self.if_not_null(node.nodes("args")[0])
        elif node.tag == "VAR":
            flat = self.flatten(node)
            if flat is not node:
                found |= self.if_not_null(flat)
        return found

    def is_strict(self, call: Node) -> bool:
        """Return whether the function or operator that *call* calls gives NULL for any NULL."""
        function = self.catalogue.function(call.integer(_CALLS[call.tag]))
        return function is not None and function.strict and not function.returns_set

    def _reads_no_null(self, cast: Node) -> bool:
        target = self.catalogue.type(cast.integer("resulttype"))
        return target is not None and target.built_in_text


class _NoKeyError(Exception):
    """The expression may have another value each time."""


def _union(sets: Iterable[set[Key]]) -> set[Key]:
    return set[Key]().union(*sets)


def _intersection(sets: Iterable[set[Key]]) -> set[Key]:
    first, *rest = sets
    return first.intersection(*rest)


def _has_an_element(array: Node) -> bool:
    return (
        array.tag == "ARRAYEXPR" and not array.flag("multidims") and bool(array.nodes("elements"))
    )
