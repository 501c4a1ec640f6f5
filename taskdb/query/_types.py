"""Compatibility of the server's types with the annotations of functions.

One table for both sides: by it a result is read when a query runs, and by it `taskdb check`
compares statements with functions before. What psycopg makes of a type is taken as it ships;
a type that is registered with it in another way fits whatever is annotated.
"""

from __future__ import annotations

import typing
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, auto
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from typing import Any, Final, Literal, cast, get_args, get_origin
from uuid import UUID

import psycopg
from psycopg.adapt import AdaptersMap, PyFormat
from psycopg.pq import Format
from psycopg.types.multirange import Multirange, MultirangeInfo
from psycopg.types.range import Range, RangeInfo

from taskdb.query._annotations import (
    LISTS,
    NONE,
    OBJECTS,
    is_any,
    is_class,
    is_typed_dict,
    members,
    unwrapped,
)
from taskdb.query._rowclasses import is_row_class
from taskdb.query.rules import Json, Naive, Unset

__all__ = [
    "ServerType",
    "TypeKind",
    "encodes_json",
    "fits",
    "is_json",
    "is_of_json",
    "is_sequence",
    "item_of",
    "sends",
    "server_type",
]

# The types that psycopg reads by itself, whatever is registered with it later.
_AS_SHIPPED: Final = AdaptersMap(psycopg.adapters)

# The classes of which psycopg makes the values of a type; `Naive` stands for a datetime without
# a time zone. What is in none of these tables comes as the server's text.
_TEXT: Final = (str,)
_CLASSES: Final[dict[str, tuple[type, ...]]] = {
    "bool": (bool,),
    "bytea": (bytes,),
    **dict.fromkeys(("int2", "int4", "int8", "oid"), (int,)),
    **dict.fromkeys(("float4", "float8"), (float,)),
    **dict.fromkeys(("text", "varchar", "bpchar", "name", '"char"'), _TEXT),
    "numeric": (Decimal,),
    "uuid": (UUID,),
    "date": (date,),
    "time": (time,),
    "timetz": (),
    "timestamp": (Naive,),
    "timestamptz": (datetime,),
    "interval": (timedelta,),
    "inet": (IPv4Address, IPv4Interface, IPv6Address, IPv6Interface),
    "cidr": (IPv4Network, IPv6Network),
    "record": (tuple,),
}
_JSON: Final = frozenset({"json", "jsonb"})
# Further classes that may be sent where one of these classes is read.
_SENT_AS_WELL: Final[dict[type, tuple[type, ...]]] = {
    float: (int,),
    Decimal: (int, float),
}
# Further classes of a value that is converted into the one read.
_READ_AS_WELL: Final[dict[type, tuple[type, ...]]] = {Decimal: (int,)}

_SENT_LISTS: Final = (*LISTS, tuple, set, frozenset, AbstractSet)
_FIRST_USER_OID: Final = 16384


class TypeKind(Enum):
    """Form in which psycopg reads values of a type."""

    PLAIN = auto()
    TEXT = auto()
    JSON = auto()
    ARRAY = auto()
    RANGE = auto()
    MULTIRANGE = auto()
    REGISTERED = auto()
    ROW = auto()


@dataclass(frozen=True, slots=True)
class ServerType:
    """A type of the server, as much as is known of it.

    `classes` are those of its values, `item` is the type of an array's items or of a range's
    bounds, `labels` are an enum's, `fields` those of a composite. Of a type that a database
    defines itself, a query that runs knows nothing (`is_unknown`): its values come as text, which
    may be an array's. The check knows that of an array (`comes_as_text`).
    """

    name: str
    oid: int
    kind: TypeKind
    classes: tuple[type, ...] = ()
    item: ServerType | None = None
    labels: tuple[str, ...] | None = None
    fields: tuple[tuple[str, ServerType], ...] = ()
    is_unknown: bool = False
    comes_as_text: bool = False

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(self.labels)})" if self.labels else self.name


def server_type(oid: int, adapters: AdaptersMap | None = None) -> ServerType:
    """Return what psycopg knows of a type; with *adapters* one may be registered with these."""
    info = _AS_SHIPPED.types.get(oid)
    name = info.name if info else "text, of a type that psycopg does not know"
    if adapters is not None and not (info and info.name in _JSON):
        shipped = _AS_SHIPPED.get_loader(oid, Format.TEXT)
        if adapters.get_loader(oid, Format.TEXT) is not shipped:
            return ServerType(name, oid, TypeKind.REGISTERED)
    if info is None:
        return ServerType(name, oid, TypeKind.TEXT, _TEXT, is_unknown=oid >= _FIRST_USER_OID)
    if info.oid != oid:
        return ServerType(f"{name}[]", oid, TypeKind.ARRAY, item=server_type(info.oid))
    if isinstance(info, RangeInfo):
        return ServerType(name, oid, TypeKind.RANGE, item=server_type(info.subtype_oid))
    if isinstance(info, MultirangeInfo):
        return ServerType(name, oid, TypeKind.MULTIRANGE, item=server_type(info.subtype_oid))
    if name in _JSON:
        return ServerType(name, oid, TypeKind.JSON)
    if name in _CLASSES:
        return ServerType(name, oid, TypeKind.PLAIN, _CLASSES[name])
    return ServerType(name, oid, TypeKind.TEXT, _TEXT)


# Results


def fits(annotation: Any, of: ServerType) -> bool:
    """Return whether a value of the type, as it is read, fits the annotation, NULL aside."""
    return any(_fits(member, of) for member in members(annotation) if member is not NONE)


def _fits(annotation: Any, of: ServerType) -> bool:
    meant, _ = unwrapped(annotation)
    if is_json(annotation) or is_any(meant) or of.kind is TypeKind.REGISTERED:
        return not is_json(annotation) or of.kind in (TypeKind.JSON, TypeKind.REGISTERED)
    origin: Any = get_origin(meant) or meant
    if is_row_class(meant):
        return of.kind in (TypeKind.JSON, TypeKind.ROW) or of.is_unknown or of.name == "record"
    if of.kind is TypeKind.JSON:
        return (origin in (*OBJECTS, *LISTS) or is_typed_dict(origin)) and is_of_json(annotation)
    if of.kind in (TypeKind.RANGE, TypeKind.MULTIRANGE):
        return origin is _range_class(of) and _fits_bounds(meant, of)
    if of.kind is TypeKind.ARRAY:
        if of.comes_as_text and meant is str:
            return True
        return origin in LISTS and _fits_items(meant, of)
    if of.is_unknown and origin in LISTS:
        return _fits_items(meant, of)
    return _fits_scalar(annotation, of)


def is_of_json(annotation: Any, around: tuple[Any, ...] = ()) -> bool:
    """Return whether JSON, as psycopg reads it, can hold the annotated type.

    *around* are the classes that it stands in, of which each is looked at once.
    """
    meant, _ = unwrapped(annotation)
    if is_any(meant) or meant in (NONE, str, int, float, bool) or is_row_class(meant):
        return True
    if meant in around:
        return True
    origin: Any = get_origin(meant) or meant
    if origin is Literal:
        return all(is_of_json(type(value)) for value in get_args(meant))
    if origin in OBJECTS or origin in LISTS:
        return all(is_of_json(one, around) for each in get_args(meant) for one in members(each))
    if is_typed_dict(meant):
        hints = typing.get_type_hints(meant).values()
        inside = (*around, meant)
        return all(is_of_json(one, inside) for each in hints for one in members(each))
    return False


def _fits_items(annotation: Any, of: ServerType) -> bool:
    item = _as_text(of.item) if of.comes_as_text or of.is_unknown else of.item
    assert item is not None
    return any(
        _fits_items(member, of) if is_sequence(member, LISTS) else _fits(member, item)
        for member in members(item_of(annotation))
        if member is not NONE
    )


def _as_text(item: ServerType | None) -> ServerType:
    """The type of an item that comes as text: no array, if nothing more is known of it."""
    if item is None:
        return ServerType("text", 0, TypeKind.TEXT, _TEXT, is_unknown=True)
    if item.kind is TypeKind.ROW:
        return item
    return ServerType(item.name, 0, TypeKind.TEXT, _TEXT, labels=item.labels)


def _range_class(of: ServerType) -> type:
    return Range if of.kind is TypeKind.RANGE else Multirange


def _fits_bounds(annotation: Any, of: ServerType) -> bool:
    assert of.item is not None
    bounds = get_args(annotation)
    return not bounds or any(_class_of(bound) in of.item.classes for bound in members(bounds[0]))


def _fits_scalar(annotation: Any, of: ServerType) -> bool:
    classes = of.classes + tuple(one for each in of.classes for one in _READ_AS_WELL.get(each, ()))
    meant, _ = unwrapped(annotation)
    if get_origin(meant) is Literal:
        values = get_args(meant)
        if of.labels is not None:
            return set(of.labels) <= set(values)
        return any(type(value) in of.classes for value in values)
    if is_class(meant, Enum):
        return _is_enum_of(meant, of)
    return _class_of(annotation) in classes


def _is_enum_of(cls: Any, of: ServerType) -> bool:
    values = [member.value for member in cast("type[Enum]", cls)]
    if of.labels is not None:
        return set(values) == set(of.labels)
    return all(type(value) in of.classes for value in values)


def _class_of(annotation: Any) -> Any:
    meant, rules = unwrapped(annotation)
    if meant is datetime and any(isinstance(rule, Naive) for rule in rules):
        return Naive
    return get_origin(meant) or meant


# Arguments


def sends(annotation: Any, to: ServerType, adapters: AdaptersMap) -> bool:
    """Return whether every value of the annotation, as it is sent, is of the type, NULL aside."""
    sent = [each for each in members(annotation) if unwrapped(each)[0] not in (NONE, Unset)]
    return all(_sends(member, to, adapters) for member in sent)


def _sends(annotation: Any, to: ServerType, adapters: AdaptersMap) -> bool:
    meant, _ = unwrapped(annotation)
    if is_any(meant) and not is_json(annotation):
        return True
    if encodes_json(annotation):
        return to.kind is TypeKind.JSON
    if is_sequence(annotation):
        return to.kind is TypeKind.ARRAY and _sends_items(meant, to, adapters)
    if get_origin(meant) is Literal:
        values = get_args(meant)
        if to.labels is not None:
            return set(values) <= set(to.labels)
        return all(_sends(type(value), to, adapters) for value in values)
    if is_class(meant, Enum):
        if to.labels is not None:
            return _is_enum_of(meant, to)
        cls = cast("type[Enum]", meant)
        return all(_sends(type(member.value), to, adapters) for member in cls)
    return _sends_scalar(annotation, to, adapters)


def _sends_items(annotation: Any, to: ServerType, adapters: AdaptersMap) -> bool:
    # Items of `box` alone are kept apart by semicolons.
    if to.item is None or to.item.name == "box":
        return False
    return all(
        _sends_items(member, to, adapters)
        if is_sequence(member)
        else _sends(member, to.item, adapters) or (to.comes_as_text and unwrapped(member)[0] is str)
        for member in members(item_of(annotation))
        if member is not NONE
    )


def _sends_scalar(annotation: Any, to: ServerType, adapters: AdaptersMap) -> bool:
    kind = _class_of(annotation)
    if to.kind in (TypeKind.RANGE, TypeKind.MULTIRANGE):
        if kind is not _range_class(to):
            return _has_dumper(kind, to, adapters)
        meant, _ = unwrapped(annotation)
        bounds = get_args(meant)
        return not bounds or (to.item is not None and sends(bounds[0], to.item, adapters))
    if to.comes_as_text and kind is str:
        return True
    classes = to.classes + tuple(one for each in to.classes for one in _SENT_AS_WELL.get(each, ()))
    return kind in classes or _has_dumper(kind, to, adapters)


def _has_dumper(kind: Any, to: ServerType, adapters: AdaptersMap) -> bool:
    """Return whether psycopg sends values of the class *kind* as this type."""
    if not isinstance(kind, type) or kind in _WRITTEN_HERE:
        return False
    try:
        return adapters.get_dumper(cast("type[Any]", kind), PyFormat.AUTO).oid == to.oid
    except psycopg.ProgrammingError:
        return False


# Classes that taskdb writes itself, so what psycopg would send them as is of no account.
_WRITTEN_HERE: Final = frozenset(
    {str, int, bool, float, Decimal, UUID, date, datetime, time, timedelta, bytes, Naive}
)


# Annotations


def is_json(annotation: Any) -> bool:
    """Return whether an annotation is marked as a JSON value: `Annotated[Any, Json()]`."""
    _, rules = unwrapped(annotation)
    return any(isinstance(rule, Json) for rule in rules)


def encodes_json(annotation: Any) -> bool:
    """Return whether values of the annotation are sent as JSON documents."""
    meant, _ = unwrapped(annotation)
    if is_json(annotation) or _is_object(meant):
        return True
    if not is_sequence(annotation):
        return False
    items = [member for member in members(item_of(meant)) if member is not NONE]
    return any(is_any(item) or is_json(item) or _is_object(unwrapped(item)[0]) for item in items)


def _is_object(meant: Any) -> bool:
    if (get_origin(meant) or meant) in OBJECTS or is_typed_dict(meant):
        return True
    return is_row_class(meant) and not _is_adapted(meant)


def _is_adapted(cls: type) -> bool:
    """Return whether psycopg has a dumper for a class; for tuples it has its own."""
    try:
        psycopg.adapters.get_dumper(cls, PyFormat.AUTO)
    except psycopg.ProgrammingError:
        return False
    return not issubclass(cls, tuple)


def is_sequence(annotation: Any, of: tuple[Any, ...] = _SENT_LISTS) -> bool:
    """Return whether an annotation is a list or the like."""
    meant, _ = unwrapped(annotation)
    return (get_origin(meant) or meant) in of


def item_of(annotation: Any) -> Any:
    """The annotation of a list's items; Any where it doesn't say."""
    meant, _ = unwrapped(annotation)
    return (get_args(meant) or (Any,))[0]
