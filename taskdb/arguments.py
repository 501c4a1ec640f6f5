"""A query's arguments: checked against the stub's annotations, and turned into what is sent.

Every argument is sent as PostgreSQL's text for its type and without saying the type, as a quoted
literal in psql has none: the server infers it from the statement. So a statement means the same
in psql, to `taskdb check`, and here, and has one prepared form whatever the values. Only bytes,
and classes that psycopg alone knows, go through psycopg's own adaptation.
"""

from __future__ import annotations

import inspect
import json
import math
import re
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NewType,
    Protocol,
    TypeAlias,
    get_args,
    get_origin,
)
from uuid import UUID

import orjson
import psycopg
from psycopg.adapt import PyFormat

from taskdb.errors import ValidationError

__all__ = [
    "UNSET",
    "Json",
    "Length",
    "Matches",
    "Parameter",
    "Range",
    "Refused",
    "Rule",
    "Unset",
    "Unsupported",
    "binder",
    "encoder",
    "parameters_of",
]

INT8_MIN: Final = -(2**63)
INT8_MAX: Final = 2**63 - 1
# orjson reads at most this many levels, and a document this deep is a mistake.
JSON_DEPTH: Final = 200


class Unset(Enum):
    """The type of UNSET, which says "leave it as it is" where None is a value of its own."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET


class Rule(Protocol):
    """What may stand in `Annotated[...]`: a rule of one's own about a value."""

    def refuse(self, value: Any, /) -> str | None:
        """Return what must hold ("must be even") if it does not hold of *value*, else None."""
        ...


@dataclass(frozen=True, slots=True)
class Range:
    """`Annotated[int, Range(1, 10)]`: not below *low*, not above *high*; None is no bound."""

    low: Any = None
    high: Any = None

    def refuse(self, value: Any, /) -> str | None:
        """Return the rule if *value* is outside."""
        above = self.low is None or value >= self.low
        below = self.high is None or value <= self.high
        if above and below:
            return None
        if self.low is None:
            return f"must be at most {self.high}"
        if self.high is None:
            return f"must be at least {self.low}"
        return f"must be between {self.low} and {self.high}"


@dataclass(frozen=True, slots=True)
class Length:
    """`Annotated[str, Length(1, 500)]`: from *least* to *most* characters, or items of a list."""

    least: int = 0
    most: int | None = None

    def refuse(self, value: Any, /) -> str | None:
        """Return the rule if *value* is too short or too long."""
        length = len(value)
        unit = "character" if isinstance(value, str) else "byte" if _is_bytes(value) else "item"
        if length < self.least:
            if self.least == 1:
                return "must not be empty"
            return f"must have at least {self.least} {unit}s"
        if self.most is not None and length > self.most:
            return f"must have at most {self.most} {unit}{'s' if self.most != 1 else ''}"
        return None


@dataclass(frozen=True, slots=True)
class Matches:
    """`Annotated[str, Matches(r"[a-z]+")]`: the whole text matches the regular expression."""

    pattern: str

    def refuse(self, value: Any, /) -> str | None:
        """Return the rule if *value* does not match."""
        return None if re.fullmatch(self.pattern, value) else f"must match {self.pattern}"


@dataclass(frozen=True, slots=True)
class Json:
    """`Annotated[Any, Json()]`: any JSON value, a bare string or number among them."""

    def refuse(self, value: Any, /) -> str | None:
        """Return None: the encoder itself refuses what JSON cannot hold."""
        return None


class Refused(Exception):
    """A value breaks *rule*; *at* leads to it inside a list or document: `[2].name`."""

    def __init__(self, rule: str, at: str = "") -> None:
        super().__init__(rule)
        self.rule = rule
        self.at = at


class Unsupported(Exception):
    """An annotation that says nothing taskdb can check."""


Encoder: TypeAlias = Callable[[Any], Any]
Accept: TypeAlias = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a stub: what it may be, and how it is sent.

    `nullable` and `unsettable` say whether its annotation has None and Unset; `is_key` whether
    its value may be named in a message ("no row for key 'T-1'").
    """

    name: str
    annotation: Any
    nullable: bool
    unsettable: bool
    is_key: bool
    encode: Encoder

    def converter(self, where: str) -> Encoder:
        """Return the function that checks and encodes a value, or raises ValidationError."""
        name, nullable, unsettable, encode = self.name, self.nullable, self.unsettable, self.encode

        def convert(value: Any) -> Any:
            if value is None:
                if nullable:
                    return None
                raise ValidationError(name, "must not be None", where=where)
            if value is UNSET and unsettable:
                return UNSET
            try:
                return encode(value)
            except Refused as refused:
                raise ValidationError(name + refused.at, refused.rule, where=where) from None

        return convert


def parameters_of(signature: inspect.Signature, hints: Mapping[str, Any]) -> list[Parameter]:
    """Return a stub's parameters, *hints* being its resolved annotations.

    Raises Unsupported, its text beginning with the parameter's name.
    """
    parameters: list[Parameter] = []
    for name, declared in signature.parameters.items():
        if declared.kind in (declared.VAR_POSITIONAL, declared.VAR_KEYWORD):
            raise Unsupported(f"{name} stands for any number of arguments")
        if name not in hints:
            raise Unsupported(f"{name} has no annotation")
        annotation = hints[name]
        members = _members(annotation)
        try:
            encode = encoder(annotation)
        except Unsupported as exc:
            raise Unsupported(f"{name} is {exc}") from None
        parameters.append(
            Parameter(
                name=name,
                annotation=annotation,
                nullable=type(None) in members,
                unsettable=Unset in members,
                is_key=all(_is_key(member) for member in members),
                encode=encode,
            )
        )
    return parameters


def binder(
    function: Callable[..., Any], parameters: Sequence[Parameter], where: str
) -> Callable[..., tuple[Any, ...]]:
    """Return a function with the stub's own signature that returns its arguments, encoded.

    It is compiled once, so a call binds its arguments as any Python call does, and a wrong one
    raises the TypeError that calling *function* itself would.
    """
    names: dict[str, Any] = {}
    declared: list[str] = []
    kinds = inspect.Parameter
    previous: Any = None
    for index, (name, parameter) in enumerate(inspect.signature(function).parameters.items()):
        if previous is kinds.POSITIONAL_ONLY and parameter.kind is not kinds.POSITIONAL_ONLY:
            declared.append("/")
        if parameter.kind is kinds.KEYWORD_ONLY and previous is not kinds.KEYWORD_ONLY:
            declared.append("*")
        previous = parameter.kind
        names[f"_convert{index}"] = parameters[index].converter(where)
        if parameter.default is parameter.empty:
            declared.append(name)
        else:
            names[f"_default{index}"] = parameter.default
            declared.append(f"{name}=_default{index}")
    if previous is kinds.POSITIONAL_ONLY:
        declared.append("/")
    values = "".join(f"_convert{index}({item.name}), " for index, item in enumerate(parameters))
    source = f"def {function.__name__}({', '.join(declared)}):\n    return ({values})\n"
    exec(compile(source, f"<arguments of {function.__name__}>", "exec"), names)
    bind: Callable[..., tuple[Any, ...]] = names[function.__name__]
    return bind


def encoder(annotation: Any, rules: Sequence[Rule] = ()) -> Encoder:
    """Return the function that checks a value against *annotation* and *rules* and encodes it.

    The function raises Refused. None and UNSET are the caller's to handle. Raises Unsupported
    for an annotation that says nothing about the value.
    """
    annotation, rules = _unwrapped(annotation, rules)
    if any(isinstance(rule, Json) for rule in rules):
        return _composed(_accept_json, rules, _dump_json)
    members = [member for member in _members(annotation) if member not in (type(None), Unset)]
    if len(members) > 1:
        return _any_of([encoder(member, rules) for member in members])
    if not members:
        raise Unsupported("only None: it has no value to send")
    if members[0] is not annotation:
        return encoder(members[0], rules)
    return _single(annotation, rules)


def _single(annotation: Any, rules: Sequence[Rule]) -> Encoder:
    origin = get_origin(annotation) or annotation
    if origin is Literal:
        return _literal(get_args(annotation), rules)
    if typing.is_typeddict(origin) or origin in (dict, Mapping, typing.Dict):  # noqa: UP006
        return _composed(_accept_object, rules, _dump_json)
    if origin in _SEQUENCES:
        return _sequence(annotation, rules)
    if not isinstance(origin, type) or origin is object:
        raise Unsupported(f"annotated {_spelled(annotation)}, which says nothing to check")
    if issubclass(origin, Enum):
        return _enum(origin, rules)
    if origin in _SCALARS:
        accept, dump = _SCALARS[origin]
        return _composed(accept, rules, dump)
    try:
        psycopg.adapters.get_dumper(origin, PyFormat.AUTO)
    except psycopg.ProgrammingError:
        raise Unsupported(
            f"annotated {_spelled(annotation)}, which PostgreSQL has no type for"
        ) from None
    return _composed(_instance(origin), rules, None)


def _composed(accept: Accept, rules: Sequence[Rule], dump: Encoder | None) -> Encoder:
    if not rules:
        if dump is None:
            return accept
        return lambda value: dump(accept(value))

    def encode(value: Any) -> Any:
        value = accept(value)
        for rule in rules:
            broken = rule.refuse(value)
            if broken:
                raise Refused(broken)
        return value if dump is None else dump(value)

    return encode


def _any_of(encoders: Sequence[Encoder]) -> Encoder:
    def encode(value: Any) -> Any:
        rules: list[str] = []
        for each in encoders:
            try:
                return each(value)
            except Refused as refused:
                rules.append(refused.rule)
        raise Refused(", or ".join(dict.fromkeys(rules)))

    return encode


def _unwrapped(annotation: Any, rules: Sequence[Rule]) -> tuple[Any, Sequence[Rule]]:
    """Look through Annotated, NewType and `type X = ...` to what is meant."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *notes = get_args(annotation)
            rules = (*rules, *(note for note in notes if hasattr(note, "refuse")))
        elif isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        else:
            return annotation, rules


def _members(annotation: Any) -> list[Any]:
    """Return the members of a union, or the annotation alone."""
    annotation, rules = _unwrapped(annotation, ())
    if get_origin(annotation) not in (typing.Union, types.UnionType):
        return [annotation]
    members: list[Any] = []
    for argument in get_args(annotation):
        inner = _members(argument)
        members += [argument] if len(inner) == 1 else inner
    if rules:
        return [
            member if member in (type(None), Unset) else Annotated[(member, *rules)]
            for member in members
        ]
    return members


def _is_key(annotation: Any) -> bool:
    annotation, _ = _unwrapped(annotation, ())
    return annotation in (str, int, UUID, type(None), Unset) or (
        isinstance(annotation, type) and issubclass(annotation, Enum)
    )


def _spelled(annotation: Any) -> str:
    name = getattr(annotation, "__qualname__", None)
    return name if name and not get_args(annotation) else str(annotation)


def _kind(value: Any) -> str:
    return type(value).__name__


def _is_bytes(value: Any) -> bool:
    return isinstance(value, bytes | bytearray | memoryview)


def _accept_str(value: Any) -> str:
    if not isinstance(value, str):
        raise Refused(f"must be a str, not {_kind(value)}")
    if type(value) is not str:
        value = value.value if isinstance(value, Enum) else str(value)
    if "\0" in value:
        raise Refused("must not contain the NUL character")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Refused("must not contain half a surrogate pair") from None
    return value


def _accept_int(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refused(f"must be an int, not {_kind(value)}")
    if not INT8_MIN <= value <= INT8_MAX:
        raise Refused(f"must be between {INT8_MIN} and {INT8_MAX}")
    return value


def _dump_int(value: int) -> str:
    return int.__repr__(value)


def _accept_bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Refused(f"must be a bool, not {_kind(value)}")
    return value


def _dump_bool(value: bool) -> str:
    return "true" if value else "false"


def _accept_float(value: Any) -> float:
    if not isinstance(value, float | int) or isinstance(value, bool):
        raise Refused(f"must be a float, not {_kind(value)}")
    try:
        return float(value)
    except OverflowError:
        raise Refused("must fit into eight bytes") from None


def _accept_decimal(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        if value.is_snan():
            raise Refused("must not be a signalling NaN")
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    raise Refused(f"must be a Decimal, not {_kind(value)}")


def _accept_uuid(value: Any) -> UUID:
    if isinstance(value, UUID):
        return value
    if isinstance(value, str):
        try:
            return UUID(value)
        except ValueError:
            raise Refused("must be a UUID, such as 0190163d-8694-739b-aea5-966c26f8ad91") from None
    raise Refused(f"must be a UUID, not {_kind(value)}")


def _accept_datetime(value: Any) -> datetime:
    if not isinstance(value, datetime):
        raise Refused(f"must be a datetime, not {_kind(value)}")
    if value.tzinfo is UTC:
        return value
    if value.utcoffset() is None:
        raise Refused("must have a time zone")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise Refused("must lie in the years 1 to 9999 of UTC") from None


def _accept_date(value: Any) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise Refused(f"must be a date, not {_kind(value)}")
    return value


def _dump_timedelta(value: timedelta) -> str:
    # ISO 8601, each field with its sign: no setting of the session reads it otherwise.
    return f"P{value.days}DT{value.seconds}.{value.microseconds:06d}S"


def _accept_bytes(value: Any) -> bytes:
    if not _is_bytes(value):
        raise Refused(f"must be bytes, not {_kind(value)}")
    return bytes(value)


def _instance(cls: type) -> Accept:
    def accept(value: Any) -> Any:
        if not isinstance(value, cls):
            raise Refused(f"must be a {cls.__name__}, not {_kind(value)}")
        return value

    return accept


_SCALARS: Final[dict[type, tuple[Accept, Encoder | None]]] = {
    str: (_accept_str, None),
    int: (_accept_int, _dump_int),
    bool: (_accept_bool, _dump_bool),
    float: (_accept_float, repr),
    Decimal: (_accept_decimal, str),
    UUID: (_accept_uuid, str),
    datetime: (_accept_datetime, datetime.isoformat),
    date: (_accept_date, date.isoformat),
    time: (_instance(time), time.isoformat),
    timedelta: (_instance(timedelta), _dump_timedelta),
    bytes: (_accept_bytes, None),
}
_SEQUENCES: Final = (list, tuple, set, frozenset, Sequence, Collection, Iterable, AbstractSet)


def _enum(cls: type[Enum], rules: Sequence[Rule]) -> Encoder:
    members = {(type(member.value), member.value): member for member in cls}

    def accept(value: Any) -> Enum:
        if isinstance(value, cls):
            return value
        try:
            return members[type(value), value]
        except (KeyError, TypeError):
            labels = ", ".join(str(member.value) for member in cls)
            raise Refused(f"must be one of {labels}") from None

    return _composed(accept, rules, lambda member: str(member.value))


def _literal(values: Sequence[Any], rules: Sequence[Rule]) -> Encoder:
    encoded = {(type(value), value): encoder(type(value)) for value in values if value is not None}

    def encode(value: Any) -> Any:
        try:
            inner = encoded[type(value), value]
        except (KeyError, TypeError):
            raise Refused(f"must be one of {', '.join(map(repr, values))}") from None
        return inner(value)

    return _composed(encode, rules, None)


def _sequence(annotation: Any, rules: Sequence[Rule]) -> Encoder:
    """Return the encoder of `list[T]`: an array, or a JSON document where T is any JSON value."""
    arguments = [item for item in get_args(annotation) if item is not Ellipsis]
    if get_origin(annotation) is tuple and get_args(annotation)[1:] != (Ellipsis,):
        raise Unsupported(f"annotated {_spelled(annotation)}; a list has one type of items")
    item = arguments[0] if arguments else Any
    members = [member for member in _members(item) if member is not type(None)]
    if any(_is_document(member) for member in members):
        return _composed(_accept_array, rules, _dump_json)
    nested = any(get_origin(_unwrapped(member, ())[0]) in _SEQUENCES for member in members)
    encode_item = encoder(item)
    nullable = len(members) < len(_members(item))

    def encode(value: Any) -> str:
        items = _accept_items(value)
        for rule in rules:
            broken = rule.refuse(items)
            if broken:
                raise Refused(broken)
        texts: list[str] = []
        for index, each in enumerate(items):
            if each is None and nullable:
                texts.append("NULL")
                continue
            try:
                text = encode_item(each)
            except Refused as refused:
                raise Refused(refused.rule, f"[{index}]{refused.at}") from None
            texts.append(text if nested else _quoted(text))
        return f"{{{','.join(texts)}}}"

    return encode


def _is_document(annotation: Any) -> bool:
    annotation, rules = _unwrapped(annotation, ())
    origin = get_origin(annotation) or annotation
    return (
        origin in (Any, object, dict, Mapping)
        or typing.is_typeddict(origin)
        or any(isinstance(rule, Json) for rule in rules)
    )


def _accept_items(value: Any) -> list[Any]:
    if isinstance(value, str | bytes | bytearray | memoryview | Mapping):
        raise Refused(f"must be a list, not {_kind(value)}")
    try:
        return list(value)
    except TypeError:
        raise Refused(f"must be a list, not {_kind(value)}") from None


def _quoted(item: Any) -> str:
    if isinstance(item, bytes):
        return f'"\\\\x{item.hex()}"'
    text = str(item).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _accept_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise Refused(f"must be a dict, not {_kind(value)}")
    document = dict(value)
    _check_json(document, 0)
    return document


def _accept_array(value: Any) -> list[Any]:
    items = _accept_items(value)
    _check_json(items, 0)
    return items


def _accept_json(value: Any) -> Any:
    _check_json(value, 0)
    return value


def _check_json(value: Any, depth: int) -> None:
    """Refuse what jsonb cannot hold; json.dumps would let some of it through."""
    if isinstance(value, str):
        _accept_str(value)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise Refused(f"must not hold {value}, which JSON has no form for")
    elif isinstance(value, dict | list | tuple):
        if depth >= JSON_DEPTH:
            raise Refused(f"must not be nested deeper than {JSON_DEPTH} levels")
        _check_items(value, depth + 1)
    elif not (value is None or isinstance(value, bool | int)):
        raise Refused(f"must not hold a {_kind(value)}, which JSON has no form for")


def _check_items(value: Any, depth: int) -> None:
    pairs: Iterable[tuple[Any, Any]] = (
        value.items() if isinstance(value, dict) else enumerate(value)
    )
    for key, item in pairs:
        try:
            if isinstance(value, dict):
                if not isinstance(key, str):
                    raise Refused(f"must have str keys, not {_kind(key)}")
                _accept_str(key)
            _check_json(item, depth)
        except Refused as refused:
            step = f".{key}" if isinstance(key, str) else f"[{key}]"
            raise Refused(refused.rule, step + refused.at) from None


def _dump_json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        # An integer beyond 64 bits: jsonb holds it, orjson does not.
        return json.dumps(value, ensure_ascii=False)
