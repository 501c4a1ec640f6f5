"""Can a query give more than one row? "At most one" is a proof, as "not null" is.

A relation is single if it has one row at most for the rows of the others that are single: by
a unique key compared with values that are fixed, or by its own making (LIMIT 1, an aggregate
without GROUP BY). A query whose relations are all single has one row at most.

A column of a view, a subquery or a CTE that is compared with a fixed value is a pin of the query
inside, where it may be the key of a table, or all that the rows are grouped by.
"""

from __future__ import annotations

from typing import TypeAlias

from taskdb.query.check.catalogue import Catalogue, walk
from taskdb.query.check.facts import (
    CTE,
    DELETE,
    FULL,
    FUNCTION,
    INNER,
    INSERT,
    LEFT,
    MERGE,
    NO_PINS,
    RIGHT,
    SELECT,
    SUBQUERY,
    TABLE,
    UPDATE,
    VALUES,
    Pin,
    Pins,
)
from taskdb.query.check.nodetree import Node, NodeTreeError, Value
from taskdb.query.check.nullfree import promise
from taskdb.query.check.scopes import Context, Scope, Shared
from taskdb.query.check.verdicts import MOST_CASES

__all__ = ["at_most_one_row", "calls_no_set"]

_EXTERNAL_PARAMETER = 0
_SCALAR = 4
_INTERSECT, _EXCEPT = 2, 3
_BY_SOURCE = 1

Comparisons: TypeAlias = list[tuple[Node, frozenset[int] | None]]


def at_most_one_row(query: Node, catalogue: Catalogue) -> bool:
    """Return whether the analysed *query* gives one row at most, whatever the tables hold.

    For INSERT, UPDATE and DELETE: whether it writes one row at most.
    """
    try:
        return _is_single(Scope(query, None, Shared(catalogue)))
    except (NodeTreeError, RecursionError):
        return False


def _is_single(scope: Scope, pins: Pins = NO_PINS) -> bool:
    """Return whether the query of *scope* has one row at most for the values of *pins*.

    After MOST_CASES of them none is taken as known, as in `Nullability.column`.
    """
    known = scope.shared.is_single.setdefault(scope.number, {})
    if pins not in known and len(known) >= MOST_CASES:
        pins = NO_PINS
    if pins not in known:
        known[pins] = _is_single_query(scope, pins)
    return known[pins]


def _is_single_query(scope: Scope, pins: Pins) -> bool:
    query = scope.query
    if _is_limited_to_one(query):
        return True
    if operation := query.maybe("setOperations"):
        return _set_operation_is_single(scope, operation)
    if query.flag("hasTargetSRFs"):
        return False
    if scope.command == SELECT:
        if query.items("groupingSets"):
            return False
        if scope.is_grouped and not query.items("groupClause"):
            return True
        single = _single_relations(scope, pins)
        if _no_full_join(scope) and set(scope.nulled_by) <= single:
            return True
        settled = _settled(scope, single)
        return any(
            _is_divided_by_fixed_values(scope, query.nodes(clause), settled, pins)
            for clause in ("groupClause", "distinctClause")
        )
    if scope.command == INSERT:
        return set(scope.nulled_by) <= _single_relations(scope)
    if scope.command in (UPDATE, DELETE):
        return scope.result in _single_relations(scope)
    return scope.command == MERGE and _merges_one_row(scope)


def _merges_one_row(scope: Scope) -> bool:
    """Return whether MERGE has one source row at most, which finds one row of the target at most.

    What matches decides what is done with a source row, and leaves none out. A row of the target
    without a match is one more.
    """
    actions = scope.query.nodes("mergeActionList")
    if any(each.has("matchKind") and each.integer("matchKind") == _BY_SOURCE for each in actions):
        return False
    # Before 17 what matches is among the conditions.
    condition = scope.query.maybe("mergeJoinCondition")
    conditions = [condition] if condition else scope.conditions
    single = _single_relations(scope, among=_joined(scope))
    matches: Comparisons = [(part, None) for each in conditions for part in _conjuncts(each)]
    settled = _settled(scope, single)
    pins = _compared(scope, scope.result, settled, matches)
    return set(scope.nulled_by) <= single and _has_one_row(scope, scope.result, settled, pins)


def _is_limited_to_one(query: Node) -> bool:
    """LIMIT 0 or 1, written as a number; WITH TIES may give more."""
    count = query.maybe("limitCount")
    if count is None or query.integer("limitOption") != 0:
        return False
    if count.tag == "FUNCEXPR" and len(count.nodes("args")) == 1:
        # The number is an integer, and LIMIT takes a bigint.
        count = count.nodes("args")[0]
    if count.tag != "CONST" or count.flag("constisnull"):
        return False
    data = count.data("constvalue")
    return any(int.from_bytes(data, order) in (0, 1) for order in ("little", "big"))


def _set_operation_is_single(scope: Scope, tree: Node) -> bool:
    if tree.tag == "RANGETBLREF":
        return _is_single(scope.child(tree.integer("rtindex")))
    operation = tree.integer("op")
    if operation not in (_INTERSECT, _EXCEPT):
        return False
    if _set_operation_is_single(scope, tree.node("larg")):
        return True
    return operation == _INTERSECT and _set_operation_is_single(scope, tree.node("rarg"))


def _no_full_join(scope: Scope) -> bool:
    """One row on each side of a full join can be two rows without a match."""
    return all(join.kind != FULL for join in scope.joins)


def _is_divided_by_fixed_values(
    scope: Scope, clause: list[Node], settled: set[int], pins: Pins
) -> bool:
    """Return whether all rows are one group of GROUP BY, or one of DISTINCT, by *clause*.

    What is compared with one value is one to the clause only if both compare by one operator.
    """
    equalities = {one.integer("tleSortGroupRef"): one.text("eqop") for one in clause}
    pinned = {(pin.column, pin.operator) for pin in pins}
    return bool(clause) and all(
        (entry.integer("resno"), equalities[reference]) in pinned
        or _is_fixed(scope, entry.node("expr"), settled)
        or _is_compared(scope, entry.node("expr"), equalities[reference], settled)
        for entry in scope.query.nodes("targetList")
        if (reference := entry.integer("ressortgroupref")) in equalities
    )


def _is_compared(scope: Scope, expression: Node, operator: str, settled: set[int]) -> bool:
    """Return whether WHERE compares *expression*, a column, with a fixed value by *operator*."""
    column = scope.flatten(expression)
    return column.tag == "VAR" and any(
        (pin.column, pin.operator) == (column.integer("varattno"), operator)
        for condition in scope.conditions
        for part in _conjuncts(condition)
        for pin in _fixed_columns(scope, column.integer("varno"), part, settled)
    )


def _single_relations(
    scope: Scope, pins: Pins = NO_PINS, among: Comparisons | None = None
) -> set[int]:
    """The relations of *scope* that have one row at most in each combination of the others.

    *among* are the comparisons that hold for them, if these are not all of the query's.
    """
    single: set[int] = set()
    comparisons = _comparisons(scope) if among is None else among
    while True:
        settled = _settled(scope, single)
        found = {
            index
            for index in scope.nulled_by
            if index not in single
            and _has_one_row(
                scope,
                index,
                settled,
                _compared(scope, index, settled, comparisons) | _pinned(scope, index, pins),
            )
        }
        if not found:
            return single
        single |= found


def _settled(scope: Scope, single: set[int]) -> set[int]:
    """Those of *single* that are the same in all rows: there, or in none for want of a match."""
    opposite = {
        (join.index, side): other
        for join in scope.joins
        if join.kind != FULL
        for side, other in (("left", join.right), ("right", join.left))
    }
    return {
        index
        for index in single
        if scope.is_there(index, scope.row.facts)
        or all(side in opposite and opposite[side] <= single for side in scope.nulled_by[index])
    }


def _has_one_row(scope: Scope, index: int, settled: set[int], pins: Pins) -> bool:
    """Return whether relation *index* has one row for each row of the relations it names.

    *pins* are its columns that are compared with fixed values.
    """
    relation = scope.relation(index)
    if not _named_relations(relation) <= settled:
        return False
    kind = relation.integer("rtekind")
    if kind in (SUBQUERY, CTE):
        inner = scope.child(index) if kind == SUBQUERY else _scope_of_cte(scope, relation)
        return inner is not None and _is_single(inner, pins)
    if kind == TABLE:
        return _is_found_by_key(scope, relation, pins)
    if kind == VALUES:
        return len(relation.items("values_lists")) == 1
    return kind == FUNCTION and calls_no_set(relation)


def calls_no_set(relation: Node) -> bool:
    """Return whether the functions of a relation give one row each: none returns a set."""
    return not any(
        node.has("funcretset") and node.flag("funcretset")
        for function in relation.nodes("functions")
        for node in walk(function)
    )


def _scope_of_cte(scope: Scope, relation: Node) -> Scope | None:
    """The scope of the CTE that *relation* reads, None for a recursive one."""
    here: Context = scope.row
    owner = here.at(relation.integer("ctelevelsup")).scope
    for cte in owner.query.nodes("cteList"):
        if cte.text("ctename") == relation.text("ctename") and not cte.flag("cterecursive"):
            place = (owner.number, id(cte))
            ctes = owner.shared.ctes
            if place not in ctes:
                ctes[place] = Scope(cte.node("ctequery"), owner.around, owner.shared)
            return ctes[place]
    return None


def _comparisons(scope: Scope) -> Comparisons:
    """Conditions that are true of every row, each with the relations that it restricts.

    None means all: WHERE.
    """
    found: Comparisons = [
        (part, None) for condition in scope.conditions for part in _conjuncts(condition)
    ]
    return found + _joined(scope)


def _joined(scope: Scope) -> Comparisons:
    """Conditions of joins, each with the relations that it restricts.

    That of an outer join restricts the side that may have no match; of the other side all rows
    stay.
    """
    found: Comparisons = []
    for join in scope.joins:
        restricted = {
            INNER: join.left | join.right,
            LEFT: join.right,
            RIGHT: join.left,
            FULL: frozenset[int](),
        }[join.kind]
        if join.quals:
            found.extend((part, restricted) for part in _conjuncts(join.quals))
    return found


def _conjuncts(condition: Node) -> list[Node]:
    if condition.tag == "BOOLEXPR" and condition.text("boolop") == "and":
        return [part for item in condition.nodes("args") for part in _conjuncts(item)]
    return [condition]


def _compared(
    scope: Scope,
    index: int,
    settled: set[int],
    comparisons: Comparisons,
) -> Pins:
    """The columns of relation *index* that the conditions compare with fixed values."""
    return frozenset(
        pin
        for condition, restricted in comparisons
        if restricted is None or index in restricted
        for pin in _fixed_columns(scope, index, condition, settled)
    )


def _pinned(scope: Scope, index: int, pins: Pins) -> Pins:
    """The columns of relation *index* that *pins*, columns of the query's result, show."""
    found = (
        (_column_of(scope, index, entry.node("expr"), pin.collation), pin)
        for pin in pins
        for entry in scope.query.nodes("targetList")
        if entry.integer("resno") == pin.column
    )
    return frozenset(pin._replace(column=number) for number, pin in found if number is not None)


def _is_found_by_key(scope: Scope, table: Node, pins: Pins) -> bool:
    """Return whether *pins* are all columns of a unique key, compared as the key compares."""
    return any(
        all(
            any(pin.column == column and _is_of_family(pin.operator, equalities) for pin in pins)
            for column, equalities in zip(key.columns, key.equalities, strict=True)
        )
        for key in scope.shared.catalogue.unique_keys(table.integer("relid"))
    )


def _is_of_family(operator: str, equalities: str) -> bool:
    return operator in equalities.split(",")


def _fixed_columns(scope: Scope, index: int, condition: Node, settled: set[int]) -> set[Pin]:
    """The columns of relation *index* that *condition* compares with one value, and by what.

    Only an equality of the key's own operator family makes them one row: `char(n)` has another
    than `varchar`, although one looks through the cast between them.
    """
    arguments = condition.nodes("args") if condition.tag == "OPEXPR" else []
    if len(arguments) != 2:
        return set()
    left, right = arguments
    found: set[Pin] = set()
    for column, value in ((left, right), (right, left)):
        collation = condition.integer("inputcollid")
        number = _column_of(scope, index, column, collation)
        if number is not None and _is_fixed(scope, value, settled):
            found.add(Pin(number, condition.text("opno"), collation))
    return found


def _column_of(scope: Scope, index: int, node: Node, collation: int) -> int | None:
    """The number of the column of relation *index* that *node* is, compared as it is stored."""
    while node.tag == "RELABELTYPE":
        node = node.node("arg")
    node = scope.flatten(node)
    if node.tag != "VAR" or node.integer("varlevelsup") != 0 or node.integer("varno") != index:
        return None
    if collation not in (0, node.integer("varcollid")):
        return None
    return node.integer("varattno")


def _is_fixed(scope: Scope, value: Node, settled: set[int]) -> bool:
    """Return whether *value* is the same for all rows that agree on the relations in *settled*."""
    value = scope.flatten(value)
    match value.tag:
        case "CONST":
            return True
        case "PARAM":
            return value.integer("paramkind") == _EXTERNAL_PARAMETER
        case "VAR":
            return value.integer("varlevelsup") > 0 or value.integer("varno") in settled
        case "RELABELTYPE" | "COERCEVIAIO" | "COLLATEEXPR" | "COERCETODOMAIN":
            return _is_fixed(scope, value.node("arg"), settled)
        case "FUNCEXPR" | "OPEXPR":
            field = "funcid" if value.tag == "FUNCEXPR" else "opfuncid"
            function = scope.shared.catalogue.function(value.integer(field))
            if function is None or function.volatile or promise(function) is None:
                return False
            return all(_is_fixed(scope, argument, settled) for argument in value.nodes("args"))
        case "SUBLINK":
            return value.integer("subLinkType") == _SCALAR and _stands_alone(value)
        case _:
            return False


def _stands_alone(sublink: Node) -> bool:
    """Return whether a subquery mentions no column around it, so that it is run once."""
    return all(
        node.integer("varlevelsup") == 0
        for node in walk(sublink.node("subselect"))
        if node.tag == "VAR"
    )


def _named_relations(relation: Node) -> set[int]:
    """The relations beside it whose columns *relation* uses, as LATERAL lets it."""
    found: set[int] = set()
    todo: list[tuple[Value, int]] = [(relation, 0)] if relation.flag("lateral") else []
    while todo:
        value, depth = todo.pop()
        if isinstance(value, list):
            todo.extend((item, depth) for item in value)
        elif isinstance(value, Node):
            if value.tag == "VAR" and value.integer("varlevelsup") == depth:
                found.add(value.integer("varno"))
            inner = depth + 1 if value.tag == "QUERY" else depth
            todo.extend((part, inner) for part in value.fields.values())
    return found
