"""Documents of a declared shape, sent as JSON: TypedDicts, and classes for rows.

What is inside is checked by the annotations as an argument is, and written as it is read again:
a time as ISO 8601, a `Decimal` as a number with all its places.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
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

import orjson

from taskdb.query._annotations import (
    LISTS,
    NONE,
    OBJECTS,
    Rule,
    is_any,
    is_class,
    members,
    type_name,
    unwrapped,
)
from taskdb.query._checked import each_of, inside
from taskdb.query._encoding import (
    Encoder,
    RefusedError,
    UnsupportedError,
    accepting,
    apply,
    check_json,
    encoder,
    kind_of,
)
from taskdb.query._rowclasses import (
    UnsupportedResultError,
    column_name,
    constructor_fields,
    is_document_class,
    is_row_class,
    optional_keys,
)
from taskdb.query._types import is_json, is_sequence, item_of
from taskdb.query.rules import Naive

__all__ = ["document", "ruled"]


def document(annotation: Any, around: tuple[Any, ...] = ()) -> Encoder:
    """Return what checks a value and makes of it what orjson writes. It raises RefusedError.

    *around* are the classes that it stands in. Raises UnsupportedError for an annotation that
    does not say enough, or of which JSON has no form.
    """
    if is_any(annotation):
        return _free
    kinds = [each for each in members(annotation) if each is not NONE]
    writers = [_written(each, around) for each in kinds]
    write = writers[0] if len(writers) == 1 else _first_of(writers)
    if len(kinds) == len(members(annotation)):
        return _refusing_none(write)
    return lambda value: None if value is None else write(value)


def _refusing_none(write: Encoder) -> Encoder:
    def written(value: Any) -> Any:
        if value is None:
            raise RefusedError("must not be None")
        return write(value)

    return written


def _first_of(writers: Sequence[Encoder]) -> Encoder:
    def written(value: Any) -> Any:
        rules: list[str] = []
        for write in writers:
            try:
                return write(value)
            except RefusedError as refused:
                rules.append(f"{refused.at.removeprefix('.')} {refused.rule}".lstrip())
        raise RefusedError(", or ".join(dict.fromkeys(rules)))

    return written


def _written(annotation: Any, around: tuple[Any, ...]) -> Encoder:
    meant, rules = unwrapped(annotation)
    if is_document_class(meant):
        if meant in around:
            raise UnsupportedError(f"a {meant.__qualname__} that holds itself")
        write = _object(meant, (*around, meant))
    elif is_any(meant) or is_json(annotation):
        write = _free
    elif is_sequence(annotation):
        write = _list(document(item_of(annotation), around))
    elif (get_origin(meant) or meant) in OBJECTS:
        write = _mapping(document((get_args(meant) or (Any,))[-1], around))
    else:
        return _leaf(meant, rules)
    return ruled(write, rules)


def ruled(write: Encoder, rules: tuple[Rule, ...]) -> Encoder:
    """Return *write*, with the value held to *rules* as well."""

    def written(value: Any) -> Any:
        found = write(value)
        apply(rules, value)
        return found

    return written if rules else write


def _free(value: Any) -> Any:
    check_json(value, 0)
    return value


# Objects and lists


def _object(cls: type, around: tuple[Any, ...]) -> Encoder:
    try:
        declared, optional = constructor_fields(cls), optional_keys(cls)
    except UnsupportedResultError as exc:
        raise UnsupportedError(str(exc)) from None
    fields = [
        (name, column_name(name), document(annotation, around)) for name, annotation, _ in declared
    ]
    if not is_row_class(cls):
        return _typed_dict(cls, {key: write for key, _, write in fields}, optional)
    attributes = {each.alias: each.name for each in getattr(cls, "__attrs_attrs__", ())}

    def written(value: Any) -> Any:
        if not isinstance(value, cls):
            raise RefusedError(f"must be of class {cls.__qualname__}, not {kind_of(value)}")
        return {
            key: inside(f".{name}", write, getattr(value, attributes.get(name, name)))
            for name, key, write in fields
        }

    return written


def _typed_dict(cls: type, writers: Mapping[str, Encoder], optional: frozenset[str]) -> Encoder:
    def written(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise RefusedError(f"must be a dict, not {kind_of(value)}")
        found = cast("Mapping[Any, Any]", value)
        if lacking := [key for key in writers if key not in found and key not in optional]:
            raise RefusedError(f"must have the key {lacking[0]} of {cls.__qualname__}")
        if strange := [key for key in found if key not in writers]:
            raise RefusedError(f"must not have the key {strange[0]!r}: {cls.__qualname__} has none")
        return {key: inside(f".{key}", writers[key], each) for key, each in found.items()}

    return written


def _list(write: Encoder) -> Encoder:
    def written(value: Any) -> Any:
        if isinstance(value, str | bytes | bytearray | Mapping) or not isinstance(value, LISTS):
            raise RefusedError(f"must be a list, not {kind_of(value)}")
        items = cast("Iterable[Any]", value)
        return each_of(write, items)

    return written


def _mapping(write: Encoder) -> Encoder:
    def written(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise RefusedError(f"must be a dict, not {kind_of(value)}")
        found = cast("Mapping[Any, Any]", value)
        check_json(dict.fromkeys(found), 0)
        return {key: inside(f".{key}", write, each) for key, each in found.items()}

    return written


# Leaves


def _leaf(meant: Any, rules: tuple[Rule, ...]) -> Encoder:
    if get_origin(meant) is Literal:
        return _one_of(get_args(meant), object)
    if is_class(meant, Enum):
        return _one_of([each.value for each in cast("type[Enum]", meant)], meant)
    if meant not in _FORMS and meant not in _PLAIN:
        raise UnsupportedError(f"a document with a {type_name(meant)}, of which JSON has no form")
    checked = accepting(meant) or encoder(meant)
    if any(isinstance(rule, Naive) for rule in rules):
        checked = encoder(meant, rules)
        return checked
    form = _FORMS.get(meant)

    def written(value: Any) -> Any:
        accepted = checked(value)
        apply(rules, accepted)
        return accepted if form is None else form(accepted)

    return written


def _one_of(values: Sequence[Any], kind: type) -> Encoder:
    """Return what takes one of *values*, or a member of the enumeration *kind*, for the value."""
    found = {(kind_of(each), each): each for each in values}

    def written(value: Any) -> Any:
        plain = value.value if isinstance(value, Enum) and isinstance(value, kind) else value
        try:
            return found[kind_of(plain), plain]
        except (KeyError, TypeError):
            raise RefusedError(f"must be one of {', '.join(map(str, values))}") from None

    return written


def _number(value: float) -> float:
    if not math.isfinite(value):
        raise RefusedError(f"must not be {value}, which JSON has no form for")
    return value


def _exact(value: Decimal) -> orjson.Fragment:
    if not value.is_finite():
        raise RefusedError(f"must not be {value}, which JSON has no form for")
    return orjson.Fragment(str(value))


def _interval(value: timedelta) -> str:
    # As PostgreSQL writes it, and psycopg reads it.
    hours, seconds = divmod(value.seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    return f"{value.days} days {hours:02}:{minutes:02}:{seconds:02}.{value.microseconds:06}"


_PLAIN: Final = frozenset({str, int, bool})
_FORMS: Final[dict[Any, Callable[[Any], Any]]] = {
    float: _number,
    Decimal: _exact,
    UUID: str,
    datetime: datetime.isoformat,
    date: date.isoformat,
    time: time.isoformat,
    timedelta: _interval,
    bytes: lambda value: f"\\x{value.hex()}",
    **dict.fromkeys(
        (IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network), str
    ),
}
