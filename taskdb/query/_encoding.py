"""Encoding of Python values by annotation: checked, then written as PostgreSQL reads them.

Every value is sent as text without saying its type, as a quoted literal in psql has none: the
server infers it from the statement. So a statement means the same in psql, to `taskdb check`
and here, and has one prepared form whatever the values. Only bytes, and the classes that
psycopg alone knows (addresses, ranges), go through psycopg's own adaptation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Literal, TypeAlias, cast, get_args, get_origin
from uuid import UUID

import orjson
import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from taskdb.query._annotations import NONE, Rule, is_any, is_class, members, type_name, unwrapped
from taskdb.query._rowclasses import holds_rows
from taskdb.query._types import encodes_json, is_sequence
from taskdb.query.rules import Json, Naive, Size, Unset

__all__ = [
    "Encoder",
    "RefusedError",
    "UnsupportedError",
    "accept_items",
    "accepting",
    "apply",
    "check_json",
    "dump_json",
    "encoder",
    "kind_of",
]

INT8_MIN: Final = -(2**63)
INT8_MAX: Final = 2**63 - 1
# The largest integer that orjson reads back as one; beyond, it makes a float of it.
UINT8_MAX: Final = 2**64 - 1
# orjson goes 254 levels deep, and a document this deep is a mistake.
JSON_DEPTH: Final = 200

Encoder: TypeAlias = Callable[[Any], Any]


class RefusedError(Exception):
    """A value breaks *rule*; *at* leads to it inside a list or document: `[2].name`."""

    def __init__(self, rule: str, at: str = "") -> None:
        super().__init__(rule)
        self.rule = rule
        self.at = at


class UnsupportedError(Exception):
    """An annotation that does not say what is sent."""


def encoder(annotation: Any, rules: tuple[Rule, ...] = ()) -> Encoder:
    """Return the function that checks a value against *annotation* and *rules* and encodes it.

    It raises RefusedError; None and UNSET are the caller's to handle. Raises UnsupportedError
    for an annotation that does not say enough.
    """
    annotation, rules = unwrapped(annotation, rules)
    if encodes_json(annotation) and holds_rows(annotation):
        # Few queries need it.
        from taskdb.query._documents import document, ruled

        sizes = tuple(rule for rule in rules if isinstance(rule, Size))
        others = tuple(rule for rule in rules if not isinstance(rule, Size))
        return _composed(ruled(document(annotation), others), sizes, dump_json)
    if any(isinstance(rule, Json) for rule in rules):
        return _composed(_accept_json, rules, dump_json)
    kinds = [member for member in members(annotation) if member not in (NONE, Unset)]
    if not kinds:
        raise UnsupportedError("only None: there is no value to send")
    if len(kinds) > 1:
        return _any_of([encoder(kind, rules) for kind in kinds])
    if kinds[0] is not annotation:
        return encoder(kinds[0], rules)
    return _single(annotation, rules)


def _single(annotation: Any, rules: tuple[Rule, ...]) -> Encoder:
    origin: Any = get_origin(annotation) or annotation
    if origin is Literal:
        return _literal(get_args(annotation), rules)
    if is_sequence(annotation):
        return _sequence(annotation, rules)
    if encodes_json(annotation):
        return _composed(_accept_object, rules, dump_json)
    if not isinstance(origin, type) or is_any(origin):
        raise UnsupportedError(f"annotated {type_name(annotation)}, which says nothing to check")
    if is_class(origin, Enum):
        return _enum(cast("type[Enum]", origin), rules)
    if origin is datetime and any(isinstance(rule, Naive) for rule in rules):
        return _composed(_instance(datetime), rules, datetime.isoformat)
    if origin in (Range, Multirange):
        return _range(annotation, rules)
    if origin in _SCALARS:
        accept, dump = _SCALARS[origin]
        return _composed(accept, rules, dump)
    return _foreign(cast("type[Any]", origin), rules)


def _composed(accept: Encoder, rules: tuple[Rule, ...], dump: Encoder | None) -> Encoder:
    if sizes := [rule for rule in rules if isinstance(rule, Size)]:
        inner = _composed(accept, tuple(rule for rule in rules if rule not in sizes), dump)
        return _bounded(inner, sizes)
    if not rules and dump is None:
        return accept
    if not rules and dump is not None:
        return lambda value: dump(accept(value))

    def encode(value: Any) -> Any:
        value = accept(value)
        apply(rules, value)
        return value if dump is None else dump(value)

    return encode


def _bounded(inner: Encoder, sizes: Sequence[Size]) -> Encoder:
    """Return the encoder whose result, as it is sent, has at most so many bytes."""

    def encode(value: Any) -> Any:
        encoded = inner(value)
        apply(sizes, encoded)
        return encoded

    return encode


def apply(rules: Iterable[Rule], value: Any) -> None:
    for rule in rules:
        broken = rule.check(value)
        if broken:
            raise RefusedError(broken)


def _any_of(encoders: Sequence[Encoder]) -> Encoder:
    def encode(value: Any) -> Any:
        rules: list[str] = []
        for each in encoders:
            try:
                return each(value)
            except RefusedError as refused:
                rules.append(refused.rule)
        raise RefusedError(", or ".join(dict.fromkeys(rules)))

    return encode


def kind_of(value: Any) -> str:
    return type(value).__name__


def _accept_str(value: Any) -> str:
    if not isinstance(value, str):
        raise RefusedError(f"must be a str, not {kind_of(value)}")
    if "\0" in value:
        raise RefusedError("must not contain the NUL character")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise RefusedError("must not contain half a surrogate pair") from None
    return value if type(value) is str else str.__str__(value)


def _accept_int(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise RefusedError(f"must be an int, not {kind_of(value)}")
    if not INT8_MIN <= value <= INT8_MAX:
        raise RefusedError(f"must be between {INT8_MIN} and {INT8_MAX}")
    return value


def _accept_float(value: Any) -> float:
    if not isinstance(value, float | int) or isinstance(value, bool):
        raise RefusedError(f"must be a float, not {kind_of(value)}")
    try:
        return float(value)
    except OverflowError:
        raise RefusedError("must fit into eight bytes") from None


def _accept_decimal(value: Any) -> Decimal:
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if not isinstance(value, Decimal):
        raise RefusedError(f"must be a Decimal, not {kind_of(value)}")
    if value.is_snan():
        raise RefusedError("must not be a signalling NaN")
    return value


def _accept_uuid(value: Any) -> UUID:
    if isinstance(value, UUID):
        return value
    if not isinstance(value, str):
        raise RefusedError(f"must be a UUID, not {kind_of(value)}")
    try:
        return UUID(value)
    except ValueError:
        raise RefusedError("must be a UUID: 32 hexadecimal digits, hyphens optional") from None


def _accept_datetime(value: Any) -> datetime:
    if not isinstance(value, datetime):
        raise RefusedError(f"must be a datetime, not {kind_of(value)}")
    if value.tzinfo is UTC:
        return value
    if value.utcoffset() is None:
        raise RefusedError("must have a time zone")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise RefusedError("must lie in the years 1 to 9999 of UTC") from None


def _accept_date(value: Any) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise RefusedError(f"must be a date, not {kind_of(value)}")
    return value


def _accept_time(value: Any) -> time:
    if not isinstance(value, time):
        raise RefusedError(f"must be a time, not {kind_of(value)}")
    if value.tzinfo is not None:
        # A column of type time would drop it without a word.
        raise RefusedError("must have no time zone")
    return value


def _accept_bytes(value: Any) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise RefusedError(f"must be bytes, not {kind_of(value)}")
    return bytes(cast("bytes", value))


def _instance(cls: type[Any]) -> Encoder:
    article = "an" if cls.__name__[0] in "AEIOUaeiou" else "a"

    def accept(value: Any) -> Any:
        if not isinstance(value, cls):
            raise RefusedError(f"must be {article} {cls.__name__}, not {kind_of(value)}")
        return value

    return accept


def _dump_bool(value: bool) -> str:
    return "true" if value else "false"


def _dump_timedelta(value: timedelta) -> str:
    # ISO 8601, each field with its sign: no setting of the session reads it otherwise.
    return f"P{value.days}DT{value.seconds}.{value.microseconds:06d}S"


_SCALARS: Final[dict[Any, tuple[Encoder, Encoder | None]]] = {
    str: (_accept_str, None),
    int: (_accept_int, int.__repr__),
    bool: (_instance(bool), _dump_bool),
    float: (_accept_float, float.__repr__),
    Decimal: (_accept_decimal, str),
    UUID: (_accept_uuid, str),
    datetime: (_accept_datetime, datetime.isoformat),
    date: (_accept_date, date.isoformat),
    time: (_accept_time, time.isoformat),
    timedelta: (_instance(timedelta), _dump_timedelta),
    bytes: (_accept_bytes, None),
}


def accepting(cls: Any) -> Encoder | None:
    """Return what checks a value of a class that has one form as text, and converts it to it."""
    found = _SCALARS.get(cls)
    return found and found[0]


def _range(annotation: Any, rules: tuple[Rule, ...]) -> Encoder:
    """Check a range's bounds, and leave the rest of it to psycopg."""
    cls: type[Any] = get_origin(annotation) or annotation
    arguments = get_args(annotation)
    check_bound = encoder(arguments[0]) if arguments else None
    accept_class = _instance(cls)

    def accept(value: Any) -> Any:
        accept_class(value)
        ranges: list[Any] = list(value) if cls is Multirange else [value]
        for name in ("lower", "upper"):
            for bound in (getattr(each, name) for each in ranges):
                if bound is not None and check_bound is not None:
                    try:
                        check_bound(bound)
                    except RefusedError as refused:
                        raise RefusedError(refused.rule, f".{name}{refused.at}") from None
        return value

    return _composed(accept, rules, None)


def _foreign(cls: type[Any], rules: tuple[Rule, ...]) -> Encoder:
    """Leave a class to psycopg, if psycopg knows it."""
    try:
        psycopg.adapters.get_dumper(cls, PyFormat.AUTO)
    except psycopg.ProgrammingError:
        raise UnsupportedError(
            f"annotated {type_name(cls)}, which PostgreSQL has no type for"
        ) from None
    return _composed(_instance(cls), rules, None)


def _enum(cls: type[Enum], rules: tuple[Rule, ...]) -> Encoder:
    by_value: dict[Any, Enum] = {(kind_of(each.value), each.value): each for each in cls}

    def accept(value: Any) -> Enum:
        if isinstance(value, cls):
            return value
        try:
            return by_value[kind_of(value), value]
        except (KeyError, TypeError):
            labels = ", ".join(str(member.value) for member in cls)
            raise RefusedError(f"must be one of {labels}") from None

    return _composed(accept, rules, lambda member: str(member.value))


def _literal(values: Sequence[Any], rules: tuple[Rule, ...]) -> Encoder:
    encoders = {(kind_of(value), value): encoder(type(value)) for value in values}

    def encode(value: Any) -> Any:
        try:
            inner = encoders[kind_of(value), value]
        except (KeyError, TypeError):
            raise RefusedError(f"must be one of {', '.join(map(repr, values))}") from None
        return inner(value)

    return _composed(encode, rules, None)


# Lists


def _sequence(annotation: Any, rules: tuple[Rule, ...]) -> Encoder:
    """Return the encoder of `list[T]`: an array, or a JSON document where T is any JSON value."""
    arguments = get_args(annotation) or (Any,)
    if get_origin(annotation) is tuple:
        if arguments[1:] != (Ellipsis,):
            raise UnsupportedError(f"annotated {type_name(annotation)}: items of one type are sent")
        arguments = arguments[:1]
    if encodes_json(annotation):
        return _composed(_accept_array, rules, dump_json)
    kinds = [member for member in members(arguments[0]) if member is not NONE]
    for kind in kinds:
        _check_item(kind)
    nested = any(is_sequence(kind) for kind in kinds)
    return _array(encoder(arguments[0]), rules, len(kinds) < len(members(arguments[0])), nested)


def _array(encode_item: Encoder, rules: tuple[Rule, ...], nullable: bool, nested: bool) -> Encoder:
    def encode(value: Any) -> str:
        items = accept_items(value)
        apply(rules, items)
        texts: list[str] = []
        for index, item in enumerate(items):
            if item is None and nullable:
                texts.append("NULL")
                continue
            try:
                text = encode_item(item)
            except RefusedError as refused:
                raise RefusedError(refused.rule, f"[{index}]{refused.at}") from None
            texts.append(text if nested else _quoted(text))
        return f"{{{','.join(texts)}}}"

    return encode


def _check_item(annotation: Any) -> None:
    meant, _ = unwrapped(annotation)
    if not (
        meant in _SCALARS
        or is_class(meant, Enum)
        or get_origin(meant) is Literal
        or (get_origin(meant) or meant) in (Range, Multirange)
        or getattr(meant, "__module__", "") == "ipaddress"
        or is_sequence(meant)
    ):
        raise UnsupportedError(
            f"a list of {type_name(meant)}, which taskdb cannot write as an array"
        )


def accept_items(value: Any) -> list[Any]:
    """Return the items of what holds some in an order: a text holds letters, a mapping names."""
    if isinstance(value, str | bytes | bytearray | memoryview | Mapping):
        raise RefusedError(f"must be a list, not {kind_of(value)}")
    try:
        return list(value)
    except TypeError:
        raise RefusedError(f"must be a list, not {kind_of(value)}") from None


def _quoted(item: Any) -> str:
    if isinstance(item, bytes):
        return f'"\\\\x{item.hex()}"'
    if not isinstance(item, str):
        item = bytes(Transformer().get_dumper(item, PyFormat.TEXT).dump(item) or b"").decode()
    escaped = item.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


# JSON


def _accept_object(value: Any) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        raise RefusedError(f"must be a dict, not {kind_of(value)}")
    document = dict(cast("Mapping[Any, Any]", value))
    check_json(document, 0)
    return document


def _accept_array(value: Any) -> list[Any]:
    items = accept_items(value)
    check_json(items, 0)
    return items


def _accept_json(value: Any) -> Any:
    check_json(value, 0)
    return value


def check_json(value: Any, depth: int) -> None:
    """Refuse what jsonb cannot hold, and what an encoder would change without a word."""
    if isinstance(value, str):
        _accept_str(value)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise RefusedError(f"must not hold {value}, which JSON has no form for")
    elif isinstance(value, dict | list | tuple):
        if depth >= JSON_DEPTH:
            raise RefusedError(f"must not be nested deeper than {JSON_DEPTH} levels")
        _check_items(cast(Any, value), depth + 1)
    elif isinstance(value, int):
        if not INT8_MIN <= value <= UINT8_MAX:
            raise RefusedError("must not hold an integer beyond 64 bits")
    elif value is not None:
        raise RefusedError(f"must not hold a {kind_of(value)}, which JSON has no form for")


def _check_items(value: Any, depth: int) -> None:
    is_object = isinstance(value, dict)
    for key, item in _pairs(value):
        try:
            if is_object:
                if not isinstance(key, str):
                    raise RefusedError(f"must have str keys, not {kind_of(key)}")
                _accept_str(key)
            check_json(item, depth)
        except RefusedError as refused:
            step = f".{key}" if is_object else f"[{key}]"
            raise RefusedError(refused.rule, _printable(step) + refused.at) from None


def _pairs(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        return cast("dict[Any, Any]", value).items()
    return enumerate(cast("list[Any]", value))


def _printable(step: str) -> str:
    return step if step.isprintable() else ascii(step)[1:-1]


def dump_json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        # Not plain, but JSON all the same: keys of a StrEnum, named tuples, numpy's floats. That
        # orjson looks each key up takes longer.
        return orjson.dumps(value, _plain, orjson.OPT_NON_STR_KEYS).decode()


def _plain(value: tuple[Any, ...] | float) -> list[Any] | float:
    return list(value) if isinstance(value, tuple) else float(value)
