"""Insides of a column: the fields of a row, the rows of a list, as a query makes them.

Read from PostgreSQL's analysed tree like the NULLs of columns. Where a column shows a composite as
it is stored, nothing is derived here: what is inside is then what its type says, and may be NULL.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from taskdb.query.check.catalogue import Catalogue
from taskdb.query.check.nodetree import Node, NodeTreeError, strings
from taskdb.query.check.nullability import Nullability, visible
from taskdb.query.check.scopes import (
    CTE,
    GROUP,
    SELECT,
    SUBQUERY,
    TABLE,
    Context,
    Scope,
    item,
)

__all__ = ["Inner", "Inside", "insides", "merged", "type_of"]

_SCALAR, _ARRAY = 4, 6
_BOOLEAN, _INTEGER, _JSON, _UNKNOWN, _RECORD, _JSONB = 16, 23, 114, 705, 2249, 3802
# Where the type of an expression stands, by its tag.
_TYPE_FIELDS: Final = {
    "AGGREF": "aggtype",
    "ARRAYCOERCEEXPR": "resulttype",
    "ARRAYEXPR": "array_typeid",
    "CASEEXPR": "casetype",
    "COALESCEEXPR": "coalescetype",
    "COERCETODOMAIN": "resulttype",
    "COERCEVIAIO": "resulttype",
    "CONST": "consttype",
    "FIELDSELECT": "resulttype",
    "FUNCEXPR": "funcresulttype",
    "MINMAXEXPR": "minmaxtype",
    "NULLIFEXPR": "opresulttype",
    "OPEXPR": "opresulttype",
    "PARAM": "paramtype",
    "RELABELTYPE": "resulttype",
    "ROWEXPR": "row_typeid",
    "SQLVALUEFUNCTION": "type",
    "SUBSCRIPTINGREF": "refrestype",
    "VAR": "vartype",
    "WINDOWFUNC": "wintype",
}
_TRUTHS: Final = frozenset(
    {"BOOLEANTEST", "BOOLEXPR", "DISTINCTEXPR", "NULLTEST", "ROWCOMPAREEXPR", "SCALARARRAYOPEXPR"}
)
_LISTING: Final = {"array_agg": False, "json_agg": True, "jsonb_agg": True}
_AS_JSON: Final = frozenset({"array_to_json", "row_to_json", "to_json", "to_jsonb"})
_BUILD: Final = frozenset({"json_build_object", "jsonb_build_object"})
# Parts of a value that are followed at most; of a larger one nothing is derived.
_MOST_PARTS: Final = 1_000
# A JSON array of nothing: its header, in either byte order (src/include/utils/jsonb.h).
_EMPTY_JSONB: Final = (b"\x00\x00\x00\x40", b"\x40\x00\x00\x00")


@dataclass(frozen=True, slots=True)
class Inner:
    """A field, or the items of a list. A `type_oid` of 0 is one that could not be made out.

    `column` is the table's column that it shows: the table's OID and the column's number.
    """

    name: str
    type_oid: int
    nullable: bool
    reason: str
    inside: Inside | None = None
    column: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Inside:
    """Inside of a column: `fields` of a row, or `items` of a list.

    JSON's fields go by name, a composite's by place; those of `row(a, b)` have no name.
    """

    is_json: bool = False
    fields: tuple[Inner, ...] = ()
    items: Inner | None = None
    # Number of the parts in it, at any depth.
    size: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        size = sum(1 + (each.inside.size if each.inside else 0) for each in self._parts())
        object.__setattr__(self, "size", size)

    def _parts(self) -> tuple[Inner, ...]:
        return self.fields if self.items is None else (*self.fields, self.items)

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is inside: an empty list, or NULL."""
        return not self.fields and self.items is None

    def types(self) -> Iterator[int]:
        """Yield the types of all that is inside, at any depth."""
        for each in self._parts():
            if each.type_oid:
                yield each.type_oid
            if each.inside:
                yield from each.inside.types()


_EMPTY: Final = Inside()


def insides(judge: Nullability) -> list[Inside | None]:
    """Return what stands inside each column of the result; None where nothing is known of it."""
    reader = _Reader(judge)
    place = judge.scope.output if judge.scope.command == SELECT else judge.scope.returning
    return [
        reader.safely(place, entry.node("expr"), entry.integer("resno"))
        for entry in visible(judge.scope)
    ]


class _Reader:
    def __init__(self, judge: Nullability) -> None:
        self.judge = judge
        self._columns_of: dict[tuple[int, int], Inside | None] = {}

    @property
    def catalogue(self) -> Catalogue:
        return self.judge.catalogue

    def safely(self, place: Context, node: Node, number: int) -> Inside | None:
        try:
            if place.scope.query.maybe("setOperations"):
                return self._of_subquery(place.scope, number)
            found = self.inside(place, node)
        except (NodeTreeError, RecursionError):
            return None
        return None if found == _EMPTY else found

    def inside(self, place: Context, node: Node) -> Inside | None:
        """Return the inside of the value of *node*."""
        found = self._inside(place, node)
        return None if found is not None and found.size > _MOST_PARTS else found

    def _inside(self, place: Context, node: Node) -> Inside | None:
        match node.tag:
            case "VAR":
                return self._variable(place, node)
            case "ROWEXPR":
                return self._row_expression(place, node)
            case "AGGREF":
                return self._aggregate(place, node)
            case "FUNCEXPR":
                return self._call(place, node)
            case "SUBLINK":
                return self._subquery(place, node)
            case "COALESCEEXPR":
                return merged([self.inside(place, each) for each in node.nodes("args")])
            case "CASEEXPR":
                return self._case(place, node)
            case "ARRAYEXPR":
                items = [self._inner(place, "", each) for each in node.nodes("elements")]
                return Inside(items=_merged_inner(items)) if items else _EMPTY
            case "CONST":
                return _EMPTY if _is_nothing(node) else None
            case "RELABELTYPE" | "COERCETODOMAIN" | "COLLATEEXPR":
                return self.inside(place, node.node("arg"))
            case "COERCEVIAIO" if {type_of(node), type_of(node.node("arg"))} <= {_JSON, _JSONB}:
                return self.inside(place, node.node("arg"))
            case _:
                return None

    def _inner(self, place: Context, name: str, node: Node, *, as_json: bool = False) -> Inner:
        verdict = self.judge.judge(place, node)
        inside = self.inside(place, node)
        if inside is not None and as_json:
            inside = _in_json(inside)
        oid = self.type_of(place, node)
        column = self._column(place, node)
        return Inner(name, oid, verdict.nullable, verdict.reason, inside, column)

    def _column(self, place: Context, node: Node) -> tuple[int, int] | None:
        """The table's column that *node* shows as it is, through joins and subqueries."""
        if node.tag != "VAR":
            return None
        here = place.at(node.integer("varlevelsup"))
        scope, index, number = here.scope, node.integer("varno"), node.integer("varattno")
        if (inner := scope.behind(index, number)) is not None:
            return self._column(here, inner)
        relation = scope.relation(index)
        if relation.integer("rtekind") == TABLE:
            return (relation.integer("relid"), number) if number > 0 else None
        if relation.integer("rtekind") != SUBQUERY or number == 0:
            return None
        child = scope.child(index)
        entry = next((one for one in visible(child) if one.integer("resno") == number), None)
        if entry is None or child.query.maybe("setOperations"):
            return None
        return self._column(child.row, entry.node("expr"))

    def type_of(self, place: Context, node: Node) -> int:
        """The number of an expression's type, 0 if it does not say."""
        if node.tag == "SUBLINK" and node.integer("subLinkType") == _SCALAR:
            first = item(node.node("subselect").nodes("targetList"), 1)
            return type_of(first.node("expr"))
        return type_of(node)

    # Expressions that make rows and lists

    def _row_expression(self, place: Context, node: Node) -> Inside:
        names = strings(node.items("colnames"))
        anonymous = type_of(node) == _RECORD and names == [
            f"f{number}" for number in range(1, len(names) + 1)
        ]
        arguments = node.nodes("args")
        if anonymous or len(names) != len(arguments):
            names = [""] * len(arguments)
        fields = [self._inner(place, *each) for each in zip(names, arguments, strict=True)]
        return Inside(fields=tuple(fields))

    def _aggregate(self, place: Context, node: Node) -> Inside | None:
        function = self.catalogue.function(node.integer("aggfnoid"))
        if function is None or not function.built_in or node.integer("agglevelsup") > 0:
            return None
        if function.name not in _LISTING:
            return None
        here = place.scope.row
        if condition := node.maybe("aggfilter"):
            here = here.knowing(place.scope.if_true(condition))
        argument = item(node.nodes("args"), 1).node("expr")
        is_json = _LISTING[function.name]
        return Inside(is_json, items=self._inner(here, "", argument, as_json=is_json))

    def _call(self, place: Context, node: Node) -> Inside | None:
        function = self.catalogue.function(node.integer("funcid"))
        if function is None or not function.built_in or node.flag("funcvariadic"):
            return None
        arguments = node.nodes("args")
        if function.name in _AS_JSON:
            found = self.inside(place, arguments[0])
            return found and _in_json(found)
        if function.name not in _BUILD:
            return None
        names = [_text(each) for each in arguments[::2]]
        if None in names:
            return None
        fields = [
            self._inner(place, name or "", each, as_json=True)
            for name, each in zip(names, arguments[1::2], strict=True)
        ]
        return Inside(True, tuple(fields))

    def _case(self, place: Context, node: Node) -> Inside | None:
        results = [each.node("result") for each in node.nodes("args")]
        if otherwise := node.maybe("defresult"):
            results.append(otherwise)
        return merged([self.inside(place, each) for each in results])

    def _subquery(self, place: Context, node: Node) -> Inside | None:
        kind = node.integer("subLinkType")
        scope = self.judge.within(place, node) if kind in (_SCALAR, _ARRAY) else None
        if scope is None:
            return None
        if kind == _SCALAR:
            return self._of_subquery(scope, 1)
        inside = self._of_subquery(scope, 1)
        verdict = self.judge.column(scope, 1)
        oid = type_of(item(visible(scope), 1).node("expr"))
        return Inside(items=Inner("", oid, verdict.nullable, verdict.reason, inside))

    # Columns, and whole rows

    def _variable(self, place: Context, node: Node) -> Inside | None:
        here = place.at(node.integer("varlevelsup"))
        scope, index, number = here.scope, node.integer("varno"), node.integer("varattno")
        relation = scope.relation(index)
        kind = relation.integer("rtekind")
        if (inner := scope.behind(index, number)) is not None:
            return self.inside(here, inner)
        if kind == GROUP:
            return self.inside(scope.row, item(relation.nodes("groupexprs"), number))
        if number == 0:
            return self._whole_row(here, node, relation)
        if kind == SUBQUERY:
            return self._of_subquery(scope.child(index), number)
        if kind == CTE and (inside := self.judge.cte_scope(here, relation)) is not None:
            return self._of_subquery(inside, number)
        return None

    def _of_subquery(self, scope: Scope, number: int) -> Inside | None:
        """Return the inside of a subquery's column, which is looked at once."""
        key = scope.number, number
        if key not in self._columns_of:
            self._columns_of[key] = self._of_column(scope, number)
        return self._columns_of[key]

    def _of_column(self, scope: Scope, number: int) -> Inside | None:
        if operation := scope.query.maybe("setOperations"):
            return merged([self._of_subquery(one, number) for one in _united(scope, operation)])
        place = scope.output if scope.command == SELECT else scope.returning
        entry = next((one for one in visible(scope) if one.integer("resno") == number), None)
        return self.inside(place, entry.node("expr")) if entry else None

    def _whole_row(self, here: Context, node: Node, relation: Node) -> Inside | None:
        scope, index = here.scope, node.integer("varno")
        # Where the row is not there, all of it is NULL: nothing is inside.
        sides = scope.nulled_by.get(index, frozenset())
        there = here.knowing([("side", scope.number, *side) for side in sides])
        columns = list(self._columns(here, relation, index))
        if not columns:
            return None
        fields: list[Inner] = []
        for number, name, oid in columns:
            changed = {"varattno": str(number), "vartype": str(oid), "varlevelsup": "0"}
            column = Node("VAR", {**node.fields, **changed})
            fields.append(replace(self._inner(there, name, column), type_oid=oid))
        return Inside(fields=tuple(fields))

    def _columns(self, here: Context, relation: Node, index: int) -> Iterator[tuple[int, str, int]]:
        """Number, name and type of the columns of a relation, as far as they are known."""
        kind = relation.integer("rtekind")
        names = strings(relation.node("eref").items("colnames"))
        if kind == TABLE:
            table = self.catalogue.relation(relation.integer("relid"))
            if table is not None:
                for number, (name, oid) in enumerate(
                    zip(table.columns, table.column_types, strict=True), 1
                ):
                    if oid:
                        yield number, name, oid
            return
        inner = here.scope.child(index) if kind == SUBQUERY else None
        if kind == CTE:
            inner = self.judge.cte_scope(here, relation)
        if inner is not None:
            entries = {one.integer("resno"): one.node("expr") for one in visible(inner)}
            for number, name in enumerate(names, 1):
                if number in entries:
                    yield number, name, self.type_of(inner.row, entries[number])


def type_of(node: Node) -> int:
    """The number of an expression's type, 0 if it does not say."""
    if node.tag in _TYPE_FIELDS:
        return node.integer(_TYPE_FIELDS[node.tag])
    if node.tag in _TRUTHS:
        return _BOOLEAN
    if node.tag == "GROUPINGFUNC":
        return _INTEGER
    if node.tag == "COLLATEEXPR":
        return type_of(node.node("arg"))
    return 0


def _united(scope: Scope, operation: Node) -> Iterator[Scope]:
    if operation.tag == "RANGETBLREF":
        yield scope.child(operation.integer("rtindex"))
        return
    yield from _united(scope, operation.node("larg"))
    yield from _united(scope, operation.node("rarg"))


def _is_nothing(node: Node) -> bool:
    """Return whether a constant has no rows inside: NULL, `'{}'`, `'[]'`."""
    if node.flag("constisnull"):
        return True
    kind = node.integer("consttype")
    if kind not in (_JSON, _JSONB):
        # An array's number of dimensions stands behind its length.
        return not node.flag("constbyval") and node.data("constvalue")[4:8] == bytes(4)
    data = node.data("constvalue")[4:]
    return data in _EMPTY_JSONB if kind == _JSONB else data.strip() == b"[]"


def _text(node: Node) -> str | None:
    """The text of a constant, a key of an object."""
    if node.tag == "RELABELTYPE":
        return _text(node.node("arg"))
    if node.tag != "CONST" or node.flag("constisnull"):
        return None
    data = node.data("constvalue")
    # A literal that nothing gives a type is a C string, without a length before it.
    data = data.rstrip(b"\0") if node.integer("consttype") == _UNKNOWN else data[4:]
    return data.decode("utf-8", "replace")


def _in_json(inside: Inside) -> Inside:
    if inside.is_json:
        return inside
    return Inside(
        True,
        tuple(_inner_in_json(each) for each in inside.fields),
        inside.items and _inner_in_json(inside.items),
    )


def _inner_in_json(inner: Inner) -> Inner:
    return replace(inner, inside=inner.inside and _in_json(inner.inside))


def merged(found: Sequence[Inside | None]) -> Inside | None:
    """Return the inside of a value that is one of several; None if one of them is unknown."""
    known = [each for each in found if each is not None]
    if len(known) < len(found):
        return None
    known = [each for each in known if not each.is_empty]
    if not known:
        return _EMPTY
    first = known[0]
    for each in known[1:]:
        if len(each.fields) != len(first.fields) or each.is_json != first.is_json:
            return None
        fields = [_merged_inner(pair) for pair in zip(first.fields, each.fields, strict=True)]
        items = [one.items for one in (first, each) if one.items is not None]
        first = Inside(first.is_json, tuple(fields), _merged_inner(items) if items else None)
    return first


def _merged_inner(found: Sequence[Inner]) -> Inner:
    """One of several fields in the same place."""
    first = next((each for each in found if each.nullable), found[0])
    oids = {each.type_oid for each in found}
    inside = merged([each.inside for each in found])
    return replace(first, type_oid=oids.pop() if len(oids) == 1 else 0, inside=inside)
