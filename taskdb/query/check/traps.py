"""Statements that are valid and do not do what they seem to: read from PostgreSQL's own tree."""

from __future__ import annotations

from collections.abc import Iterator

from taskdb.query.check.nodetree import Node, Tree
from taskdb.query.check.scopes import DELETE, UPDATE

__all__ = ["sorting_parameters", "writes_every_row"]

_EXTERNAL_PARAMETER = 0
_WRAPPERS = frozenset({"RELABELTYPE", "COERCEVIAIO", "COLLATEEXPR", "COERCETODOMAIN"})


def sorting_parameters(tree: Tree) -> tuple[int, ...]:
    """Return the numbers of parameters that stand alone in ORDER BY: one value sorts nothing."""
    return tuple(sorted({number for query in tree.queries for number in _sorting(query)}))


def _sorting(query: Node) -> Iterator[int]:
    clauses = [*query.nodes("sortClause")]
    for window in query.nodes("windowClause"):
        clauses += window.nodes("orderClause")
    references = {clause.integer("tleSortGroupRef") for clause in clauses}
    for entry in query.nodes("targetList"):
        if entry.integer("ressortgroupref") in references and entry.flag("resjunk"):
            expression = entry.node("expr")
            while expression.tag in _WRAPPERS:
                expression = expression.node("arg")
            if expression.tag == "PARAM" and expression.integer("paramkind") == _EXTERNAL_PARAMETER:
                yield expression.integer("paramid")


def writes_every_row(tree: Tree) -> bool:
    """Return whether an UPDATE or DELETE has no condition at all, or none but TRUE."""
    return any(
        query.integer("commandType") in (UPDATE, DELETE) and _is_unconditional(query)
        for query in tree.queries
    )


def _is_unconditional(query: Node) -> bool:
    tree = query.node("jointree")
    sources = tree.nodes("fromlist")
    condition = tree.maybe("quals")
    is_true = condition is None or (condition.tag == "CONST" and any(condition.data("constvalue")))
    return is_true and all(source.tag == "RANGETBLREF" for source in sources)
