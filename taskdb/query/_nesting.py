"""Rows in a column: a composite or a JSON object becomes a class of its own, arrays a list of them.

A composite's fields come as text and in order; what stands in them the annotations say, as the
server tells of a composite nothing but its name. An object's come by name. The function that makes
the instances is compiled once for each class, and what needs a connection (times, intervals, as
psycopg reads them) is bound to it once for each result, so no row looks at an annotation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any, cast, get_args, get_origin

import psycopg

from taskdb.query._annotations import (
    LISTS,
    NONE,
    OBJECTS,
    is_any,
    is_class,
    is_typed_dict,
    members,
    type_name,
    unwrapped,
)
from taskdb.query._conversions import MisreadError, whole
from taskdb.query._insides import are_addresses, holds_decimals
from taskdb.query._leaves import (
    SHOWN,
    Decode,
    Leaves,
    Prepare,
    compose,
    fixed,
    json_leaf,
    member_of,
    of_kind,
    other,
    text_leaf,
    without_decimals,
)
from taskdb.query._literals import is_array, read_array, read_composite
from taskdb.query._rowclasses import (
    column_name,
    constructor_fields,
    holds_rows,
    is_row_class,
    optional_keys,
    row_class,
)
from taskdb.query._types import ServerType, TypeKind, is_json, is_sequence, item_of

__all__ = ["Leaves", "Nested"]


class Nested:
    """An annotation that means a class for rows, or a list of them."""

    def __init__(self, annotation: Any) -> None:
        kinds = [each for each in members(annotation) if each is not NONE]
        self._annotation = annotation if len(kinds) > 1 else kinds[0]
        self._is_exact = holds_decimals(self._annotation)

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


def _alone(annotation: Any) -> tuple[Any, bool]:
    """The one annotation beside None, and whether None is there."""
    kinds = members(annotation)
    rest = [each for each in kinds if each is not NONE]
    return rest[0], len(rest) < len(kinds)


# From text: composites, arrays, and what stands in them


def _from_text(annotation: Any) -> Prepare:
    kinds = [each for each in members(annotation) if each is not NONE]
    kind = kinds[0]
    if is_json(kind) or (len(kinds) > 1 and not are_addresses(kinds)):
        return _document(annotation)
    meant, _ = unwrapped(kind)
    if is_sequence(kind, LISTS):
        return _list_of_text(kind)
    if is_row_class(meant):
        from_text = _Constructor(meant, _from_text).of_text
        from_document = _document(kind)
        return lambda leaves: _either(from_text(leaves), from_document(leaves), "(")
    if (get_origin(meant) or meant) in OBJECTS or is_typed_dict(meant):
        return _document(annotation)
    return text_leaf(*kinds)


def _either(read: Decode, read_document: Decode, sign: str) -> Decode:
    """Read what may be a JSON document: parsed, or a text that does not begin with *sign*."""

    def decode(value: Any) -> Any:
        if type(value) is dict or (type(value) is str and not value.startswith(sign)):
            return read_document(value)
        return read(value)

    return decode


def _document(annotation: Any) -> Prepare:
    prepare = _from_json(annotation)
    parse_float = Decimal if holds_decimals(annotation) else float

    def parse(text: Any) -> Any:
        if not isinstance(text, str | bytes):
            return text  # psycopg parses the items of an array of JSON.
        try:
            return json.loads(text, parse_float=parse_float)
        except ValueError:
            raise other(text, annotation) from None

    return lambda leaves: compose(prepare(leaves), parse)


def _list_of_text(annotation: Any) -> Prepare:
    items = item_of(annotation)
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
            raise other(values, annotation)
        found: list[Any] = []
        for value in cast("list[Any]", values):
            if value is None:
                if not nullable:
                    raise MisreadError(
                        "NULL",
                        f"but the items of {type_name(annotation)} are not Optional",
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
                raise other(value, item_of(annotation), exc).inside(f"[{len(found)}]") from None
        return found

    return read


def _unreadable(annotation: Any) -> tuple[type[Exception], ...]:
    """Return the errors of an unreadable value; a row's are those of its class's constructor."""
    if holds_rows(annotation):
        return ()
    return (ValueError, TypeError, ArithmeticError, psycopg.Error)


# From JSON, as psycopg or this module parsed it


def _from_json(annotation: Any) -> Prepare:
    if is_any(annotation):
        return fixed(without_decimals)
    kinds = [each for each in members(annotation) if each is not NONE]
    if len(kinds) > 1 and not are_addresses(kinds):
        return _first_of([_from_json(each) for each in kinds], annotation)
    kind = kinds[0]
    meant, _ = unwrapped(kind)
    if is_any(meant) or (is_json(kind) and row_class(kind) is None):
        return fixed(without_decimals)
    if is_sequence(kind, LISTS):
        prepare = _from_json(item_of(kind))
        return lambda leaves: _items(kind, prepare(leaves))
    if is_typed_dict(meant):
        return _dictionary(meant)
    if is_row_class(meant):
        return _Constructor(meant, _from_json).of_object
    if (get_origin(meant) or meant) in OBJECTS:
        return _mapping(kind)
    return json_leaf(*kinds)


def _first_of(prepared: Sequence[Prepare], annotation: Any) -> Prepare:
    """Read a value that is one of several, none of which another could be taken for."""

    def bound(leaves: Leaves) -> Decode:
        reads = [prepare(leaves) for prepare in prepared]

        def decode(value: Any) -> Any:
            for read in reads:
                try:
                    return read(value)
                except (MisreadError, ValueError, TypeError):
                    continue
            raise other(value, annotation)

        return decode

    return bound


def _mapping(kind: Any) -> Prepare:
    """Read a `dict`; its values are looked at where they are classes, or dicts of their own."""
    check = of_kind((dict,), kind)
    if row_class(kind) is None:
        return fixed(compose(without_decimals, check))
    item = get_args(unwrapped(kind)[0])[-1]
    prepare, nullable = _from_json(item), NONE in members(item)

    def bound(leaves: Leaves) -> Decode:
        read = prepare(leaves)
        return lambda value: {
            key: _read_key(key, each, read, nullable=nullable, named=type_name(kind))
            for key, each in check(value).items()
        }

    return bound


def _dictionary(cls: type) -> Prepare:
    """Read a TypedDict: the keys that it needs are there, and each value is what is annotated.

    A key that the class does not have is passed over: a newer version may have written it.
    """
    optional = optional_keys(cls)
    prepared = [
        (name, _from_json(annotation), NONE in members(annotation) or is_any(annotation))
        for name, annotation, _ in constructor_fields(cls)
    ]
    check = of_kind((dict,), cls)

    def bound(leaves: Leaves) -> Decode:
        fields = [(name, prepare(leaves), nullable) for name, prepare, nullable in prepared]

        def decode(value: Any) -> Any:
            found = dict(check(value))
            for name, read, nullable in fields:
                if name in found:
                    named = f"{cls.__qualname__}.{name}"
                    found[name] = _read_key(name, found[name], read, nullable=nullable, named=named)
                elif name not in optional:
                    raise MisreadError(
                        repr(value)[:SHOWN],
                        f"which has no key {name}, as {cls.__qualname__} needs",
                        "Annotate the key NotRequired, or complete the document",
                    )
            return found

        return decode

    return bound


def _read_key(key: str, value: Any, read: Decode, *, nullable: bool, named: str) -> Any:
    if value is None:
        if nullable:
            return None
        raise MisreadError(
            "JSON's null",
            f"but {named} is not Optional",
            "Annotate it with | None, or correct the document",
            f".{key}",
        )
    try:
        return read(value)
    except MisreadError as exc:
        raise exc.inside(f".{key}") from None


# Composites that are registered with psycopg: their fields are values already


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
    """A field's value as psycopg made it; one that is not registered is a text."""
    kind, _ = _alone(annotation)
    meant, _ = unwrapped(kind)
    if is_class(meant, Enum):
        return fixed(member_of({each.value: each for each in cast("type[Enum]", meant)}, kind))
    if meant is int:
        return fixed(lambda found: whole(found) if type(found) is Decimal else found)
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
        return [column_name(name) for name, _, _ in self.fields]

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
                raise other(field, annotation, cause).inside(f".{name}") from exc

    def _values(self, value: Any) -> Sequence[Any]:
        if isinstance(value, dict):
            found = cast("dict[str, Any]", value)
            if found.keys() != set(self._keys()):
                raise self._mismatch(f"the keys {', '.join(found)}")
            return [found[key] for key in self._keys()]
        if not isinstance(value, str | tuple):
            raise other(value, self.cls)
        try:
            fields = self._split(value)
        except ValueError:
            raise other(value, self.cls) from None
        if len(fields) != len(self.fields):
            raise self._mismatch(f"{len(fields)} fields")
        return fields

    def _mismatch(self, found: str) -> MisreadError:
        wanted = ", ".join(self._keys())
        return MisreadError(
            f"a row with {found}",
            f"which does not fit {self.cls.__qualname__} ({wanted})",
            "Let the statement and the class have the same fields, in the same order",
        )


def _lack() -> Sequence[Any]:
    raise ValueError
