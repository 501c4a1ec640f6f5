"""Effects of GROUP BY and grouping sets on the columns of a query."""

from __future__ import annotations

from functools import cached_property

from taskdb.query.check.catalogue import walk
from taskdb.query.check.conditions import Conditions
from taskdb.query.check.facts import GROUP, Key
from taskdb.query.check.nodetree import Node, NodeTreeError, Value

__all__ = ["Grouping"]

_SIMPLE, _SETS = 1, 4


class Grouping(Conditions):
    """The grouping of one level of a query, which `Scope` is."""

    query: Node
    rtable: list[Node]

    @cached_property
    def is_grouped(self) -> bool:
        """Return whether the select list sees groups, or one group of all rows."""
        query = self.query
        return bool(
            query.items("groupClause")
            or query.items("groupingSets")
            or query.flag("hasAggs")
            or query.maybe("havingQual")
        )

    @cached_property
    def groups_have_rows(self) -> bool:
        """Return whether every group has a row, unlike that of `count(*)` of an empty table."""
        sets = self.query.nodes("groupingSets")
        if sets:
            return not all(_may_be_empty(grouping) for grouping in sets)
        return bool(self.query.items("groupClause"))

    @cached_property
    def always_grouped_by(self) -> set[int]:
        """The sort-group references that are in every grouping set."""
        sets = self.query.nodes("groupingSets")
        if sets:
            return set[int]().union(*(_in_all(grouping) for grouping in sets))
        clauses = self.query.nodes("groupClause")
        return {clause.integer("tleSortGroupRef") for clause in clauses}

    def group_reference(self, number: int) -> int:
        """The sort-group reference of column *number* of PostgreSQL 18's grouping relation."""
        clauses = self.query.nodes("groupClause")
        if not 1 <= number <= len(clauses):
            raise NodeTreeError(f"there is no grouping column {number}")
        return clauses[number - 1].integer("tleSortGroupRef")

    @cached_property
    def _grouping_expressions(self) -> list[tuple[int, Node]]:
        """Grouping expressions, each with its sort-group reference."""
        references = [
            clause.integer("tleSortGroupRef") for clause in self.query.nodes("groupClause")
        ]
        for relation in self.rtable:
            if relation.integer("rtekind") == GROUP:
                return list(zip(references, relation.nodes("groupexprs"), strict=True))
        targets = {entry.integer("ressortgroupref"): entry for entry in self._targets}
        return [(reference, targets[reference].node("expr")) for reference in references]

    @property
    def _targets(self) -> list[Node]:
        return self.query.nodes("targetList")

    @cached_property
    def grouped_twice(self) -> set[tuple[int, int]]:
        """The columns of expressions that are grouped by twice, where a set leaves one of them out.

        `select k as a, k as b ... group by a, rollup (b)`: which of the two a `k` elsewhere stands
        for, of which one may be NULL and the other not, PostgreSQL's versions decide otherwise.
        """
        if not self.query.items("groupingSets"):
            return set()
        same: dict[Key | None, list[tuple[int, int, Node]]] = {}
        for number, (reference, expression) in enumerate(self._grouping_expressions, start=1):
            same.setdefault(self.key(expression), []).append((reference, number, expression))
        found: set[tuple[int, int]] = set()
        for group in same.values():
            left_out = {reference for reference, _, _ in group} - self.always_grouped_by
            if len(group) > 1 and left_out:
                for _, number, expression in group:
                    found |= self._own_columns(expression)
                    found |= {
                        (index, number)
                        for index, relation in enumerate(self.rtable, start=1)
                        if relation.integer("rtekind") == GROUP
                    }
        return found

    @cached_property
    def _left_out_expressions(self) -> list[Node]:
        """Before 18: the grouping expressions that some grouping set leaves out."""
        if not self.query.items("groupingSets") or self.query.flag("hasGroupRTE"):
            return []
        references = {
            clause.integer("tleSortGroupRef") for clause in self.query.nodes("groupClause")
        }
        return [
            self.flatten(entry.node("expr"))
            for entry in self.query.nodes("targetList")
            if entry.integer("ressortgroupref") in references - self.always_grouped_by
        ]

    @cached_property
    def left_out(self) -> set[tuple[int, int]]:
        """Before 18: the columns that some grouping set may turn into NULL."""
        found: set[tuple[int, int]] = set()
        for expression in self._left_out_expressions:
            found |= self._own_columns(expression)
        return found

    @cached_property
    def left_out_inside(self) -> set[tuple[int, int]]:
        """Those of `left_out` that stand inside a longer grouping expression."""
        found: set[tuple[int, int]] = set()
        for expression in self._left_out_expressions:
            if expression.tag != "VAR":
                found |= self._own_columns(expression)
        return found

    @cached_property
    def all_left_out(self) -> bool:
        """Before 18: some grouping expression has no column, so anything may equal it."""
        return any(not _has_column(item) for item in self._left_out_expressions)

    def _own_columns(self, expression: Node) -> set[tuple[int, int]]:
        """The columns of this level in *expression*; subqueries count with all they mention."""
        found: set[tuple[int, int]] = set()
        for node in walk(expression):
            if node.tag == "VAR":
                flat = self.flatten(node) if node.integer("varlevelsup") == 0 else node
                for column in walk(flat):
                    if column.tag == "VAR":
                        found.add((column.integer("varno"), column.integer("varattno")))
        return found

    def mentions_left_out(self, expression: Node) -> bool:
        """Return whether *expression* might be, or hold, a grouping expression that is left out."""
        return not self._own_columns(expression).isdisjoint(self.left_out_inside)


def _has_column(expression: Node) -> bool:
    """Return whether *expression* has a column of its own level, subqueries aside."""
    todo: list[Value] = [expression]
    while todo:
        value = todo.pop()
        if isinstance(value, list):
            todo.extend(value)
        elif isinstance(value, Node) and value.tag != "QUERY":
            if value.tag == "VAR" and value.integer("varlevelsup") == 0:
                return True
            todo.extend(value.fields.values())
    return False


def _may_be_empty(grouping: Node) -> bool:
    """Return whether *grouping*, an item of GROUP BY, has the empty set among its sets."""
    kind = grouping.integer("kind")
    if kind == _SETS:
        return any(_may_be_empty(member) for member in grouping.nodes("content"))
    return kind != _SIMPLE


def _in_all(grouping: Node) -> set[int]:
    """The references that all sets of *grouping* have in common."""
    kind = grouping.integer("kind")
    if kind == _SIMPLE:
        return set(grouping.integers("content"))
    members = [_in_all(member) for member in grouping.nodes("content")] if kind == _SETS else []
    return members[0].intersection(*members) if members else set()
