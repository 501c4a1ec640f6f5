"""Statements that are valid and do not do what they seem to: read from PostgreSQL's own tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from taskdb.query.check.catalogue import Catalogue, walk
from taskdb.query.check.nodetree import Node, Tree
from taskdb.query.check.scopes import DELETE, UPDATE

__all__ = ["sorting_parameters", "writes_every_row"]

_EXTERNAL_PARAMETER = 0
# Nodes whose values may differ from row to row.
_VARYING = frozenset({"VAR", "AGGREF", "WINDOWFUNC", "GROUPINGFUNC", "SUBLINK", "NEXTVALUEEXPR"})


def sorting_parameters(tree: Tree, catalogue: Catalogue) -> tuple[int, ...]:
    """Return the numbers of parameters of which alone ORDER BY has an expression.

    Its value is the same for all rows, so it sorts nothing.
    """
    found: set[int] = set()
    for query in tree.queries:
        windows = query.nodes("windowClause")
        clauses = [each for window in windows for each in window.nodes("orderClause")]
        entries = query.nodes("targetList")
        found.update(_sorting([*query.nodes("sortClause"), *clauses], entries, catalogue))
        for node in walk([*entries]):
            if node.tag == "AGGREF":
                found.update(_sorting(node.nodes("aggorder"), node.nodes("args"), catalogue))
    return tuple(sorted(found))


def _sorting(
    clauses: Iterable[Node], entries: Iterable[Node], catalogue: Catalogue
) -> Iterator[int]:
    """Yield the parameters of hidden *entries* by which *clauses* sort, and that name no column."""
    references = {clause.integer("tleSortGroupRef") for clause in clauses}
    for entry in entries:
        if entry.integer("ressortgroupref") in references and entry.flag("resjunk"):
            nodes = [*walk(entry.node("expr"))]
            if not any(_varies(node, catalogue) for node in nodes):
                yield from (node.integer("paramid") for node in nodes if node.tag == "PARAM")


def _varies(node: Node, catalogue: Catalogue) -> bool:
    """Return whether a node, apart from those below it, may differ from row to row."""
    if node.tag == "PARAM":
        return node.integer("paramkind") != _EXTERNAL_PARAMETER
    for field in ("funcid", "opfuncid"):
        if node.has(field):
            function = catalogue.function(node.integer(field))
            return function is None or function.volatile or function.returns_set
    return node.tag in _VARYING


def writes_every_row(tree: Tree, catalogue: Catalogue) -> bool:
    """Return whether an UPDATE or DELETE has no condition at all, or none but `true` and `1 = 1`.

    How other tables are joined in it decides nothing about the rows of its own.
    """
    return any(
        query.integer("commandType") in (UPDATE, DELETE) and _is_true(condition, catalogue)
        for query in tree.queries
        for condition in [query.node("jointree").maybe("quals")]
    )


def _is_true(condition: Node | None, catalogue: Catalogue) -> bool:
    if condition is None:
        return True
    if condition.tag == "CONST":
        return not condition.flag("constisnull") and any(condition.data("constvalue"))
    if condition.tag == "BOOLEXPR" and condition.text("boolop") == "and":
        return all(_is_true(each, catalogue) for each in condition.nodes("args"))
    if condition.tag != "OPEXPR":
        return False
    function = catalogue.function(condition.integer("opfuncid"))
    values = {_value(each) for each in condition.nodes("args")}
    return (
        function is not None
        and "=" in function.operators
        and len(values - {None}) == len(values) == 1
    )


def _value(constant: Node) -> bytes | None:
    if constant.tag != "CONST" or constant.flag("constisnull"):
        return None
    return constant.data("constvalue")
