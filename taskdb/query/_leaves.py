"""Single values inside a column: from a composite's text, and from JSON, by their annotations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from typing import Any, Final, Literal, TypeAlias, Union, cast, get_args, get_origin
from uuid import UUID

import psycopg
from psycopg.adapt import Transformer
from psycopg.pq import Format
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from taskdb.query._annotations import (
    OBJECTS,
    is_class,
    is_typed_dict,
    type_name,
    unwrapped,
)
from taskdb.query._conversions import Members, MisreadError, read_whole, whole
from taskdb.query.rules import Naive

__all__ = [
    "READ_AS",
    "SHOWN",
    "Decode",
    "Leaves",
    "Prepare",
    "compose",
    "fixed",
    "is_leaf",
    "json_leaf",
    "member_of",
    "of_kind",
    "other",
    "text_leaf",
    "without_decimals",
]

Decode: TypeAlias = Callable[[Any], Any]
# Makes the function that decodes, for one result.
Prepare: TypeAlias = "Callable[[Leaves], Decode]"
_TYPES: Final = psycopg.adapters.types
SHOWN: Final = 80
# By which type psycopg reads the text of a class, if not Python alone does.
READ_AS: Final[dict[Any, str]] = {
    date: "date",
    time: "time",
    datetime: "timestamptz",
    Naive: "timestamp",
    timedelta: "interval",
    bytes: "bytea",
    **dict.fromkeys((IPv4Address, IPv6Address, IPv4Interface, IPv6Interface), "inet"),
    **dict.fromkeys((IPv4Network, IPv6Network), "cidr"),
}
_RANGES: Final[dict[Any, str]] = {
    int: "int8",
    Decimal: "num",
    date: "date",
    datetime: "tstz",
    Naive: "ts",
}
# JSON has no NaN and no infinity, so PostgreSQL writes them as strings.
_NUMBERS: Final = (int, float, Decimal, str)


class Leaves:
    """Loaders of a text's values, for the connection of one result."""

    def __init__(self, cursor: psycopg.Cursor[Any] | psycopg.AsyncCursor[Any]) -> None:
        self._result = cursor.pgresult
        self._transformer = Transformer.from_context(cursor)

    def reader(self, type_name: str) -> Decode:
        """Return what reads the text of a type that psycopg knows."""
        info = _TYPES[type_name]
        load = self._transformer.get_loader(info.oid, Format.TEXT).load
        return lambda text: load(text.encode())

    def raw(self, row: int, column: int) -> bytes:
        """Return a value of the result as the server sent it, for numbers that JSON rounds."""
        assert self._result is not None
        return self._result.get_value(row, column) or b""


def is_leaf(annotation: Any) -> bool:
    meant, _ = unwrapped(annotation)
    origin: Any = get_origin(meant) or meant
    if origin in (Range, Multirange):
        return range_name(meant) is not None
    return (
        meant in (str, int, float, Decimal, bool, UUID)
        or meant in READ_AS
        or origin is Literal
        or is_class(meant, Enum)
        or origin in OBJECTS
        or is_typed_dict(meant)
    )


def other(value: Any, annotation: Any, cause: Exception | None = None) -> MisreadError:
    why = f": {cause}" if isinstance(cause, psycopg.Error) else ""
    return MisreadError(
        repr(value)[:SHOWN],
        f"which is no {type_name(annotation)}{why}",
        "Annotate what it is, or let the statement return what is annotated",
    )


def fixed(decode: Decode) -> Prepare:
    return lambda _: decode


def compose(outer: Decode, inner: Decode) -> Decode:
    return lambda value: outer(inner(value))


def text_leaf(annotation: Any, *others: Any) -> Prepare:
    """Return what reads the text of a value; *others* are further kinds of addresses."""
    meant, rules = unwrapped(annotation)
    if get_origin(meant) is Literal:
        return fixed(member_of({_as_text(each): each for each in get_args(meant)}, annotation))
    if is_class(meant, Enum):
        found = {_as_text(each.value): each for each in cast("type[Enum]", meant)}
        return fixed(member_of(found, annotation))
    plain: dict[Any, Decode] = {
        str: str,
        int: read_whole,
        float: float,
        Decimal: Decimal,
        UUID: UUID,
        bool: member_of({"t": True, "f": False}, annotation),
    }
    if meant in plain:
        return fixed(plain[meant])
    if meant is datetime and any(isinstance(rule, Naive) for rule in rules):
        meant = Naive
    name = range_name(meant) or READ_AS[meant]
    if name in ("inet", "cidr"):
        return lambda leaves: _instance(leaves.reader(name), (annotation, *others))
    return lambda leaves: leaves.reader(name)


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "t" if value else "f"
    return str(value)


def member_of(values: Mapping[Any, Any], annotation: Any) -> Decode:
    return Members(annotation, values).__getitem__


def _instance(read: Decode, annotations: tuple[Any, ...]) -> Decode:
    """An address of the annotated kinds alone."""
    kinds = tuple(unwrapped(each)[0] for each in annotations)

    def decode(text: Any) -> Any:
        value = read(text)
        if type(value) not in kinds:
            raise other(text, Union[annotations])  # noqa: UP007
        return value

    return decode


def range_name(meant: Any) -> str | None:
    """The type by which psycopg reads a range of this annotation."""
    origin, bounds = get_origin(meant), get_args(meant)
    if origin not in (Range, Multirange) or not bounds:
        return None
    bound, rules = unwrapped(bounds[0])
    if bound is datetime and any(isinstance(rule, Naive) for rule in rules):
        bound = Naive
    if bound not in _RANGES:
        return None
    return f"{_RANGES[bound]}{'range' if origin is Range else 'multirange'}"


def json_leaf(annotation: Any, *others: Any) -> Prepare:
    """Return what reads a value of JSON; *others* are further kinds of addresses."""
    meant, rules = unwrapped(annotation)
    if get_origin(meant) is Literal:
        return fixed(member_of({each: each for each in get_args(meant)}, annotation))
    if is_class(meant, Enum):
        members_by_value = {each.value: each for each in cast("type[Enum]", meant)}
        return fixed(member_of(members_by_value, annotation))
    naive = any(isinstance(rule, Naive) for rule in rules)
    plain: dict[Any, Decode] = {
        str: of_kind((str,), annotation),
        bool: of_kind((bool,), annotation),
        int: of_kind((int, float, Decimal), annotation, _integer),
        float: of_kind(_NUMBERS, annotation, float),
        Decimal: of_kind(_NUMBERS, annotation, _exact),
        UUID: of_kind((str,), annotation, UUID),
        date: of_kind((str,), annotation, date.fromisoformat),
        time: of_kind((str,), annotation, time.fromisoformat),
        datetime: of_kind((str,), annotation, _naive if naive else _aware),
    }
    if meant in plain:
        return fixed(plain[meant])
    prepare = text_leaf(annotation, *others)
    return lambda leaves: of_kind((str,), annotation, prepare(leaves))


def of_kind(kinds: tuple[type, ...], annotation: Any, convert: Decode | None = None) -> Decode:
    def decode(value: Any) -> Any:
        if type(value) not in kinds:
            raise other(value, annotation)
        return value if convert is None else convert(value)

    return decode


def without_decimals(value: Any) -> Any:
    """A document without a promised form, as psycopg gives it: with floats."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [without_decimals(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        return {key: without_decimals(each) for key, each in pairs}
    return value


def _integer(value: float | Decimal) -> int:
    return value if isinstance(value, int) else whole(Decimal(value))


def _exact(value: Any) -> Decimal:
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def _aware(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError("it has no time zone")
    return value


def _naive(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    if value.tzinfo is not None:
        raise ValueError("it has a time zone")
    return value
