"""Can a result column be NULL? Read from PostgreSQL's own analysed tree of the query.

"Not null" is a proof: there is a reason for it, built up from NOT NULL constraints, from
conditions that were true, and from functions known never to give NULL. Everything else may be
NULL: an unknown node, a function that isn't listed, a level that can't be made out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from taskdb.query.check.catalogue import Catalogue, walk
from taskdb.query.check.nodetree import Node, NodeTreeError, strings
from taskdb.query.check.nullfree import (
    Aggregation,
    Promise,
    aggregation,
    is_comparison,
    null_free_columns,
    numbers_rows,
    promise,
)
from taskdb.query.check.scopes import (
    CTE,
    DELETE,
    FUNCTION,
    GROUP,
    INSERT,
    NOTHING,
    SELECT,
    SUBQUERY,
    TABLE,
    UPDATE,
    VALUES,
    Context,
    Facts,
    Key,
    Scope,
    ScopePhase,
    Shared,
    item,
)

__all__ = ["Nullability", "Verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a value may be NULL, and why."""

    nullable: bool
    reason: str


def may(reason: str) -> Verdict:
    """The verdict of a value that may be NULL because of *reason*."""
    return Verdict(True, reason)


def never(reason: str) -> Verdict:
    """The verdict of a value that is never NULL because of *reason*."""
    return Verdict(False, reason)


_EXISTS, _ALL, _ANY, _SCALAR, _ARRAY = 0, 1, 2, 4, 6
_EXTERNAL_PARAMETER, _SUBLINK_PARAMETER = 0, 2
_OLD, _NEW = 1, 2
_UNION, _INTERSECT, _EXCEPT = 1, 2, 3
_UPDATE_ON_CONFLICT = 2
_CURRENT_SCHEMA = 14
_FIRST_USER_OID = 16384
# The system columns that every stored row has: tableoid and ctid.
_ALWAYS_THERE = (-1, -6)
# Of frameOptions (src/include/nodes/parsenodes.h), the bits that can leave a row out of its
# own frame, or that make the frame depend on a distance between values.
_RANGE, _START_OFFSETS, _END_OFFSETS = 0x2, 0x2800, 0x5000
_START_UNBOUNDED_FOLLOWING, _END_UNBOUNDED_PRECEDING = 0x80, 0x40
_START_FOLLOWING, _END_PRECEDING = 0x2000, 0x1000
_EXCLUDE_CURRENT_ROW, _EXCLUDE_GROUP = 0x8000, 0x10000


# A place is judged for so many sets of facts that are known there; in a query that is written by
# hand there are one or two.
MOST_CASES = 16
TOO_DEEP = "the query is nested too deeply to be judged"


@dataclass(slots=True)
class _Budget:
    """How often a case may still be divided into two."""

    left: int

    def is_left(self) -> bool:
        self.left -= 1
        return self.left >= 0


@dataclass(slots=True)
class _Assumed:
    """What is assumed of a recursive CTE's columns while its own term is judged."""

    nullable: list[bool] = field(default_factory=list[bool])


class Nullability:
    """Judges the columns of one analysed query.

    *parameters_not_null* are the numbers of parameters that are never NULL, *items_not_null* of
    arrays in which nothing is.
    """

    def __init__(
        self,
        query: Node,
        catalogue: Catalogue,
        parameters_not_null: Collection[int] = (),
        items_not_null: Collection[int] = (),
    ) -> None:
        self.catalogue = catalogue
        self.parameters_not_null = frozenset(parameters_not_null)
        self.items_not_null = frozenset(items_not_null)
        self.scope = Scope(query, None, Shared(catalogue))
        self._assumed: dict[int, _Assumed] = {}
        # Verdicts hold while the same is assumed: the last number of `_assume`.
        self._assumption = 0
        self._assumptions = 0
        self._ctes: dict[tuple[int, int, int], Scope] = {}
        self._recursive_ctes: dict[tuple[int, int, int], list[Verdict]] = {}
        self._columns: dict[tuple[int, int, int], dict[Facts, Verdict]] = {}
        self._choices: dict[tuple[int, ...], dict[Facts, Verdict]] = {}
        self._subqueries: dict[int, dict[tuple[int, Facts], Scope]] = {}

    def columns(self) -> list[Verdict]:
        """A verdict for each column of the result, in order."""
        return [self._safely(entry.integer("resno")) for entry in visible(self.scope)]

    def _safely(self, number: int) -> Verdict:
        try:
            return self.column(self.scope, number)
        except NodeTreeError as exc:
            return may(f"PostgreSQL's tree of the query has a part that is not understood: {exc}")
        except RecursionError:
            return may(TOO_DEEP)

    # Columns of queries.

    def column(self, scope: Scope, number: int, extra: Facts = NOTHING) -> Verdict:
        """The verdict on column *number* of *scope*, where *extra* is known of the rows around.

        What is known around differs by the way that led here. After MOST_CASES of them nothing is
        taken as known: the verdict is then the same or more careful, and no column is judged over
        and over again.
        """
        known = self._columns.setdefault((self._assumption, scope.number, number), {})
        if extra not in known and len(known) >= MOST_CASES:
            extra = NOTHING
        if extra not in known:
            known[extra] = self._column(scope, number, extra)
        return known[extra]

    def _column(self, scope: Scope, number: int, extra: Facts) -> Verdict:
        if operation := scope.query.maybe("setOperations"):
            return self._set_operation(scope, operation, number)
        entry = next((one for one in visible(scope) if one.integer("resno") == number), None)
        if entry is None:
            raise NodeTreeError(f"the query has no column {number}")
        place = scope.output if scope.command == SELECT else scope.returning
        if extra:
            place = replace(place, facts=place.facts | extra)
        return self.judge(place, entry.node("expr"))

    def _set_operation(self, scope: Scope, tree: Node, number: int) -> Verdict:
        if tree.tag == "RANGETBLREF":
            return self.column(scope.child(tree.integer("rtindex")), number)
        left = self._set_operation(scope, tree.node("larg"), number)
        operation = tree.integer("op")
        if operation == _EXCEPT:
            return left
        right = self._set_operation(scope, tree.node("rarg"), number)
        if operation == _INTERSECT:
            return right if left.nullable else left
        if operation != _UNION:
            raise NodeTreeError(f"a set operation {operation}")
        return left if left.nullable else right

    def gives_a_row(self, scope: Scope) -> bool:
        """Whether the query of *scope* is sure to give at least one row."""
        query = scope.query
        if scope.command != SELECT or query.flag("hasTargetSRFs") or query.maybe("havingQual"):
            return False
        if query.maybe("limitCount") or query.maybe("limitOffset") or query.maybe("setOperations"):
            return False
        if scope.is_grouped and not scope.groups_have_rows:
            return True
        tree = query.node("jointree")
        sources = tree.nodes("fromlist")
        return tree.maybe("quals") is None and all(self._has_a_row(scope, one) for one in sources)

    def _has_a_row(self, scope: Scope, tree: Node) -> bool:
        if tree.tag != "RANGETBLREF":
            return False
        index = tree.integer("rtindex")
        relation = scope.relation(index)
        kind = relation.integer("rtekind")
        if kind == SUBQUERY:
            return self.gives_a_row(scope.child(index))
        return kind == VALUES

    # Expressions.

    def judge(self, place: Context, node: Node) -> Verdict:
        """The verdict on the expression *node* standing at *place*."""
        if place.facts and place.scope.key(node) in place.facts:
            return never("the conditions of the query exclude NULL")
        if place.phase is ScopePhase.GROUPED and self._is_left_out(place.scope, node):
            return may("a grouping set leaves it out")
        judge = _JUDGES.get(node.tag)
        if judge is None:
            return may(f"{node.tag} is an expression of which nothing is known")
        return judge(self, place, node)

    def _is_left_out(self, scope: Scope, node: Node) -> bool:
        """Before 18: whether *node* may be an expression that a grouping set leaves out."""
        if not (scope.left_out_inside or scope.all_left_out):
            return False
        if node.tag in ("AGGREF", "GROUPINGFUNC"):
            return False
        return scope.all_left_out or node.tag == "SUBLINK" or scope.mentions_left_out(node)

    def _all(self, place: Context, nodes: list[Node], reason: str) -> Verdict:
        """Never NULL for *reason* if none of *nodes* is; else what the first NULL one says."""
        for node in nodes:
            if (verdict := self.judge(place, node)).nullable:
                return verdict
        return never(reason)

    def _any(self, place: Context, nodes: list[Node], reason: str) -> Verdict:
        """Never NULL if one of *nodes* isn't."""
        for node in nodes:
            if not (verdict := self.judge(place, node)).nullable:
                return verdict
        return may(reason)

    # Columns of relations.

    def variable(self, place: Context, node: Node) -> Verdict:
        """The verdict on a reference to a column."""
        here = place.at(node.integer("varlevelsup"))
        scope, index, number = here.scope, node.integer("varno"), node.integer("varattno")
        relation = scope.relation(index)
        kind = relation.integer("rtekind")
        if (inner := scope.behind(index, number)) is not None:
            # What 18 calls a grouping column has the value it had before grouping.
            return self.judge(here, inner)
        if kind == GROUP:
            return self._grouping_column(here, index, relation, number)
        if here.phase is ScopePhase.GROUPED and (index, number) in scope.left_out:
            return may("a grouping set leaves it out")
        name = _name(relation, number)
        if index == scope.result and here.phase is ScopePhase.RETURNING:
            return self._returned(here, node, name)
        if not scope.is_there(index, here.facts):
            return may(f"{name} is on the side of an outer join that may have no match")
        if kind == TABLE:
            return self._table_column(relation, number, name)
        if kind == SUBQUERY:
            extra = here.facts if relation.flag("lateral") else NOTHING
            return self._subquery_column(scope.child(index), number, extra)
        if kind == FUNCTION:
            return self._function_column(here, relation, number, name)
        if kind == VALUES:
            return self._values_column(scope.row, relation, number)
        if kind == CTE:
            return self._cte_column(here, relation, number)
        return may(f"{name} comes from a source of which nothing is known")

    def _table_column(self, entry: Node, number: int, name: str) -> Verdict:
        relation = self.catalogue.relation(entry.integer("relid"))
        if relation is None:
            return may(f"{name} is of a table that is not in the catalogue")
        if number == 0:
            return never(f"{name} is a whole row")
        stored = relation.kind in ("r", "m", "p")
        if number < 0:
            if stored and number in _ALWAYS_THERE:
                return never(f"{name} is a system column")
            return may(f"{name} is a system column")
        # INSERT names the table alone, and yet a partitioned one stores its rows in partitions.
        inherited = entry.flag("inh") or relation.kind == "p"
        sure = relation.never_null if inherited else relation.never_null_alone
        if number in sure:
            return never(f"{name} is a NOT NULL column")
        if number in relation.never_null_alone:
            return may(f"{name} is NOT NULL, but not in every table that inherits from it")
        return may(f"{name} is a nullable column")

    def _subquery_column(self, scope: Scope, number: int, extra: Facts) -> Verdict:
        if number == 0:
            return never("a whole row")
        return self.column(scope, number, extra)

    def _function_column(self, here: Context, entry: Node, number: int, name: str) -> Verdict:
        functions = entry.nodes("functions")
        if len(functions) != 1:
            return may(f"{name} ends with the shortest of several functions")
        width = functions[0].integer("funccolcount")
        if entry.flag("funcordinality") and number == width + 1:
            return never(f"{name} counts the rows")
        call = functions[0].node("funcexpr")
        if call.tag != "FUNCEXPR":
            return self.judge(here.scope.row, call) if number == 1 == width else may(name)
        function = self.catalogue.function(call.integer("funcid"))
        if function is None:
            return may(f"{name} comes from a function that is not in the catalogue")
        if not function.returns_set:
            return self.judge(here.scope.row, call) if number == 1 == width else may(name)
        if number in null_free_columns(function):
            return never(f"{name} comes from {function.name}, which gives no NULL")
        if function.name == "unnest" and function.built_in and number == 1 == width:
            return self._elements(here.scope.row, call.nodes("args")[0])
        return may(f"{name} comes from {function.name}, of which nothing is known")

    def _values_column(self, place: Context, entry: Node, number: int) -> Verdict:
        verdict = never("all its VALUES are given")
        for row in entry.items("values_lists"):
            cell = row[number - 1] if isinstance(row, list) and 1 <= number <= len(row) else None
            if not isinstance(cell, Node):
                raise NodeTreeError(f"VALUES without a column {number}")
            verdict = self.judge(place, cell)
            if verdict.nullable:
                return verdict
        return verdict

    def _grouping_column(self, here: Context, index: int, entry: Node, number: int) -> Verdict:
        scope = here.scope
        is_always_there = scope.group_reference(number) in scope.always_grouped_by
        if not is_always_there or (index, number) in scope.grouped_twice:
            return may("a grouping set leaves it out")
        return self.judge(here.scope.row, item(entry.nodes("groupexprs"), number))

    # CTEs.

    def _cte_column(self, here: Context, entry: Node, number: int) -> Verdict:
        owner = here.at(entry.integer("ctelevelsup")).scope
        name = entry.text("ctename")
        cte = next(
            (one for one in owner.query.nodes("cteList") if one.text("ctename") == name), None
        )
        if cte is None:
            raise NodeTreeError(f"there is no CTE {name}")
        if number == 0:
            return never("a whole row")
        if id(cte) in self._assumed:
            if self._assumed[id(cte)].nullable[number - 1]:
                return may(f"an earlier row of {name} may hold NULL")
            return never(f"no earlier row of {name} holds NULL")
        if cte.flag("cterecursive"):
            return self._recursive_column(owner, cte, number)
        place = (self._assumption, owner.number, id(cte))
        if place not in self._ctes:
            self._ctes[place] = Scope(cte.node("ctequery"), owner.around, owner.shared)
        return self.column(self._ctes[place], number)

    def _recursive_column(self, owner: Scope, cte: Node, number: int) -> Verdict:
        place = (self._assumption, owner.number, id(cte))
        if place not in self._recursive_ctes:
            self._recursive_ctes[place] = self._recursive(owner, cte)
        return self._recursive_ctes[place][number - 1]

    def _recursive(self, owner: Scope, cte: Node) -> list[Verdict]:
        """Assume that no column of the CTE is ever NULL, and give up what does not stand.

        What stands in the end holds for the first rows, and for those that follow from rows
        for which it holds.
        """
        assumed = _Assumed([False] * len(strings(cte.items("ctecolnames"))))
        before = self._assumption
        while True:
            self._assumed[id(cte)] = assumed
            self._assumptions += 1
            self._assumption = self._assumptions
            try:
                scope = Scope(cte.node("ctequery"), owner.around, owner.shared)
                columns = range(1, len(assumed.nullable) + 1)
                found = [self.column(scope, number) for number in columns]
            finally:
                del self._assumed[id(cte)]
                self._assumption = before
            nullable = [verdict.nullable for verdict in found]
            if nullable == assumed.nullable:
                return found
            assumed = _Assumed([a or b for a, b in zip(nullable, assumed.nullable, strict=True)])

    # What INSERT, UPDATE, DELETE and MERGE return of the row they wrote.

    def _returned(self, here: Context, node: Node, name: str) -> Verdict:
        scope, number = here.scope, node.integer("varattno")
        entry = scope.relation(scope.result)
        version = node.integer("varreturningtype") if node.has("varreturningtype") else 0
        if version == _OLD and scope.command not in (UPDATE, DELETE):
            return may(f"there may be no old row of {name}")
        if version == _NEW and scope.command not in (UPDATE, INSERT):
            return may(f"there may be no new row of {name}")
        stored = self._table_column(entry, number, name)
        if not stored.nullable or version == _OLD or number <= 0:
            return stored
        return self._written(scope, number) or stored

    def _written(self, scope: Scope, number: int) -> Verdict | None:
        """The verdict on what the statement writes to a column, if nothing else can change it."""
        relation = self.catalogue.relation(scope.relation(scope.result).integer("relid"))
        if relation is None or relation.rewrites_rows or number in relation.generated:
            return None
        conflict = scope.query.maybe("onConflict")
        if conflict and conflict.integer("action") == _UPDATE_ON_CONFLICT:
            return None
        if scope.command not in (INSERT, UPDATE):
            return None
        for entry in scope.query.nodes("targetList"):
            if entry.integer("resno") == number and not entry.flag("resjunk"):
                return self.judge(scope.row, entry.node("expr"))
        return None

    # Kinds of expressions.

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
                inner = self._inside(place, array)
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
        """Whether one of *arguments* is there with each side of some full join alone.

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

    def wrapper(self, place: Context, node: Node) -> Verdict:
        """A cast or collation that keeps NULL as it is and makes none."""
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
        inner = self._inside(place, node)
        if inner is None:
            return may(TOO_DEEP)
        if kind in (_ANY, _ALL):
            return self.judge(replace(place, subselect=inner), node.node("testexpr"))
        if kind != _SCALAR:
            return may("a row that is not found gives NULL")
        if not self.gives_a_row(inner):
            return may("a subquery that finds no row gives NULL")
        return self.column(inner, 1)

    def _inside(self, place: Context, sublink: Node) -> Scope | None:
        """The scope of the subquery in *sublink* at *place*, None after MOST_CASES of them."""
        scopes = self._subqueries.setdefault(id(sublink), {})
        key = (place.scope.number, place.facts)
        if key not in scopes:
            if len(scopes) >= MOST_CASES:
                return None
            scopes[key] = Scope(sublink.node("subselect"), place, place.scope.shared)
        return scopes[key]

    # Aggregates and window functions.

    def aggregate(self, place: Context, node: Node) -> Verdict:
        """An aggregate of a group: NULL of no row, unless it counts."""
        function = self.catalogue.function(node.integer("aggfnoid"))
        kind = aggregation(function) if function else None
        if function is None or kind is None:
            return may("it is an aggregate of which nothing is known")
        if kind is Aggregation.NEVER_NULL:
            return never(f"{function.name} {kind.value}")
        if node.integer("agglevelsup") > 0:
            return may(f"{function.name} belongs to a query further out")
        if node.maybe("aggfilter"):
            return may(f"{function.name} is NULL where its filter leaves no row")
        if not place.scope.groups_have_rows:
            return may(f"{function.name} of no rows is NULL")
        return self._aggregated(place.scope.row, function.name, kind, node)

    def _aggregated(self, place: Context, name: str, kind: Aggregation, node: Node) -> Verdict:
        """The verdict on an aggregate of one row at least."""
        if kind is Aggregation.WITH_A_ROW:
            return never(f"{name} {kind.value}")
        arguments = [
            entry.node("expr") if entry.tag == "TARGETENTRY" else entry
            for entry in node.nodes("args")
            if not (entry.tag == "TARGETENTRY" and entry.flag("resjunk"))
        ]
        return self._all(place, [*arguments, *node.nodes("aggdirectargs")], f"{name} {kind.value}")

    def window(self, place: Context, node: Node) -> Verdict:
        """A window function: numbers rows, looks at other rows, or aggregates a frame."""
        function = self.catalogue.function(node.integer("winfnoid"))
        if function is None:
            return may("it is a window function that is not in the catalogue")
        if numbers_rows(function):
            return never(f"{function.name} gives every row a number")
        # Other rows: what a CASE knows of this one is not known of them.
        others = place.scope.output
        if function.kind == "w" and function.built_in:
            return self._other_row(others, function.name, node)
        kind = aggregation(function)
        if kind is Aggregation.NEVER_NULL:
            return never(f"{function.name} {kind.value}")
        if kind is None:
            return may(f"{function.name} is not known never to give NULL")
        if node.maybe("aggfilter") or not _holds_its_row(place.scope, node):
            return may(f"{function.name} of an empty frame is NULL")
        return self._aggregated(others, function.name, kind, node)

    def _other_row(self, place: Context, name: str, node: Node) -> Verdict:
        arguments = node.nodes("args")
        if name == "ntile":
            return self._all(place, arguments, "ntile gives every row a number")
        if name in ("lag", "lead"):
            if len(arguments) < 3:
                return may(f"{name} without a default")
            return self._all(place, arguments, f"{name} has a default")
        if name in ("first_value", "last_value") and _holds_its_row(place.scope, node):
            return self._all(place, arguments, f"{name} of a frame that holds its own row")
        return may(f"{name} of a frame that may have no such row")


_JUDGES: dict[str, Callable[[Nullability, Context, Node], Verdict]] = {
    "AGGREF": Nullability.aggregate,
    "ARRAYCOERCEEXPR": Nullability.wrapper,
    "ARRAYEXPR": Nullability.array,
    "BOOLEANTEST": Nullability.truth_test,
    "BOOLEXPR": Nullability.logic,
    "CASEEXPR": Nullability.case,
    "COALESCEEXPR": Nullability.coalesce,
    "COERCETODOMAIN": Nullability.domain,
    "COERCEVIAIO": Nullability.through_text,
    "COLLATEEXPR": Nullability.wrapper,
    "CONST": Nullability.constant,
    "DISTINCTEXPR": Nullability.distinct,
    "FUNCEXPR": Nullability.call,
    "GROUPINGFUNC": Nullability.whole,
    "MERGESUPPORTFUNC": Nullability.whole,
    "MINMAXEXPR": Nullability.greatest,
    "NEXTVALUEEXPR": Nullability.whole,
    "NULLTEST": Nullability.truth_test,
    "OPEXPR": Nullability.call,
    "PARAM": Nullability.parameter,
    "RELABELTYPE": Nullability.wrapper,
    "ROWCOMPAREEXPR": Nullability.row_comparison,
    "ROWEXPR": Nullability.whole,
    "SCALARARRAYOPEXPR": Nullability.array_comparison,
    "SQLVALUEFUNCTION": Nullability.session_value,
    "SUBLINK": Nullability.subquery,
    "VAR": Nullability.variable,
    "WINDOWFUNC": Nullability.window,
}


def visible(scope: Scope) -> list[Node]:
    """The entries of the query's result, those it only sorts or groups by aside."""
    entries = scope.query.nodes("targetList" if scope.command == SELECT else "returningList")
    return [entry for entry in entries if not entry.flag("resjunk")]


def _if_case_matches(scope: Scope, case: Node, condition: Node) -> set[Key]:
    """What is not NULL when `case x when 1`, here `x = 1` with a stand-in for x, is true."""
    argument = case.maybe("arg")
    stands_in = condition.tag == "OPEXPR" and condition.nodes("args")[0].tag == "CASETESTEXPR"
    if argument and stands_in and scope.is_strict(condition):
        return scope.if_not_null(argument)
    return set()


def _name(entry: Node, number: int) -> str:
    """How a reader would call the column: `tasks.title`."""
    names = entry.node("eref")
    columns = strings(names.items("colnames"))
    column = columns[number - 1] if 1 <= number <= len(columns) else "*"
    return f"{names.text('aliasname')}.{column}"


def _is_epoch(node: Node) -> bool:
    """Whether *node* is the text `epoch`: of the fields, it is one that infinity has too."""
    if node.tag != "CONST" or node.flag("constisnull"):
        return False
    return node.data("constvalue")[4:] == b"epoch"


def _has_no_null_bitmap(node: Node) -> bool:
    """Whether a constant array holds no NULL: its header's data offset is zero then.

    The header (src/include/utils/array.h): length, dimensions, offset, each four bytes.
    """
    if node.flag("constisnull"):
        return False
    data = node.data("constvalue")
    return len(data) >= 16 and _is_long_header(data) and data[8:12] == bytes(4)


def _is_long_header(data: bytes) -> bool:
    """Whether the four bytes of length at the front say the length, on either byte order."""
    return int.from_bytes(data[:4], "little") >> 2 == len(data) or (
        int.from_bytes(data[:4], "big") == len(data)
    )


def _holds_its_row(scope: Scope, call: Node) -> bool:
    """Whether the frame of the window function *call* always holds the row it stands at."""
    number = call.integer("winref")
    windows = scope.query.nodes("windowClause")
    window = next((one for one in windows if one.integer("winref") == number), None)
    if window is None:
        raise NodeTreeError(f"there is no window {number}")
    options = window.integer("frameOptions")
    if options & (_START_FOLLOWING | _END_PRECEDING | _EXCLUDE_CURRENT_ROW | _EXCLUDE_GROUP):
        return False
    return not (options & _RANGE and options & (_START_OFFSETS | _END_OFFSETS))
