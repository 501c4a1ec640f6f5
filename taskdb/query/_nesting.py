"""Rows in a column: a composite or a JSON object becomes a class of its own, arrays a list of them.

A composite's fields come as text and in order; what stands in them the annotations say, as the
server tells of a composite nothing but its name. An object's come by name. The function that makes
the instances is compiled once for each class, and what needs a connection (times, intervals, as
psycopg reads them) is bound to it once for each result, so no row looks at an annotation.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Callable, Mapping, Sequence
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
from typing import Any, Final, Literal, TypeAlias, cast, get_args, get_origin
from uuid import UUID

import psycopg
from psycopg.adapt import Transformer
from psycopg.pq import Format
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from taskdb.query._annotations import LISTS, NONE, is_any, is_class, members, spelled, unwrapped
from taskdb.query._conversions import MisreadError, read_whole, whole
from taskdb.query._literals import is_array, read_array, read_composite
from taskdb.query._rowclasses import (
    UnsupportedResultError,
    constructor_fields,
    holds_rows,
    is_row_class,
    row_class,
)
from taskdb.query._types import OBJECTS, ServerType, TypeKind, is_json, is_sequence, item_of
from taskdb.query.rules import Naive

__all__ = ["Leaves", "Nested", "refuse_unreadable_fields"]

Decode: TypeAlias = Callable[[Any], Any]
# Makes the function that decodes, for one result.
Prepare: TypeAlias = "Callable[[Leaves], Decode]"

_TYPES: Final = psycopg.adapters.types
_SHOWN: Final = 80
# By which type psycopg reads the text of a class, if not Python alone does.
_READ_AS: Final[dict[Any, str]] = {
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


class Leaves:
    """What psycopg reads of a text, for the connection of one result."""

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


# What is annotated


class Nested:
    """An annotation that means a class for rows, or a list of them."""

    def __init__(self, annotation: Any) -> None:
        self._annotation = next(each for each in members(annotation) if row_class(each))
        self._is_exact = _holds_decimals(self._annotation)

    def needs_text(self, of: ServerType) -> bool:
        """Tell whether JSON is read from its text, as psycopg would round its numbers."""
        return self._is_exact and of.kind is TypeKind.JSON

    def prepare(self, of: ServerType) -> Prepare:
        """Return what makes the decoding function for one result, from the type of its column."""
        if of.kind is TypeKind.REGISTERED:
            return _from_registered(self._annotation)
        if of.kind is not TypeKind.JSON:
            return _from_text(self._annotation)
        return _document(self._annotation) if self._is_exact else _from_json(self._annotation)


def refuse_unreadable_fields(annotation: Any, at: str, around: tuple[type, ...] = ()) -> None:
    """Refuse rows in rows of which a field says too little. *at* is the way that leads there.

    Raises UnsupportedResultError with the way, the rule and the remedy.
    """
    kinds = [each for each in members(annotation) if each is not NONE]
    if not around and not any(row_class(each) for each in kinds):
        return
    if len(kinds) != 1 and not _are_addresses(kinds):
        raise UnsupportedResultError(
            f"{at} may be one of several types ({spelled(annotation)}), and what is inside a "
            "column does not say which it is: annotate one"
        )
    kind = kinds[0]
    if is_sequence(kind, LISTS):
        if not get_args(unwrapped(kind)[0]):
            raise UnsupportedResultError(f"{at} does not say what is in the list: list[...]")
        if not is_any(item_of(kind)):
            refuse_unreadable_fields(item_of(kind), f"{at}[]", around or (NONE,))
        return
    meant, _ = unwrapped(kind)
    if not is_row_class(meant):
        if not is_json(kind) and not _is_leaf(kind):
            raise UnsupportedResultError(
                f"{at} is annotated {spelled(kind)}, which is not read from inside a column: "
                "annotate what it holds, or str"
            )
        return
    if meant in around:
        raise UnsupportedResultError(
            f"{at} holds {meant.__qualname__} in itself, and rows in rows are as deep as they are "
            "written: give the inner ones a class of their own"
        )
    for name, inner, _ in constructor_fields(meant):
        refuse_unreadable_fields(inner, f"{at}.{name}", (*around, meant))


def _are_addresses(kinds: Sequence[Any]) -> bool:
    return len({_READ_AS.get(unwrapped(each)[0], each) for each in kinds}) == 1


def _is_leaf(annotation: Any) -> bool:
    meant, _ = unwrapped(annotation)
    origin: Any = get_origin(meant) or meant
    if origin in (Range, Multirange):
        return _range_name(meant) is not None
    return (
        meant in (str, int, float, Decimal, bool, UUID)
        or meant in _READ_AS
        or origin is Literal
        or is_class(meant, Enum)
        or origin in OBJECTS
        or typing.is_typeddict(meant)
    )


def _holds_decimals(annotation: Any) -> bool:
    for kind in members(annotation):
        meant, _ = unwrapped(kind)
        if meant is Decimal:
            return True
        if is_sequence(kind, LISTS) and _holds_decimals(item_of(kind)):
            return True
        if is_row_class(meant) and any(_holds_decimals(a) for _, a, _ in constructor_fields(meant)):
            return True
    return False


def _alone(annotation: Any) -> tuple[Any, bool]:
    """The one annotation beside None, and whether None is there."""
    kinds = members(annotation)
    rest = [each for each in kinds if each is not NONE]
    return rest[0], len(rest) < len(kinds)


# From text: composites, arrays, and what stands in them


def _from_text(annotation: Any) -> Prepare:
    kind, _ = _alone(annotation)
    if is_json(kind):
        return _document(kind)
    meant, _ = unwrapped(kind)
    if is_sequence(kind, LISTS):
        return _list_of_text(kind)
    if is_row_class(meant):
        from_text = _Constructor(meant, _from_text).of_text
        from_document = _document(kind)
        return lambda leaves: _either(from_text(leaves), from_document(leaves), "(")
    if (get_origin(meant) or meant) in OBJECTS or typing.is_typeddict(meant):
        return _document(kind)
    return _text_leaf(kind)


def _either(read: Decode, read_document: Decode, sign: str) -> Decode:
    """Read a text that may be a JSON document: it does not begin with *sign*."""

    def decode(value: Any) -> Any:
        if type(value) is str and not value.startswith(sign):
            return read_document(value)
        return read(value)

    return decode


def _document(annotation: Any) -> Prepare:
    prepare = _from_json(annotation)
    parse_float = Decimal if _holds_decimals(annotation) else float

    def parse(text: str | bytes) -> Any:
        try:
            return json.loads(text, parse_float=parse_float)
        except ValueError:
            raise _other(text, annotation) from None

    return lambda leaves: _compose(prepare(leaves), parse)


def _compose(outer: Decode, inner: Decode) -> Decode:
    return lambda value: outer(inner(value))


def _list_of_text(annotation: Any) -> Prepare:
    items, _ = _alone(item_of(annotation)) if not is_any(item_of(annotation)) else (Any, True)
    prepare = _plain if is_any(items) else _from_text(items)
    prepare_document = _document(annotation)

    def bound(leaves: Leaves) -> Decode:
        read = _items(annotation, prepare(leaves))
        document = prepare_document(leaves)

        def decode(value: Any) -> Any:
            if type(value) is not str:
                return read(value)
            return read(read_array(value)) if is_array(value) else document(value)

        return decode

    return bound


def _plain(_: Leaves) -> Decode:
    return lambda value: value


def _items(annotation: Any, decode: Decode) -> Decode:
    """Return what decodes each item of a list, and refuses NULL where none may be."""
    items = members(item_of(annotation))
    nullable = NONE in items or any(map(is_any, items))
    unreadable = _unreadable(item_of(annotation))

    def read(values: Any) -> list[Any]:
        if type(values) is not list:
            raise _other(values, annotation)
        found: list[Any] = []
        for value in cast("list[Any]", values):
            if value is None:
                if not nullable:
                    raise MisreadError(
                        "NULL",
                        f"but the items of {spelled(annotation)} are not Optional",
                        "Annotate the items with | None, or leave NULL out",
                        f"[{len(found)}]",
                    )
                found.append(None)
                continue
            try:
                found.append(decode(value))
            except MisreadError as exc:
                raise exc.inside(f"[{len(found)}]") from None
            except unreadable as exc:
                raise _other(value, item_of(annotation), exc).inside(f"[{len(found)}]") from None
        return found

    return read


def _unreadable(annotation: Any) -> tuple[type[Exception], ...]:
    """What says that a value can't be read; of a row it is what its class's constructor says."""
    if holds_rows(annotation):
        return ()
    return (ValueError, TypeError, ArithmeticError, psycopg.Error)


def _other(value: Any, annotation: Any, cause: Exception | None = None) -> MisreadError:
    why = f": {cause}" if isinstance(cause, psycopg.Error) else ""
    return MisreadError(
        repr(value)[:_SHOWN],
        f"which is no {spelled(annotation)}{why}",
        "Annotate what it is, or let the statement return what is annotated",
    )


def _text_leaf(annotation: Any) -> Prepare:
    meant, rules = unwrapped(annotation)
    if get_origin(meant) is Literal:
        return _fixed(_member_of({_as_text(each): each for each in get_args(meant)}, annotation))
    if is_class(meant, Enum):
        found = {_as_text(each.value): each for each in cast("type[Enum]", meant)}
        return _fixed(_member_of(found, annotation))
    plain: dict[Any, Decode] = {
        str: str,
        int: read_whole,
        float: float,
        Decimal: Decimal,
        UUID: UUID,
        bool: _member_of({"t": True, "f": False}, annotation),
    }
    if meant in plain:
        return _fixed(plain[meant])
    if meant is datetime and any(isinstance(rule, Naive) for rule in rules):
        meant = Naive
    name = _range_name(meant) or _READ_AS[meant]
    if name in ("inet", "cidr"):
        return lambda leaves: _instance(leaves.reader(name), annotation)
    return lambda leaves: leaves.reader(name)


def _fixed(decode: Decode) -> Prepare:
    return lambda _: decode


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "t" if value else "f"
    return str(value)


def _member_of(values: Mapping[Any, Any], annotation: Any) -> Decode:
    def decode(value: Any) -> Any:
        try:
            return values[value]
        except KeyError:
            raise MisreadError(
                repr(value)[:_SHOWN],
                f"which {spelled(annotation)} does not have",
                "Add it there, or correct the data",
            ) from None

    return decode


def _instance(read: Decode, annotation: Any) -> Decode:
    """An address of the annotated kind alone."""
    kinds = tuple(unwrapped(each)[0] for each in members(annotation))

    def decode(text: Any) -> Any:
        value = read(text)
        if type(value) not in kinds:
            raise _other(text, annotation)
        return value

    return decode


def _range_name(meant: Any) -> str | None:
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


# From JSON, as psycopg or this module parsed it


def _from_json(annotation: Any) -> Prepare:
    if is_any(annotation):
        return _fixed(_without_decimals)
    kind, _ = _alone(annotation)
    meant, _ = unwrapped(kind)
    if is_json(kind):
        return _fixed(_without_decimals)
    if is_sequence(kind, LISTS):
        prepare = _from_json(item_of(kind))
        return lambda leaves: _items(kind, prepare(leaves))
    if is_row_class(meant):
        return _Constructor(meant, _from_json).of_object
    if (get_origin(meant) or meant) in OBJECTS or typing.is_typeddict(meant):
        return _fixed(_compose(_without_decimals, _of_kind((dict,), kind)))
    return _json_leaf(kind)


def _without_decimals(value: Any) -> Any:
    """A document that nothing is said of, as psycopg gives it: with floats."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [_without_decimals(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        return {key: _without_decimals(each) for key, each in pairs}
    return value


def _of_kind(kinds: tuple[type, ...], annotation: Any, convert: Decode | None = None) -> Decode:
    def decode(value: Any) -> Any:
        if type(value) not in kinds:
            raise _other(value, annotation)
        return value if convert is None else convert(value)

    return decode


# JSON has no NaN and no infinity, so PostgreSQL writes them as strings.
_NUMBERS: Final = (int, float, Decimal, str)


def _json_leaf(annotation: Any) -> Prepare:
    meant, rules = unwrapped(annotation)
    if get_origin(meant) is Literal:
        return _fixed(_member_of({each: each for each in get_args(meant)}, annotation))
    if is_class(meant, Enum):
        members_by_value = {each.value: each for each in cast("type[Enum]", meant)}
        return _fixed(_member_of(members_by_value, annotation))
    naive = any(isinstance(rule, Naive) for rule in rules)
    plain: dict[Any, Decode] = {
        str: _of_kind((str,), annotation),
        bool: _of_kind((bool,), annotation),
        int: _of_kind((int, float, Decimal), annotation, _integer),
        float: _of_kind(_NUMBERS, annotation, float),
        Decimal: _of_kind(_NUMBERS, annotation, _exact),
        UUID: _of_kind((str,), annotation, UUID),
        date: _of_kind((str,), annotation, date.fromisoformat),
        time: _of_kind((str,), annotation, time.fromisoformat),
        datetime: _of_kind((str,), annotation, _naive if naive else _aware),
    }
    if meant in plain:
        return _fixed(plain[meant])
    prepare = _text_leaf(annotation)
    return lambda leaves: _of_kind((str,), annotation, prepare(leaves))


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


# Composites that psycopg was told of: their fields are values already


def _from_registered(annotation: Any) -> Prepare:
    kind, _ = _alone(annotation)
    meant, _ = unwrapped(kind)
    if is_sequence(kind, LISTS):
        prepare = _from_registered(item_of(kind))
        return lambda leaves: _items(kind, prepare(leaves))
    if is_row_class(meant):
        make = _Constructor(meant, _of_registered_field).of_text
        return lambda leaves: _unless(meant, make(leaves))
    return _plain


def _unless(cls: type, make: Decode) -> Decode:
    return lambda value: value if isinstance(value, cls) else make(value)


def _of_registered_field(annotation: Any) -> Prepare:
    """A field's value as psycopg made it; a composite that it was not told of is a text."""
    kind, _ = _alone(annotation)
    meant, _ = unwrapped(kind)
    if is_class(meant, Enum):
        every = list(cast("type[Enum]", meant))
        return _fixed(_member_of({**{e.value: e for e in every}, **{e: e for e in every}}, kind))
    if meant is int:
        return _fixed(lambda found: whole(found) if type(found) is Decimal else found)
    if not holds_rows(annotation):
        return _plain
    from_text, registered = _from_text(annotation), _from_registered(annotation)

    def bound(leaves: Leaves) -> Decode:
        text, value = from_text(leaves), registered(leaves)
        return lambda found: text(found) if type(found) is str else value(found)

    return bound


# Instances


class _Constructor:
    """Makes the functions that make instances of *cls*, whose fields *prepare* decodes."""

    def __init__(self, cls: type, prepare: Callable[[Any], Prepare]) -> None:
        self.cls = cls
        self.fields = constructor_fields(cls)
        self.prepared = [prepare(annotation) for _, annotation, _ in self.fields]
        self.nullable = [NONE in members(annotation) for _, annotation, _ in self.fields]

    def of_text(self, leaves: Leaves) -> Decode:
        """Return what makes an instance of a composite: its text, or a tuple of its fields."""
        return self._compiled(leaves, "split(value)", {"split": self._split})

    def of_object(self, leaves: Leaves) -> Decode:
        """Return what makes an instance of a JSON object."""
        keys = ", ".join(f"value[{key!r}]" for key in self._keys())
        return self._compiled(leaves, f"({keys},) if len(value) == {len(self.fields)} else lack()")

    def _keys(self) -> list[str]:
        return [name for name, _, _ in self.fields]

    def _split(self, value: Any) -> Sequence[Any]:
        if isinstance(value, tuple):
            # psycopg reads a composite of a single NULL as one of nothing.
            found: Sequence[Any] = cast("tuple[Any, ...]", value) or (None,)
        else:
            found = read_composite(value)
        return found

    def _compiled(self, leaves: Leaves, source: str, names: Mapping[str, Any] = {}) -> Decode:
        decoders = [prepare(leaves) for prepare in self.prepared]
        known: dict[str, Any] = {**names, "make": self.cls, "explain": self._explain, "lack": _lack}
        arguments: list[str] = []
        for number, (name, _, keyword) in enumerate(self.fields):
            value = f"v{number}"
            if decoders[number] is not str:
                known[f"decode{number}"] = decoders[number]
                value = f"decode{number}(v{number})"
                if self.nullable[number]:
                    value = f"None if v{number} is None else {value}"
            arguments.append(f"{name}={value}" if keyword else value)
        checks = [f"v{n} is None" for n, nullable in enumerate(self.nullable) if not nullable]
        lines = [
            "def decode(value):",
            "    try:",
            f"        {''.join(f'v{n}, ' for n in range(len(self.fields)))}= {source}",
            f"        if {' or '.join(checks) or 'False'}:",
            "            lack()",
            f"        return make({', '.join(arguments)})",
            "    except Exception as exc:",
            "        explain(value, exc, decoders)",
            "        raise",
        ]
        known["decoders"] = decoders
        exec(compile("\n".join(lines), f"<rows in rows: {self.cls.__qualname__}>", "exec"), known)
        decode: Decode = known["decode"]
        return decode

    def _explain(self, value: Any, exc: Exception, decoders: Sequence[Decode]) -> None:
        """Raise what is wrong with a value that no instance could be made of.

        Where every field is right, it is the class's own constructor that refuses it.
        """
        for (name, annotation, _), decode, nullable, field in zip(
            self.fields, decoders, self.nullable, self._values(value), strict=True
        ):
            if field is None:
                if not nullable:
                    raise MisreadError(
                        "NULL",
                        f"but {self.cls.__qualname__}.{name} is not Optional",
                        "Annotate it with | None, or let the statement return no NULL",
                        f".{name}",
                    )
                continue
            try:
                decode(field)
            except MisreadError as misread:
                raise misread.inside(f".{name}") from None
            except _unreadable(annotation) as cause:
                raise _other(field, annotation, cause).inside(f".{name}") from exc

    def _values(self, value: Any) -> Sequence[Any]:
        if isinstance(value, dict):
            found = cast("dict[str, Any]", value)
            if found.keys() != set(self._keys()):
                raise self._misfit(f"the keys {', '.join(found)}")
            return [found[key] for key in self._keys()]
        if not isinstance(value, str | tuple):
            raise _other(value, self.cls)
        try:
            fields = self._split(value)
        except ValueError:
            raise _other(value, self.cls) from None
        if len(fields) != len(self.fields):
            raise self._misfit(f"{len(fields)} fields")
        return fields

    def _misfit(self, found: str) -> MisreadError:
        wanted = ", ".join(self._keys())
        return MisreadError(
            f"a row with {found}",
            f"which does not fit {self.cls.__qualname__} ({wanted})",
            "Let the statement and the class have the same fields, in the same order",
        )


def _lack() -> Sequence[Any]:
    raise ValueError
