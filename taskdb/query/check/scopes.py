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
from typing import TypeAlias, cast

from taskdb.query.check.catalogue import Catalogue, walk
from taskdb.query.check.nodetree import Node, NodeTreeError, Value

Key: TypeAlias = tuple[Hashable, ...]
Facts: TypeAlias = frozenset[Key]

NOTHING: Facts = frozenset()

SELECT, UPDATE, INSERT, DELETE, MERGE = 1, 2, 3, 4, 5

TABLE, SUBQUERY, JOIN, FUNCTION, VALUES, CTE, GROUP = 0, 1, 2, 3, 5, 6, 9

INNER, LEFT, FULL, RIGHT = 0, 1, 2, 3

_PARAMETER, _SUBLINK_PARAMETER = 0, 2
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
    {"ARRAYCOERCEEXPR", "COERCETODOMAIN", "COLLATEEXPR", "FIELDSELECT", "RELABELTYPE"}
)


class ScopePhase(Enum):
    """Which values columns have: before grouping, after it, or as RETURNING shows them."""

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
        told = list(keys)
        facts = self.scope.learn(self.facts, told)
        if self.phase is ScopePhase.GROUPED:
            # A join's condition was true of the rows, before a grouping set left columns out.
            kept = self.facts.union(told)
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
    """What all scopes of one analysis share."""

    catalogue: Catalogue
    counter: Counter = field(default_factory=Counter)
    # What `rowcount` found out, by the number of the scope.
    is_single: dict[int, bool] = field(default_factory=dict[int, bool])
    ctes: dict[tuple[int, int], Scope] = field(default_factory=dict[tuple[int, int], "Scope"])


class Scope:
    """One level of a query. *outer* is the place where it stands, None for the whole."""

    def __init__(self, query: Node, outer: Context | None, shared: Shared) -> None:
        self.query = query
        self.outer = outer
        self.shared = shared
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

    # What is known where.

    @property
    def outer_facts(self) -> Facts:
        """What is known outside, of values that don't change in here."""
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
        """The place of RETURNING. What WHERE said of an updated row was said of the old one."""
        facts = self.row.facts
        if self.command in (UPDATE, DELETE):
            facts = frozenset(key for key in facts if not self._is_about(key, self.changed))
        return Context(self, facts, ScopePhase.RETURNING)

    @cached_property
    def changed(self) -> set[tuple[int, int]]:
        """The columns of the written table that may differ from what WHERE saw."""
        relation = self.shared.catalogue.relation(self.relation(self.result).integer("relid"))
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
        """Whether *key* mentions one of *columns* (relation and number) of this scope."""
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
        """What follows from the conditions of joins that, as is now known, were true."""
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
        """Whether relation *index* has a row, not NULLs for want of a match."""
        if self.command == MERGE:
            return index == self.result
        if index == self.result:
            return True
        if index not in self.nulled_by:
            return False
        return all(("side", self.number, *side) in facts for side in self.nulled_by[index])

    # Grouping.

    @cached_property
    def is_grouped(self) -> bool:
        """Whether the select list sees groups, or one group of all rows."""
        query = self.query
        return bool(
            query.items("groupClause")
            or query.items("groupingSets")
            or query.flag("hasAggs")
            or query.maybe("havingQual")
        )

    @cached_property
    def groups_have_rows(self) -> bool:
        """Whether there is no group without a row, as `count(*)` of an empty table has one."""
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
        """What is grouped by: the sort-group reference of each expression, and the expression."""
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
        """Whether *expression* might be a grouping expression that is left out, or hold one."""
        return not self._own_columns(expression).isdisjoint(self.left_out_inside)

    def flatten(self, node: Node) -> Node:
        """*node*, or what a column of a join stands for, or of 18's grouping relation."""
        while node.tag == "VAR" and node.integer("varlevelsup") == 0:
            inner = self.behind(node.integer("varno"), node.integer("varattno"))
            if inner is None:
                break
            node = inner
        return node

    def behind(self, index: int, number: int) -> Node | None:
        """The expression that column *number* of relation *index* is another name of, if any."""
        relation = self.relation(index)
        kind = relation.integer("rtekind")
        if kind == JOIN and number > 0:
            return item(relation.nodes("joinaliasvars"), number)
        if kind == GROUP and not self.query.items("groupingSets"):
            return item(relation.nodes("groupexprs"), number)
        return None

    # From conditions to facts.

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
            function = self.shared.catalogue.function(value.integer(call))
            if function is None or function.volatile or function.returns_set:
                raise _NoKeyError
        parts = [
            self._key(part) for name, part in value.fields.items() if name not in _WITHOUT_MEANING
        ]
        return (value.tag, *parts)

    def _column_key(self, node: Node) -> Key:
        if node.has("varreturningtype") and node.integer("varreturningtype") != 0:
            raise _NoKeyError
        scope = self
        for _ in range(node.integer("varlevelsup")):
            if scope.outer is None:
                raise NodeTreeError("a column of a level that isn't there")
            scope = scope.outer.scope
        index, number = node.integer("varno"), node.integer("varattno")
        inner = scope.behind(index, number)
        return ("column", scope.number, index, number) if inner is None else scope._key(inner)

    def if_true(self, node: Node) -> set[Key]:
        """What is not NULL when the condition *node* is true."""
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
        """What is not NULL when `node is not null`, which of a row asks all its fields."""
        found = self.if_not_null(node)
        if node.tag == "ROWEXPR":
            found |= _union(self.if_not_null(field) for field in node.nodes("args"))
        return found

    def if_false(self, node: Node) -> set[Key]:
        """What is not NULL when the condition *node* is false."""
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
        """What is not NULL when the condition *node* is false or NULL, as in an ELSE."""
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
        """What follows from `x is [not] true`, `false` or `unknown`, when the test holds or not."""
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
        """What is not NULL when *node* is not, itself included: the arguments of a strict call."""
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
        """Whether the function or operator that *call* calls gives NULL for any NULL."""
        function = self.shared.catalogue.function(call.integer(_CALLS[call.tag]))
        return function is not None and function.strict and not function.returns_set

    def _reads_no_null(self, cast: Node) -> bool:
        target = self.shared.catalogue.type(cast.integer("resulttype"))
        return target is not None and target.built_in_text


class _NoKeyError(Exception):
    """The expression may have another value each time."""


def item(items: list[Node], number: int) -> Node:
    """Item *number* of *items*, counted from 1; raises `NodeTreeError` when there is none."""
    if not 1 <= number <= len(items):
        raise NodeTreeError(f"there is no column {number}")
    return items[number - 1]


def _union(sets: Iterable[set[Key]]) -> set[Key]:
    return set[Key]().union(*sets)


def _intersection(sets: Iterable[set[Key]]) -> set[Key]:
    first, *rest = sets
    return first.intersection(*rest)


def _has_an_element(array: Node) -> bool:
    return (
        array.tag == "ARRAYEXPR" and not array.flag("multidims") and bool(array.nodes("elements"))
    )


def _has_column(expression: Node) -> bool:
    """Whether *expression* has a column of its own level, subqueries aside."""
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


_SIMPLE, _SETS = 1, 4


def _may_be_empty(grouping: Node) -> bool:
    """Whether *grouping*, an item of GROUP BY, has the empty set among its sets."""
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
