"""Can a result column be NULL? Read from PostgreSQL's own analysed tree of the query.

"Not null" is a proof: there is a reason for it, built up from NOT NULL constraints, from
conditions that were true, and from functions known never to give NULL. Everything else may be
NULL: an unknown node, a function that isn't listed, a level that can't be made out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from taskdb.query.check.aggregates import Aggregates
from taskdb.query.check.catalogue import Catalogue
from taskdb.query.check.expressions import Expressions
from taskdb.query.check.nodetree import Node, NodeTreeError, strings
from taskdb.query.check.nullfree import null_free_columns
from taskdb.query.check.rowcount import calls_no_set
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
    Scope,
    ScopePhase,
    Shared,
    item,
)
from taskdb.query.check.verdicts import MOST_CASES, TOO_DEEP, Verdict, may, never

__all__ = ["Nullability", "Verdict", "may", "never"]

_OLD, _NEW = 1, 2
_UNION, _INTERSECT, _EXCEPT = 1, 2, 3
_SKIP_ON_CONFLICT, _UPDATE_ON_CONFLICT = 1, 2


@dataclass(slots=True)
class _Assumed:
    """Assumption about a recursive CTE's columns while its own term is judged."""

    nullable: list[bool] = field(default_factory=list[bool])


class Nullability(Expressions, Aggregates):
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
        super().__init__()
        self.catalogue = catalogue
        self.parameters_not_null = frozenset(parameters_not_null)
        self.items_not_null = frozenset(items_not_null)
        self.scope = Scope(query, None, Shared(catalogue))
        self._assumed: dict[int, _Assumed] = {}
        self._assumptions = 0
        self._ctes: dict[tuple[int, int, int], Scope] = {}
        self._recursive_ctes: dict[tuple[int, int, int], list[Verdict]] = {}
        self._columns: dict[tuple[int, int, int], dict[Facts, Verdict]] = {}

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
        """Return whether the query of *scope* is sure to give at least one row."""
        query = scope.query
        if scope.command == INSERT and not _may_skip_conflicts(query):
            relation = self.catalogue.relation(scope.relation(scope.result).integer("relid"))
            is_kept = relation is not None and not relation.keeps_rows_out
            return is_kept and self._has_rows(scope)
        if scope.command != SELECT or query.flag("hasTargetSRFs") or query.maybe("havingQual"):
            return False
        if query.maybe("limitCount") or query.maybe("limitOffset") or query.maybe("setOperations"):
            return False
        if scope.is_grouped and not scope.groups_have_rows:
            return True
        return self._has_rows(scope)

    def _has_rows(self, scope: Scope) -> bool:
        tree = scope.query.node("jointree")
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
        return kind == VALUES or (kind == FUNCTION and calls_no_set(relation))

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

    # Columns of relations.

    def variable(self, place: Context, node: Node) -> Verdict:
        """The verdict on a reference to a column."""
        here = place.at(node.integer("varlevelsup"))
        scope, index, number = here.scope, node.integer("varno"), node.integer("varattno")
        relation = scope.relation(index)
        kind = relation.integer("rtekind")
        if (inner := scope.behind(index, number)) is not None:
            # A grouping column of PostgreSQL 18 has the value it had before grouping.
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
            if stored:
                return never(f"{name} is a system column, which every stored row has")
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
        width = sum(each.integer("funccolcount") for each in functions)
        if entry.flag("funcordinality") and number == width + 1:
            return never(f"{name} counts the rows")
        if len(functions) != 1:
            return may(f"{name} ends with the shortest of several functions")
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
        owner, cte = _named_cte(here, entry)
        name = entry.text("ctename")
        if number == 0:
            return never("a whole row")
        if id(cte) in self._assumed:
            if self._assumed[id(cte)].nullable[number - 1]:
                return may(f"an earlier row of {name} may hold NULL")
            return never(f"no earlier row of {name} holds NULL")
        if cte.flag("cterecursive"):
            return self._recursive_column(owner, cte, number)
        return self.column(self._scope_of(owner, cte), number)

    def cte_scope(self, here: Context, entry: Node) -> Scope | None:
        """The scope of the CTE that relation *entry* reads, None for a recursive one."""
        owner, cte = _named_cte(here, entry)
        return None if cte.flag("cterecursive") else self._scope_of(owner, cte)

    def _scope_of(self, owner: Scope, cte: Node) -> Scope:
        place = (self._assumption, owner.number, id(cte))
        if place not in self._ctes:
            self._ctes[place] = Scope(cte.node("ctequery"), owner.around, owner.shared)
        return self._ctes[place]

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

    # Rows returned by INSERT, UPDATE, DELETE and MERGE

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
    "JSONCONSTRUCTOREXPR": Nullability.json_constructor,
    "MERGESUPPORTFUNC": Nullability.whole,
    "MINMAXEXPR": Nullability.greatest,
    "NAMEDARGEXPR": Nullability.wrapper,
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
    "SUBSCRIPTINGREF": Nullability.subscript,
    "VAR": Nullability.variable,
    "WINDOWFUNC": Nullability.window,
}


def _may_skip_conflicts(query: Node) -> bool:
    """Return whether an INSERT leaves rows out that conflict, all of them or by a condition."""
    conflict = query.maybe("onConflict")
    if conflict is None:
        return False
    is_skipping = conflict.integer("action") == _SKIP_ON_CONFLICT
    return is_skipping or conflict.maybe("onConflictWhere") is not None


def _named_cte(here: Context, entry: Node) -> tuple[Scope, Node]:
    """The CTE that relation *entry* reads, and the level that it belongs to."""
    owner = here.at(entry.integer("ctelevelsup")).scope
    name = entry.text("ctename")
    for cte in owner.query.nodes("cteList"):
        if cte.text("ctename") == name:
            return owner, cte
    raise NodeTreeError(f"there is no CTE {name}")


def visible(scope: Scope) -> list[Node]:
    """The entries of the query's result, those it only sorts or groups by aside."""
    entries = scope.query.nodes("targetList" if scope.command == SELECT else "returningList")
    return [entry for entry in entries if not entry.flag("resjunk")]


def _name(entry: Node, number: int) -> str:
    """Return a reader's name for the column: `tasks.title`."""
    names = entry.node("eref")
    columns = strings(names.items("colnames"))
    column = columns[number - 1] if 1 <= number <= len(columns) else "*"
    return f"{names.text('aliasname')}.{column}"
