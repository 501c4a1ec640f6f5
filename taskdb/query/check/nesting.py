"""Rows in a column beside the classes that they become: names, order, types and NULLs inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, get_origin

from taskdb.query._annotations import (
    LISTS,
    NONE,
    OBJECTS,
    is_any,
    is_typed_dict,
    members,
    type_name,
    unwrapped,
)
from taskdb.query._results import Field, Result
from taskdb.query._rowclasses import (
    constructor_fields,
    field_name,
    is_document_class,
    optional_keys,
    row_class,
)
from taskdb.query._types import ServerType, TypeKind, fits, is_sequence, item_of
from taskdb.query.check.describe import Column, Description
from taskdb.query.check.insides import Inner, Inside
from taskdb.query.check.overriding import TypeOverrides, agrees
from taskdb.query.check.servertypes import Types

__all__ = ["InnerField", "InnerMismatch", "column_of", "inner_fields", "mismatches"]

_STORED = "the fields of a stored composite may be NULL"


@dataclass(frozen=True, slots=True)
class InnerMismatch:
    """Mismatch inside a column, and its remedy."""

    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class InnerField:
    """A field of a class inside a column, and whether what fills it may be NULL."""

    cls: type
    name: str
    annotation: Any
    nullable: bool


@dataclass(frozen=True, slots=True)
class _Part:
    """Place inside a column: its type, if known, and its own inside."""

    name: str
    of: ServerType | None
    nullable: bool
    reason: str
    inside: Inside | None
    inner: Inner | None = None


def column_of(result: Result, field: Field, described: Description) -> Column | None:
    """Return the column that fills *field*, if there is one."""
    columns = described.columns
    if result.row is None:
        return columns[0] if len(columns) == 1 else None
    return next((each for each in columns if field_name(each.name) == field.name), None)


def mismatches(
    annotation: Any,
    of: ServerType,
    inside: Inside | None,
    types: Types,
    named: TypeOverrides,
    *,
    at: str,
) -> Iterator[InnerMismatch]:
    """Yield what does not fit inside a column of type *of*, where rows or lists are annotated."""
    kinds = [one for one in members(annotation) if one is not NONE]
    kind = next((one for one in kinds if row_class(one) or is_sequence(one, LISTS)), None)
    if kind is not None:
        yield from _Comparison(types, named).part(kind, _Part("", of, False, "", inside), at)


@dataclass(frozen=True, slots=True)
class _Comparison:
    types: Types
    named: TypeOverrides

    def part(self, annotation: Any, part: _Part, at: str) -> Iterator[InnerMismatch]:
        """Compare what is annotated, None aside, with what is there."""
        if is_sequence(annotation, LISTS):
            yield from self._items(annotation, part, f"{at}[]")
            return
        meant, _ = unwrapped(annotation)
        if is_document_class(meant):
            yield from self._row(meant, part, at)

    def _items(self, annotation: Any, part: _Part, at: str) -> Iterator[InnerMismatch]:
        items = members(item_of(annotation))
        kind = next((one for one in items if one is not NONE), None)
        if kind is None or is_any(kind):
            return
        inside = part.inside
        if inside is not None and inside.items is not None:
            found = self._known(inside.items, is_json=inside.is_json)
            if not _fits_item(
                item_of(annotation), kind, found.of, None if inside.is_json else part.of
            ):
                yield InnerMismatch(
                    f"the items of {at.removesuffix('[]')} are {found.of}, but are annotated "
                    f"{type_name(item_of(annotation))}",
                    "Annotate what they are, one list for each dimension, or cast them",
                )
                return
            if found.nullable and NONE not in items:
                yield InnerMismatch(
                    f"the items of {at.removesuffix('[]')} may be NULL ({found.reason}), but are "
                    f"annotated {type_name(item_of(annotation))}",
                    "Leave them out with filter (where ... is not null), or annotate | None",
                )
            yield from self.part(kind, found, at)
        elif part.of is not None and part.of.kind is TypeKind.ARRAY:
            yield from self.part(kind, _Part("", part.of.item, False, "", None), at)

    def _known(self, inner: Inner, *, is_json: bool) -> _Part:
        of = self.types.server_type(inner.type_oid) if inner.type_oid else None
        if of is not None:
            of = self.types.in_row(self.types.in_json(of) if is_json else of)
        return _Part(inner.name, of, inner.nullable, inner.reason, inner.inside, inner)

    def _row(self, cls: type, part: _Part, at: str) -> Iterator[InnerMismatch]:
        wanted = constructor_fields(cls)
        inside = part.inside
        if inside is not None and inside.fields:
            is_json = inside.is_json
            found = [self._known(each, is_json=is_json) for each in inside.fields]
        elif part.of is not None and part.of.kind is TypeKind.ROW:
            is_json = False
            found = [
                _Part(name, self.types.in_row(of), True, _STORED, None)
                for name, of in part.of.fields
            ]
        else:
            return
        names = [name for name, _, _ in wanted]
        optional = optional_keys(cls)
        problem = _misnamed(
            [name for name in names if name not in optional] if is_typed_dict(cls) else names,
            [field_name(each.name) for each in found],
            is_json=is_json,
            is_open=is_typed_dict(cls),
        )
        if problem is not None:
            yield InnerMismatch(
                f"{at} {problem}, which {cls.__qualname__} ({', '.join(names)}) does not fit",
                "Let the statement and the class have the same fields, in the same order",
            )
            return
        by_name = {field_name(each.name): each for each in found}
        for place, (name, annotation, _) in enumerate(wanted):
            if name in optional and name not in by_name:
                continue
            field = by_name[name] if is_json else found[place]
            at_field = f"{at}.{name}"
            if field.of is not None and not (_fits_json if is_json else fits)(annotation, field.of):
                yield InnerMismatch(
                    f"{at_field} is {field.of}, {cls.__qualname__}.{name} is annotated "
                    f"{type_name(annotation)}",
                    "Change the annotation, or cast what is inside the column",
                )
            else:
                yield from self._field(f"{cls.__qualname__}.{name}", annotation, field, at_field)

    def _field(self, named: str, annotation: Any, field: _Part, at: str) -> Iterator[InnerMismatch]:
        named_type = field.inner and self.named.of_inner(field.inner, self.types)
        if named_type is not None and not agrees(annotation, named_type):
            yield InnerMismatch(
                f"{at} is {field.of}, which types= names "
                f"{type_name(named_type)}, {named} is annotated {type_name(annotation)}",
                "Change the annotation, or cast what is inside the column",
            )
            return
        if field.nullable and NONE not in members(annotation):
            yield InnerMismatch(
                f"{at} may be NULL ({field.reason}), but {named} is annotated "
                f"{type_name(annotation)}",
                "Annotate it with | None, or make it NOT NULL",
            )
        for kind in members(annotation):
            if kind is not NONE:
                yield from self.part(kind, field, at)


def _fits_item(annotation: Any, kind: Any, of: ServerType | None, array: ServerType | None) -> bool:
    """Return whether items of the type *of* fit the annotation, in JSON or in an *array*.

    An array of arrays has their type, and its items are lists; the check of the column has looked
    at the type of what is in them.
    """
    if of is None:
        return True
    if array is None:
        return _fits_json(annotation, of)
    return (of.oid == array.oid) == is_sequence(kind, LISTS)


def _fits_json(annotation: Any, of: ServerType) -> bool:
    """Return whether the JSON that PostgreSQL makes of a value fits the annotation, null aside.

    That is so as well where JSON is read for what it is: objects, numbers, and texts of all else.
    A document may be anything.
    """
    return any(_fits_json_of(each, of) for each in members(annotation) if each is not NONE)


def _fits_json_of(annotation: Any, of: ServerType) -> bool:
    meant, _ = unwrapped(annotation)
    match of.kind:
        case _ if is_any(meant):
            return True
        case TypeKind.JSON:
            return True
        case TypeKind.ROW:
            return is_document_class(meant) or (get_origin(meant) or meant) in OBJECTS
        case TypeKind.ARRAY if of.item is not None:
            # The type does not say how many dimensions there are.
            return is_sequence(meant, LISTS) and (
                _fits_json(item_of(meant), of.item) or _fits_json(item_of(meant), of)
            )
        case _ if {int, float, Decimal, bool}.isdisjoint(of.classes):
            return meant is str or fits(annotation, of)
        case _:
            return fits(annotation, of) or (meant is float and bool not in of.classes)


def _misnamed(
    wanted: Sequence[str], found: Sequence[str], *, is_json: bool, is_open: bool
) -> str | None:
    """Say how the fields that are there differ from those that are wanted.

    A document that *is_open* may have more.
    """
    if is_open and set(wanted) <= set(found):
        return None
    if is_json:
        return None if set(wanted) == set(found) else f"has the keys {', '.join(found)}"
    if len(wanted) != len(found):
        shown = ", ".join(filter(None, found))
        return f"has {len(found)} fields{f' ({shown})' if shown else ''}"
    if all(there in ("", name) for name, there in zip(wanted, found, strict=True)):
        return None
    if set(wanted) == set(found):
        return f"has its fields in another order ({', '.join(found)})"
    return f"has the fields {', '.join(found)}"


def inner_fields(annotation: Any, inside: Inside | None) -> Iterator[InnerField]:
    """Yield each field of each class inside a column, and whether it may be NULL.

    Where a statement does not say what is inside, anything may be.
    """
    for kind in members(annotation):
        if kind is NONE or row_class(kind) is None:
            continue
        if is_sequence(kind, LISTS):
            items = inside.items.inside if inside and inside.items else None
            yield from inner_fields(item_of(kind), items)
            continue
        cls, _ = unwrapped(kind)
        if not is_document_class(cls):
            continue
        found = inside.fields if inside is not None else ()
        by_name = {field_name(each.name): each for each in found}
        for place, (name, inner, _) in enumerate(constructor_fields(cls)):
            known = by_name.get(name) or (
                found[place] if place < len(found) and not found[place].name else None
            )
            yield InnerField(cls, name, inner, known is None or known.nullable)
            yield from inner_fields(inner, known.inside if known else None)
