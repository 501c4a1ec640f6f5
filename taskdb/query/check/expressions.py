"""Can an expression be NULL? One method for each kind of node."""

from __future__ import annotations

from dataclasses import dataclass, replace

from taskdb.query.check.catalogue import walk
from taskdb.query.check.nodetree import Node
from taskdb.query.check.nullfree import Promise, is_comparison, null_free_columns, promise
from taskdb.query.check.scopes import Context, Facts, Key, Scope
from taskdb.query.check.verdicts import MOST_CASES, TOO_DEEP, Judge, Verdict, may, never

__all__ = ["Expressions"]

_EXISTS, _ALL, _ANY, _SCALAR, _ARRAY = 0, 1, 2, 4, 6
_EXTERNAL_PARAMETER, _SUBLINK_PARAMETER = 0, 2
_CURRENT_SCHEMA = 14
_JSON_OBJECT, _JSON_ARRAY = 1, 2
_FIRST_USER_OID = 16384


@dataclass(slots=True)
class _Budget:
    """Number of times that a case may still be divided into two."""

    left: int

    def is_left(self) -> bool:
        self.left -= 1
        return self.left >= 0


class Expressions(Judge):
    """Judges expressions, aggregates and columns aside."""

    parameters_not_null: frozenset[int]
    items_not_null: frozenset[int]

    def __init__(self) -> None:
        # Verdicts hold while the same is assumed: the last number of `_recursive`.
        self._assumption = 0
        self._choices: dict[tuple[int, ...], dict[Facts, Verdict]] = {}
        self._subqueries: dict[int, dict[tuple[int, Facts], Scope]] = {}

    def constant(self, place: Context, node: Node) -> Verdict:
        """A constant is NULL or not."""
        return may("it is NULL") if node.flag("constisnull") else never("it is a constant")

    def parameter(self, place: Context, node: Node) -> Verdict:
        """A parameter is what the caller says; the other side of ANY is a subquery's column."""
        kind, number = node.integer("paramkind"), node.integer("paramid")
        if kind == _EXTERNAL_PARAMETER:
            if number in self.parameters_not_null:
                return never(f"parameter ${number} is never NULL")
            return may(f"parameter ${number} may be NULL")
        if kind == _SUBLINK_PARAMETER and place.subselect is not None:
            return self.column(place.subselect, number)
        return may("a row that is not found gives NULL")

    def call(self, place: Context, node: Node) -> Verdict:
        """A function or operator keeps what it promises, if it is a listed one."""
        function = self.catalogue.function(
            node.integer("funcid" if node.tag == "FUNCEXPR" else "opfuncid")
        )
        if function is None:
            return may("it calls a function that is not in the catalogue")
        if node.has("funcvariadic") and node.flag("funcvariadic"):
            return may(f"the array given to {function.name} may be NULL")
        arguments = node.nodes("args")
        if function.returns_set:
            return self._set_in_select_list(place, node)
        if function.name in ("extract", "date_part") and _is_epoch(arguments[0]):
            return self._all(place, arguments, "the epoch of a time is a number")
        reason = f"{function.name} gives no NULL"
        match promise(function):
            case Promise.NEVER_NULL:
                return never(reason)
            case Promise.ALL_ARGUMENTS:
                return self._all(place, arguments, reason)
            case Promise.FIRST_ARGUMENT:
                return self._all(place, arguments[:1], reason)
            case Promise.FIRST_TWO:
                return self._all(place, arguments[:2], reason)
            case Promise.ANY_ARGUMENT:
                return self._any(place, arguments, f"all arguments of {function.name} may be NULL")
            case None:
                return may(f"{function.name} is not known never to give NULL")

    def _set_in_select_list(self, place: Context, node: Node) -> Verdict:
        """Of several functions that return rows, the shorter ones are filled up with NULL."""
        function = self.catalogue.function(node.integer("funcid"))
        entries = place.scope.query.nodes("targetList")
        if function is None or sum(map(self._sets_in, entries)) != 1:
            return may("it returns rows, and others in the select list may return more")
        if null_free_columns(function) == {1}:
            return never(f"{function.name} gives no NULL")
        return may(f"{function.name} is not known never to give NULL")

    def _sets_in(self, entry: Node) -> int:
        return sum(node.flag("funcretset") or node.flag("opretset") for node in walk(entry))

    def distinct(self, place: Context, node: Node) -> Verdict:
        """IS DISTINCT FROM is true or false, if the comparison below it is."""
        function = self.catalogue.function(node.integer("opfuncid"))
        if is_comparison(function):
            return never("IS DISTINCT FROM is true or false")
        return may("it compares by an operator of which nothing is known")

    def array_comparison(self, place: Context, node: Node) -> Verdict:
        """`x = any (array)` is NULL for a NULL, also for one among the array's elements."""
        function = self.catalogue.function(node.integer("opfuncid"))
        if function is None or promise(function) is not Promise.ALL_ARGUMENTS:
            return may("it compares by an operator of which nothing is known")
        scalar, array = node.nodes("args")
        for verdict in (self.judge(place, scalar), self.judge(place, array)):
            if verdict.nullable:
                return verdict
        return self._elements(place, array)

    def _elements(self, place: Context, array: Node) -> Verdict:
        """The verdict on the elements of *array*."""
        match array.tag:
            case "ARRAYEXPR" if not array.flag("multidims"):
                return self._all(place, array.nodes("elements"), "all elements are given")
            case "RELABELTYPE":
                return self._elements(place, array.node("arg"))
            case "PARAM" if (
                array.integer("paramkind") == _EXTERNAL_PARAMETER
                and array.integer("paramid") in self.items_not_null
            ):
                return never(f"no item of parameter ${array.integer('paramid')} is NULL")
            case "CONST" if _has_no_null_bitmap(array):
                return never("the array holds no NULL")
            case "SUBLINK" if array.integer("subLinkType") == _ARRAY:
                inner = self.within(place, array)
                return self.column(inner, 1) if inner else may(TOO_DEEP)
            case _:
                return may("the array may hold NULL")

    def case(self, place: Context, node: Node) -> Verdict:
        """CASE: each result where its condition is true and those before are not."""
        result = never("no result of CASE is NULL")
        for branch in node.nodes("args"):
            condition = branch.node("expr")
            known = place.scope.if_true(condition) | _if_case_matches(place.scope, node, condition)
            result = self.judge(place.knowing(known), branch.node("result"))
            if result.nullable:
                return result
            place = place.knowing(place.scope.if_not_true(condition))
        if otherwise := node.maybe("defresult"):
            if otherwise.tag == "CONST" and otherwise.flag("constisnull"):
                return may("CASE without a result for everything else")
            return self.judge(place, otherwise)
        return may("CASE without ELSE")

    def coalesce(self, place: Context, node: Node) -> Verdict:
        """COALESCE: one argument is enough, or one for each side of a full join."""
        key = (self._assumption, place.scope.number, id(node), id(place.phase), id(place.subselect))
        known = self._choices.setdefault(key, {})
        if place.facts not in known:
            arguments = node.nodes("args")
            found = self._any(place, arguments, "all arguments of COALESCE may be NULL")
            if found.nullable and len(known) < MOST_CASES:
                budget = _Budget(4 * len(place.scope.joins))
                if self._is_covered(place, arguments, budget):
                    found = never("a row of a full join has one side or the other")
            known[place.facts] = found
        return known[place.facts]

    def _is_covered(self, place: Context, arguments: list[Node], budget: _Budget) -> bool:
        """Return whether one of *arguments* is there with each side of some full join alone.

        For want of one, on a side that has full joins itself, perhaps with each side of these.
        """
        number = place.scope.number
        return any(
            budget.is_left()
            and all(
                not self._any(there, arguments, "").nullable
                or self._is_covered(there, arguments, budget)
                for there in (
                    place.knowing([("side", number, join.index, side)])
                    for side in ("left", "right")
                )
            )
            for join in place.scope.dividing(arguments, place.facts)
        )

    def greatest(self, place: Context, node: Node) -> Verdict:
        """GREATEST and LEAST leave NULL out."""
        return self._any(place, node.nodes("args"), "all arguments may be NULL")

    def logic(self, place: Context, node: Node) -> Verdict:
        """AND, OR, NOT of truths that are not NULL."""
        return self._all(place, node.nodes("args"), "it is true or false")

    def row_comparison(self, place: Context, node: Node) -> Verdict:
        """`(a, b) < (c, d)` by built-in operators."""
        if any(oid >= _FIRST_USER_OID for oid in node.integers("opnos")):
            return may("it compares by an operator of which nothing is known")
        sides = [*node.nodes("largs"), *node.nodes("rargs")]
        return self._all(place, sides, "rows without NULL are compared")

    def truth_test(self, place: Context, node: Node) -> Verdict:
        """IS NULL, IS TRUE and the like answer for NULL as well."""
        return never("a test for NULL or truth is true or false")

    def whole(self, place: Context, node: Node) -> Verdict:
        """A constructor: ARRAY[...], ROW(...), or a number PostgreSQL makes."""
        return never("it is constructed")

    def array(self, place: Context, node: Node) -> Verdict:
        """ARRAY[...] is an array; one of arrays may have nothing to be one of."""
        if node.flag("multidims"):
            return self._all(place, node.nodes("elements"), "an array of arrays")
        return never("it is constructed")

    def json_constructor(self, place: Context, node: Node) -> Verdict:
        """JSON_OBJECT() and JSON_ARRAY() of values; their aggregates of no rows are NULL."""
        if node.integer("type") in (_JSON_OBJECT, _JSON_ARRAY):
            return never("it is constructed")
        return may("a JSON constructor of what may be NULL")

    def subscript(self, place: Context, node: Node) -> Verdict:
        """A slice of an array is an array, of nothing if need be; an element may be missing."""
        lower = node.items("reflowerindexpr")
        if not lower or node.maybe("refassgnexpr"):
            return may("there may be no such element")
        # A bound that is not written is no node.
        given = [
            item for item in (*node.items("refupperindexpr"), *lower) if isinstance(item, Node)
        ]
        return self._all(place, [node.node("refexpr"), *given], "a slice of an array is an array")

    def wrapper(self, place: Context, node: Node) -> Verdict:
        """A named argument, or a cast or collation that keeps NULL as it is and makes none."""
        return self.judge(place, node.node("arg"))

    def through_text(self, place: Context, node: Node) -> Verdict:
        """A cast by way of text, read by built-in code."""
        target = self.catalogue.type(node.integer("resulttype"))
        if target is None or not target.built_in_text:
            return may("a cast to a type of which nothing is known")
        return self.judge(place, node.node("arg"))

    def domain(self, place: Context, node: Node) -> Verdict:
        """A cast to a domain NOT NULL fails for NULL. Columns of such a domain may hold it yet."""
        target = self.catalogue.type(node.integer("resulttype"))
        if target is not None and target.cast_refuses_null:
            return never("the cast to its domain refuses NULL")
        return self.judge(place, node.node("arg"))

    def session_value(self, place: Context, node: Node) -> Verdict:
        """CURRENT_DATE, CURRENT_USER and the like; there may be no current schema."""
        if node.integer("op") < _CURRENT_SCHEMA:
            return never("the session always has one")
        return may("the session may have none")

    def subquery(self, place: Context, node: Node) -> Verdict:
        """EXISTS, ARRAY, ANY, ALL, or a subquery in the place of a value."""
        kind = node.integer("subLinkType")
        if kind == _EXISTS:
            return never("EXISTS is true or false")
        if kind == _ARRAY:
            return never("ARRAY of no rows is an empty array")
        inner = self.within(place, node)
        if inner is None:
            return may(TOO_DEEP)
        if kind in (_ANY, _ALL):
            return self.judge(replace(place, subselect=inner), node.node("testexpr"))
        if kind != _SCALAR:
            return may("a row that is not found gives NULL")
        if not self.gives_a_row(inner):
            return may("a subquery that finds no row gives NULL")
        return self.column(inner, 1)

    def within(self, place: Context, sublink: Node) -> Scope | None:
        """The scope of the subquery in *sublink* at *place*, None after MOST_CASES of them."""
        scopes = self._subqueries.setdefault(id(sublink), {})
        key = (place.scope.number, place.facts)
        if key not in scopes:
            if len(scopes) >= MOST_CASES:
                return None
            scopes[key] = Scope(sublink.node("subselect"), place, place.scope.shared)
        return scopes[key]


def _if_case_matches(scope: Scope, case: Node, condition: Node) -> set[Key]:
    """Return the keys that are not NULL when `case x when 1`, with a stand-in for x, is true."""
    argument = case.maybe("arg")
    stands_in = condition.tag == "OPEXPR" and condition.nodes("args")[0].tag == "CASETESTEXPR"
    if argument and stands_in and scope.is_strict(condition):
        return scope.if_not_null(argument)
    return set()


def _is_epoch(node: Node) -> bool:
    """Return whether *node* is the text `epoch`: of the fields, it is one that infinity has too."""
    if node.tag != "CONST" or node.flag("constisnull"):
        return False
    return node.data("constvalue")[4:] == b"epoch"


def _has_no_null_bitmap(node: Node) -> bool:
    """Return whether a constant array holds no NULL: its header's data offset is zero then.

    The header (src/include/utils/array.h): length, dimensions, offset, each four bytes.
    """
    if node.flag("constisnull"):
        return False
    data = node.data("constvalue")
    return len(data) >= 16 and _is_long_header(data) and data[8:12] == bytes(4)


def _is_long_header(data: bytes) -> bool:
    """Return whether the first four bytes hold the length, in either byte order."""
    return int.from_bytes(data[:4], "little") >> 2 == len(data) or (
        int.from_bytes(data[:4], "big") == len(data)
    )
