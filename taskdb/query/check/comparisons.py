"""Columns that a statement's parameters are compared with or written to, from its own tree.

A value of that column is a realistic argument. Where a parameter is compared with an expression
(`coalesce(agent_type, '') in ('', $2)`), the first column in the expression counts, unless
it is compared with a column as such elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from taskdb.query.check.catalogue import walk
from taskdb.query.check.nodetree import Node, NodeTreeError, Tree, Value, strings
from taskdb.query.check.scopes import CTE, GROUP, JOIN, SUBQUERY, TABLE, VALUES

__all__ = ["TableColumn", "compared_columns", "written_columns"]

TableColumn = tuple[int, int]
"""The OID of a table and the number of one of its columns."""

_OPERATORS = frozenset({"OPEXPR", "SCALARARRAYOPEXPR", "DISTINCTEXPR"})
_SCALAR = 4
_IMPLICIT_CAST = 2
_WRAPPERS = frozenset({"RELABELTYPE", "COERCETODOMAIN", "COERCEVIAIO", "COLLATEEXPR"})


def compared_columns(tree: Tree) -> dict[int, TableColumn]:
    """Return the column that each parameter of the statement is compared with, by its number.

    A parameter is left out that is compared with none, or in a way that is not understood.
    """
    plain: dict[int, TableColumn] = {}
    inside: dict[int, TableColumn] = {}
    for node in tree.nodes:
        for levels, left, right in _comparisons(node, (node,)):
            for one, other in ((left, right), (right, left)):
                column = _understood(_first_column(other), levels)
                if not isinstance(column, tuple):
                    continue
                known = plain if _is_plain(one) and _is_plain(other) else inside
                for number in _parameters(one, levels):
                    known.setdefault(number, column)
    return inside | plain


def written_columns(tree: Tree) -> dict[int, tuple[TableColumn, ...]]:
    """Return the columns that each parameter is written to as it is, by its number."""
    found: dict[int, dict[TableColumn, None]] = {}
    for levels in _queries(tree):
        query = levels[-1]
        result = query.integer("resultRelation")
        if not result:
            continue
        relation = query.nodes("rtable")[result - 1].integer("relid")
        for entry in _assignments(query):
            for value in _values(entry.node("expr"), levels):
                if value.tag == "PARAM" and value.integer("paramkind") == 0:
                    columns = found.setdefault(value.integer("paramid"), {})
                    columns[relation, entry.integer("resno")] = None
    return {number: tuple(columns) for number, columns in found.items()}


def _queries(tree: Tree) -> Iterator[tuple[Node, ...]]:
    """Yield each query behind those around it, the outermost first."""
    todo: list[tuple[Value, tuple[Node, ...]]] = [(node, ()) for node in reversed(tree.nodes)]
    while todo:
        value, around = todo.pop()
        if isinstance(value, list):
            todo.extend((item, around) for item in reversed(value))
        elif isinstance(value, Node):
            if value.tag == "QUERY":
                around = (*around, value)
                yield around
            todo.extend((part, around) for part in reversed(value.fields.values()))


def _assignments(query: Node) -> Iterator[Node]:
    """Yield what INSERT, UPDATE, MERGE and ON CONFLICT set, column by column."""
    lists = [query.nodes("targetList")]
    if conflict := query.maybe("onConflict"):
        lists.append(conflict.nodes("onConflictSet"))
    lists += [action.nodes("targetList") for action in query.nodes("mergeActionList")]
    yield from (entry for entries in lists for entry in entries if not entry.flag("resjunk"))


def _values(value: Node, levels: tuple[Node, ...]) -> Iterator[Node]:
    """Yield what an assigned value may be, casts looked through: of several VALUES, each."""
    value = _stored(value)
    if value.tag != "VAR":
        yield value
        return
    try:
        found, levels = _behind(value, levels)
    except NodeTreeError:
        return  # As in `_understood`.
    for each in found if isinstance(found, list) else ():
        yield from _values(each, levels)


def _stored(value: Node) -> Node:
    """The written value, before it is cast to its column's type and cut to its length."""
    while True:
        if value.tag in _WRAPPERS or value.tag == "ARRAYCOERCEEXPR":
            value = value.node("arg")
        elif value.tag == "FUNCEXPR" and value.integer("funcformat") == _IMPLICIT_CAST:
            value = value.nodes("args")[0]
        else:
            return value


def _comparisons(
    value: Value, levels: tuple[Node, ...]
) -> Iterator[tuple[tuple[Node, ...], Node, Node]]:
    """Yield the two sides of each comparison, with the queries around it, the innermost last."""
    if isinstance(value, list):
        for item in value:
            yield from _comparisons(item, levels)
    elif isinstance(value, Node):
        if value.tag == "QUERY" and value is not levels[-1]:
            levels = (*levels, value)
        if value.tag in _OPERATORS:
            sides = value.nodes("args")
            if len(sides) == 2:
                yield levels, sides[0], sides[1]
        elif value.tag == "ROWCOMPAREEXPR":
            for left, right in zip(value.nodes("largs"), value.nodes("rargs"), strict=True):
                yield levels, left, right
        for part in value.fields.values():
            if isinstance(part, (Node, list)):
                yield from _comparisons(part, levels)


def _parameters(side: Node, levels: tuple[Node, ...]) -> Iterator[int]:
    """The parameters on a side, or in the expression that its column stands for."""
    behind = _understood(_first_column(side), levels)
    for node in (*walk(side), *walk(behind if isinstance(behind, Node) else None)):
        if node.tag == "PARAM" and node.integer("paramkind") == 0:
            yield node.integer("paramid")


def _first_column(side: Value) -> Node | None:
    """The first column on a side, subqueries left out: theirs are of other levels."""
    if isinstance(side, Node):
        if side.tag == "VAR":
            return side
        parts: list[Value] = [] if side.tag == "QUERY" else list(side.fields.values())
    else:
        parts = side if isinstance(side, list) else []
    return next((found for part in parts if (found := _first_column(part))), None)


def _is_plain(side: Node) -> bool:
    """Tell whether a side is a column or a parameter, perhaps with something for its NULL.

    So is `(select :agent)`, which keeps the value from the planner.
    """
    while side.tag in _WRAPPERS:
        side = side.node("arg")
    if side.tag == "SUBLINK" and side.integer("subLinkType") == _SCALAR:
        query = side.node("subselect")
        targets = query.nodes("targetList")
        return (
            not query.nodes("rtable") and len(targets) == 1 and _is_plain(targets[0].node("expr"))
        )
    if side.tag == "COALESCEEXPR":
        return _is_plain(side.nodes("args")[0])
    if side.tag == "ARRAYEXPR":
        return all(_is_plain(item) or item.tag == "CONST" for item in side.nodes("elements"))
    return side.tag in ("VAR", "PARAM")


def _understood(variable: Node | None, levels: tuple[Node, ...]) -> TableColumn | Node | None:
    try:
        return _origin(variable, levels)
    except NodeTreeError:
        return None  # A shape that this version of PostgreSQL has, and this module has not met.


def _origin(variable: Node | None, levels: tuple[Node, ...]) -> TableColumn | Node | None:
    """Follow a column through subqueries, CTEs and joins to a table's, or to an expression."""
    while variable is not None and variable.tag == "VAR":
        found, levels = _behind(variable, levels)
        if isinstance(found, tuple):
            return found
        variable = found[0] if len(found) == 1 else None
    return variable


def _behind(
    variable: Node, levels: tuple[Node, ...]
) -> tuple[TableColumn | list[Node], tuple[Node, ...]]:
    """A table's column, or what a column of another relation may be, and where that stands."""
    depth = len(levels) - variable.integer("varlevelsup")
    number = variable.integer("varattno")
    if depth < 1 or number < 1:
        return [], levels
    levels = levels[:depth]
    entry = levels[-1].nodes("rtable")[variable.integer("varno") - 1]
    kind = entry.integer("rtekind")
    if kind == TABLE:
        return (entry.integer("relid"), number), levels
    if kind == VALUES:
        rows = entry.items("values_lists")
        cells = [row[number - 1] for row in rows if isinstance(row, list)]
        return [cell for cell in cells if isinstance(cell, Node)], levels
    if kind in (JOIN, GROUP):
        field = "joinaliasvars" if kind == JOIN else "groupexprs"
        return [_bare(entry.nodes(field)[number - 1])], levels
    if kind == SUBQUERY:
        levels = (*levels, entry.node("subquery"))
    elif kind == CTE:
        levels = _levels_of_cte(entry, levels)
    if kind not in (SUBQUERY, CTE) or not levels:
        return [], levels
    return [_output(levels[-1], number)], levels


def _levels_of_cte(entry: Node, levels: tuple[Node, ...]) -> tuple[Node, ...]:
    name = _name(entry, "ctename")
    outer = levels[: len(levels) - entry.integer("ctelevelsup")]
    for cte in outer[-1].nodes("cteList") if outer else ():
        if _name(cte, "ctename") == name:
            return (*outer, cte.node("ctequery"))
    return ()


def _name(node: Node, field: str) -> str:
    text = node.text(field)
    return strings([text])[0] if text.startswith('"') else text


def _output(query: Node, number: int) -> Node:
    targets = query.nodes("targetList")
    if query.integer("commandType") != 1:
        targets = query.nodes("returningList")
    if number > len(targets):
        raise NodeTreeError(f"a query with {len(targets)} columns is asked for number {number}")
    return _bare(targets[number - 1].node("expr"))


def _bare(expression: Node) -> Node:
    while expression.tag in _WRAPPERS:
        expression = expression.node("arg")
    return expression
