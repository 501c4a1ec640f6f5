"""A query's levels, and what is known to have a value at each.

A `Scope` is one level: a SELECT, a subquery, a CTE. A `Context` is a place in it where an
expression stands, with the facts that hold there. A fact is the key of an expression that is
not NULL, or of a side of an outer join that is there:

- `("column", scope, relation, column)` and other tuples made by `key`: not NULL;
- `("side", scope, join, side)`: the row has a match on this side of the join;
- `("joined", scope, join)`: the join's condition was true for the row.

Facts come from conditions that were true: WHERE, the condition of a join that found its
match, HAVING, the WHEN above a result.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from typing import cast

from taskdb.query.check.catalogue import Catalogue, walk
from taskdb.query.check.facts import (
    CTE,
    DELETE,
    FULL,
    FUNCTION,
    GROUP,
    INNER,
    INSERT,
    JOIN,
    LEFT,
    MERGE,
    NOTHING,
    RIGHT,
    SELECT,
    SUBQUERY,
    TABLE,
    UPDATE,
    VALUES,
    Facts,
    Key,
    Pins,
    item,
)
from taskdb.query.check.grouping import Grouping
from taskdb.query.check.nodetree import Node, NodeTreeError

__all__ = [
    "CTE",
    "DELETE",
    "FULL",
    "FUNCTION",
    "GROUP",
    "INNER",
    "INSERT",
    "JOIN",
    "LEFT",
    "MERGE",
    "NOTHING",
    "RIGHT",
    "SELECT",
    "SUBQUERY",
    "TABLE",
    "UPDATE",
    "VALUES",
    "Context",
    "Facts",
    "Join",
    "Key",
    "Scope",
    "ScopePhase",
    "Shared",
    "item",
]


class ScopePhase(Enum):
    """Phase of a column's values: before grouping, after it, or as RETURNING shows them."""

    ROW = "row"
    GROUPED = "grouped"
    RETURNING = "returning"


@dataclass(frozen=True, slots=True)
class Context:
    """A place where an expression stands: its level, what is known there, and the phase."""

    scope: Scope
    facts: Facts
    phase: ScopePhase
    # The subquery of the ANY or ALL whose comparison this is.
    subselect: Scope | None = None

    def knowing(self, keys: Iterable[Key]) -> Context:
        """This place where *keys* hold as well, and all that follows from them."""
        known = list(keys)
        facts = self.scope.learn(self.facts, known)
        if self.phase is ScopePhase.GROUPED:
            # A join's condition was true of the rows, before a grouping set left columns out.
            kept = self.facts.union(known)
            facts = kept | self.scope.not_left_out(facts - kept)
            facts = self.scope.not_ambiguous(facts)
        return replace(self, facts=facts)

    def at(self, levels: int) -> Context:
        """The place *levels* queries further out that this one lies in, with all facts."""
        here = self
        for _ in range(levels):
            if here.scope.outer is None:
                raise NodeTreeError("a column of a level that isn't there")
            here = here.scope.outer
        return replace(here, facts=self.facts)


@dataclass(slots=True)
class Join:
    """A join, and the sides of outer joins around it that may leave its rows out."""

    index: int
    kind: int
    quals: Node | None
    nulled_by: frozenset[tuple[int, str]]
    left: frozenset[int]
    right: frozenset[int]

    def needs(self) -> frozenset[tuple[int, str]]:
        """The sides that must be there for the join's condition to have been true."""
        own = {
            INNER: (),
            LEFT: ("right",),
            RIGHT: ("left",),
            FULL: ("left", "right"),
        }[self.kind]
        return self.nulled_by | {(self.index, side) for side in own}


@dataclass(slots=True)
class Counter:
    """Numbers the scopes of one analysis, so that facts of different ones never mix."""

    last: int = 0

    def next(self) -> int:
        """Return the next number."""
        self.last += 1
        return self.last


@dataclass(slots=True)
class Shared:
    """State shared by all scopes of one analysis."""

    catalogue: Catalogue
    counter: Counter = field(default_factory=Counter)
    # The results of `rowcount`, by the number of the scope and its pins.
    is_single: dict[int, dict[Pins, bool]] = field(default_factory=dict[int, dict[Pins, bool]])
    ctes: dict[tuple[int, int], Scope] = field(default_factory=dict[tuple[int, int], "Scope"])


class Scope(Grouping):
    """One level of a query. *outer* is the place where it stands, None for the whole."""

    def __init__(self, query: Node, outer: Context | None, shared: Shared) -> None:
        self.query = query
        self.outer = outer
        self.shared = shared
        self.catalogue = shared.catalogue
        self.number = shared.counter.next()
        self.command = query.integer("commandType")
        self.rtable = query.nodes("rtable")
        self.result = query.integer("resultRelation")
        self.children: dict[int, Scope] = {}
        self._column_sources: dict[tuple[int, int], frozenset[int]] = {}
        self.joins: list[Join] = []
        self.nulled_by: dict[int, frozenset[tuple[int, str]]] = {}
        self.conditions: list[Node] = []
        if tree := query.maybe("jointree"):
            self._read_jointree(tree, frozenset())

    def relation(self, index: int) -> Node:
        """The range table entry number *index*, counted from 1."""
        if not 1 <= index <= len(self.rtable):
            raise NodeTreeError(f"there is no relation number {index}")
        return self.rtable[index - 1]

    def child(self, index: int) -> Scope:
        """The scope of the subquery that is relation *index*."""
        if index not in self.children:
            subquery = self.relation(index).node("subquery")
            self.children[index] = Scope(subquery, self.row, self.shared)
        return self.children[index]

    def _read_jointree(self, tree: Node, nulled_by: frozenset[tuple[int, str]]) -> frozenset[int]:
        """Note which relations stand in *tree*, beside which outer joins; returns them."""
        if tree.tag == "RANGETBLREF":
            index = tree.integer("rtindex")
            self.nulled_by[index] = nulled_by
            return frozenset([index])
        if tree.tag == "FROMEXPR":
            if nulled_by:
                raise NodeTreeError("a FROM list inside an outer join")
            if quals := tree.maybe("quals"):
                self.conditions.append(quals)
            members = [self._read_jointree(item, nulled_by) for item in tree.nodes("fromlist")]
            return frozenset[int]().union(*members)
        if tree.tag != "JOINEXPR" or tree.integer("jointype") not in (INNER, LEFT, FULL, RIGHT):
            raise NodeTreeError(f"a {tree.tag} of an unknown kind where tables are joined")
        return self._read_join(tree, nulled_by)

    def _read_join(self, tree: Node, nulled_by: frozenset[tuple[int, str]]) -> frozenset[int]:
        index, kind = tree.integer("rtindex"), tree.integer("jointype")
        around_left = nulled_by | {(index, "left")} if kind in (RIGHT, FULL) else nulled_by
        around_right = nulled_by | {(index, "right")} if kind in (LEFT, FULL) else nulled_by
        left = self._read_jointree(tree.node("larg"), around_left)
        right = self._read_jointree(tree.node("rarg"), around_right)
        self.joins.append(Join(index, kind, tree.maybe("quals"), nulled_by, left, right))
        return left | right

    # Facts by scope

    @property
    def outer_facts(self) -> Facts:
        """Known facts of the outer scope, about values that don't change in here."""
        return self.outer.facts if self.outer else NOTHING

    @cached_property
    def around(self) -> Context:
        """The place of a CTE: it does not see this level's rows, nor what WHERE says."""
        return Context(self, self.outer_facts, ScopePhase.ROW)

    @cached_property
    def row(self) -> Context:
        """The place of an expression that sees the rows WHERE has let through."""
        facts = self.outer_facts
        if self.command != MERGE:
            facts = self.learn(facts, ())
            for condition in self.conditions:
                facts = self.learn(facts, self.if_true(condition))
        return Context(self, facts, ScopePhase.ROW)

    @cached_property
    def output(self) -> Context:
        """The place of the select list: after grouping where there is any, and after HAVING."""
        if not self.is_grouped:
            return self.row
        # A group without rows is there although WHERE was true of nothing.
        facts = self.row.facts if self.groups_have_rows else self.outer_facts
        grouped = Context(self, self.not_left_out(facts), ScopePhase.GROUPED)
        having = self.query.maybe("havingQual")
        return grouped.knowing(self.if_true(having)) if having else grouped

    @cached_property
    def returning(self) -> Context:
        """The place of RETURNING. A condition of WHERE on an updated row was on the old one."""
        facts = self.row.facts
        if self.command in (UPDATE, DELETE):
            facts = frozenset(key for key in facts if not self._is_about(key, self.changed))
        return Context(self, facts, ScopePhase.RETURNING)

    @cached_property
    def changed(self) -> set[tuple[int, int]]:
        """The columns of the written table that may differ from what WHERE saw."""
        relation = self.catalogue.relation(self.relation(self.result).integer("relid"))
        if relation is None:
            raise NodeTreeError("the table that is written is not in the catalogue")
        if relation.rewrites_rows:
            numbers = set(range(len(relation.columns) + 1))
        elif self.command == DELETE:
            numbers = set[int]()
        else:
            numbers = {entry.integer("resno") for entry in self.query.nodes("targetList")}
            numbers |= {0, *relation.generated}
        return {(self.result, number) for number in numbers}

    def not_left_out(self, facts: Facts) -> Facts:
        """Those of *facts* that also hold where a grouping set leaves columns out."""
        return frozenset(key for key in facts if not self._is_about(key, self.left_out))

    def not_ambiguous(self, facts: Facts) -> Facts:
        """Those of *facts* that are not about columns of which there are two after grouping."""
        return frozenset(key for key in facts if not self._is_about(key, self.grouped_twice))

    def _is_about(self, key: Hashable, columns: set[tuple[int, int]]) -> bool:
        """Return whether *key* mentions one of *columns* (relation and number) of this scope."""
        if not isinstance(key, tuple):
            return False
        parts = cast("Key", key)
        if parts[:2] == ("column", self.number):
            return parts[2:] in columns
        return any(self._is_about(part, columns) for part in parts)

    def learn(self, facts: Facts, keys: Iterable[Key]) -> Facts:
        """*facts*, *keys* and all that follows: a column's row is there, so its join matched."""
        known = set(facts)
        todo = list(keys)
        while True:
            while todo:
                key = todo.pop()
                if key not in known:
                    known.add(key)
                    todo.extend(self._sides_there(key))
            todo = self._conditions_met(known)
            if not todo:
                return frozenset(known)

    def _sides_there(self, key: Key) -> list[Key]:
        if key[:2] != ("column", self.number) or not isinstance(key[2], int):
            return []
        nulled_by = self.nulled_by.get(key[2], frozenset())
        return [("side", self.number, *side) for side in nulled_by]

    def _conditions_met(self, known: set[Key]) -> list[Key]:
        """Return the keys that follow from the conditions of joins now known to be true."""
        found: list[Key] = []
        for join in self.joins:
            done = ("joined", self.number, join.index)
            if done in known or join.quals is None:
                continue
            if all(("side", self.number, *side) in known for side in join.needs()):
                known.add(done)
                found.extend(self.if_true(join.quals))
        return found

    def dividing(self, expressions: list[Node], facts: Facts) -> Iterator[Join]:
        """Yield full joins that are there, each with some of *expressions* on either side.

        Of one that is there it is known that it has a row; that of both sides not yet.
        """
        mentioned = self._sources_of_all(expressions)
        for join in self.joins:
            if (
                join.kind == FULL
                and mentioned & join.left
                and mentioned & join.right
                and all(("side", self.number, *side) in facts for side in join.nulled_by)
                and not any(
                    ("side", self.number, join.index, side) in facts for side in ("left", "right")
                )
            ):
                yield join

    def _sources_of_all(self, nodes: Iterable[Node]) -> frozenset[int]:
        return frozenset[int]().union(*(self._sources(node) for node in nodes))

    def _sources(self, expression: Node) -> frozenset[int]:
        """The relations, joins looked through, that *expression* mentions at this level."""
        columns = {
            (node.integer("varno"), node.integer("varattno"))
            for node in walk(expression)
            if node.tag == "VAR" and node.integer("varlevelsup") == 0
        }
        return frozenset[int]().union(*(self._sources_of_column(*column) for column in columns))

    def _sources_of_column(self, index: int, number: int) -> frozenset[int]:
        if (index, number) not in self._column_sources:
            inner = self.behind(index, number)
            found = frozenset([index]) if inner is None else self._sources(inner)
            self._column_sources[index, number] = found
        return self._column_sources[index, number]

    def is_there(self, index: int, facts: Facts) -> bool:
        """Return whether relation *index* has a row, not NULLs for want of a match."""
        if self.command == MERGE:
            return index == self.result
        if index == self.result:
            return True
        if index not in self.nulled_by:
            return False
        return all(("side", self.number, *side) in facts for side in self.nulled_by[index])

    def further_out(self, levels: int) -> Scope:
        """The level *levels* queries further out. Raises `NodeTreeError`."""
        scope = self
        for _ in range(levels):
            if scope.outer is None:
                raise NodeTreeError("a column of a level that isn't there")
            scope = scope.outer.scope
        return scope

    def behind(self, index: int, number: int) -> Node | None:
        """The expression that column *number* of relation *index* is another name of, if any."""
        relation = self.relation(index)
        kind = relation.integer("rtekind")
        if kind == JOIN and number > 0:
            return item(relation.nodes("joinaliasvars"), number)
        if kind == GROUP and not self.query.items("groupingSets"):
            return item(relation.nodes("groupexprs"), number)
        return None
