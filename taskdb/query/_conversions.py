"""Conversion of psycopg's values to the annotated types; others are refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Literal, cast, get_args, get_origin

import psycopg
from psycopg.pq import ExecStatus, Format

from taskdb.query._annotations import LISTS, NONE, is_any, is_class, members, type_name, unwrapped
from taskdb.query._literals import read_array
from taskdb.query._types import ServerType, TypeKind, fits, is_json, is_sequence, item_of
from taskdb.query.errors import QueryDefinitionError

__all__ = ["Members", "MisreadError", "conversion", "read_whole", "refuse_unreadable", "whole"]

Conversion = Callable[[Any], Any]

_SHOWN: Final = 80


class MisreadError(Exception):
    """A value that is not what is annotated: how to show it, what is wrong, what to do.

    *at* leads to it inside its column: `[2].price`.
    """

    def __init__(self, value: str, problem: str, remedy: str, at: str = "") -> None:
        super().__init__(value, problem, remedy, at)
        self.value = value
        self.problem = problem
        self.remedy = remedy
        self.at = at

    def inside(self, at: str) -> MisreadError:
        """Return it as seen from further out: *at* leads to where it was seen from."""
        return MisreadError(self.value, self.problem, self.remedy, at + self.at)


def whole(value: Decimal) -> int:
    """Return a whole number as an int. Raises MisreadError for another."""
    if not value.is_finite() or value != value.to_integral_value():
        raise MisreadError(str(value), "which is no whole number", "Round it, or annotate Decimal")
    return int(value)


def read_whole(text: str) -> int:
    """Return the integer, or whole number, that *text* is."""
    return int(text) if text.lstrip("-").isdecimal() else whole(Decimal(text))


def conversion(annotation: Any, of: ServerType) -> Conversion | None:
    """Return what turns psycopg's value into the annotated one, or None if it is that already."""
    fitting = [one for one in members(annotation) if one is not NONE and fits(one, of)]
    if any(is_any(one) for one in fitting):
        return None
    converts = [convert for one in fitting if (convert := _single(one, of))]
    if len(converts) < len(fitting):
        return None
    return converts[0] if len(converts) == 1 else _first_of(converts, annotation)


def _first_of(converts: Sequence[Conversion], annotation: Any) -> Conversion:
    """Return what converts a value as the first of several annotations that it is of."""

    def convert(value: Any) -> Any:
        for each in converts:
            try:
                return each(value)
            except MisreadError:
                continue
        raise _no_such(value, annotation)

    return convert


def _single(annotation: Any, of: ServerType) -> Conversion | None:
    meant, _ = unwrapped(annotation)
    if is_class(meant, Enum):
        members_by_value = {each.value: each for each in cast("type[Enum]", meant)}
        return Members(annotation, members_by_value).__getitem__
    if get_origin(meant) is Literal and of.kind is not TypeKind.REGISTERED:
        return Members(annotation, {each: each for each in get_args(meant)}).__getitem__
    if meant is int and of.classes == (Decimal,):
        return whole
    if of.kind is TypeKind.JSON and not is_json(annotation):
        return _instances(annotation, list if is_sequence(annotation, LISTS) else dict)
    if is_sequence(annotation, LISTS):
        return _list(annotation, of)
    kind = get_origin(meant) or meant
    return _instances(annotation, kind) if len(of.classes) > 1 else None


class Members(dict[Any, Any]):
    """The values of an annotation by what the server gives for them, and by themselves.

    psycopg gives members where the enumeration is registered with it. A value without a member is
    the enumeration's to name: by its `_missing_`, or as several members of a Flag.
    """

    def __init__(self, annotation: Any, values: Mapping[Any, Any]) -> None:
        super().__init__(values)
        self.update({value: value for value in values.values()})
        self._annotation = annotation

    def __missing__(self, value: Any) -> Any:
        meant, _ = unwrapped(self._annotation)
        if is_class(meant, Enum):
            with suppress(ValueError):
                return meant(value)
        raise MisreadError(
            repr(value)[:_SHOWN],
            f"which {type_name(self._annotation)} does not have",
            "Add it there, or correct the data",
        )


def _instances(annotation: Any, kind: type) -> Conversion:
    def check(value: Any) -> Any:
        if type(value) is not kind:
            raise _no_such(value, annotation)
        return value

    return check


def _no_such(value: Any, annotation: Any) -> MisreadError:
    problem = f"which is no {type_name(annotation)}"
    return MisreadError(repr(value)[:_SHOWN], problem, "Annotate what it may be")


def refuse_unreadable(
    cursor: psycopg.Cursor[Any] | psycopg.AsyncCursor[Any],
    query: str,
    where: str,
    cause: psycopg.Error,
    before: int = 0,
) -> None:
    """Raise what is wrong with the value that psycopg could not read, if there is one.

    *before* is the number of rows that came before those of the cursor's result.

    A server knows times that Python does not: infinity, before our era, 24:00.
    """
    result = cursor.pgresult
    if result is None or result.status != ExecStatus.TUPLES_OK:
        return
    for row in range(result.ntuples):
        for number in range(result.nfields):
            data, oid = result.get_value(row, number), result.ftype(number)
            loader = cursor.adapters.get_loader(oid, Format.TEXT)
            if data is None or loader is None:
                continue
            try:
                loader(oid, cursor).load(data)
            except psycopg.DataError as exc:
                name = (result.fname(number) or b"").decode(errors="replace")
                raise QueryDefinitionError(
                    f"{query} returned {data.decode(errors='replace')[:_SHOWN]!r} in column {name} "
                    f"of row {before + row + 1}, which Python can't hold: {exc}",
                    where=where,
                    hint=f"Leave it out, or cast it: {name}::text",
                ) from cause


# Arrays


def _list(annotation: Any, of: ServerType) -> Conversion | None:
    """Check that items are there, and as deep as annotated; convert them if need be."""
    items = members(item_of(annotation))
    if any(is_any(item) for item in items):
        return _read if of.is_unknown else None
    inner = next((item for item in items if is_sequence(item, LISTS)), None)
    nullable = NONE in items
    item_type = of.item or ServerType("text", 0, TypeKind.TEXT, (str,))
    if of.kind is TypeKind.REGISTERED:
        item_type = of
    convert = _list(inner, of) if inner else conversion(item_of(annotation), item_type)

    def check(value: Any) -> Any:
        if isinstance(value, str):
            value = _read(value)
        if not nullable and None in value:
            raise MisreadError(
                "NULL inside an array",
                f"but the items of {type_name(annotation)} are not Optional",
                "Annotate the items with | None, or leave NULL out",
            )
        if value and isinstance(value[0], list) is not (inner is not None):
            raise MisreadError(
                repr(value)[:_SHOWN],
                f"which has not the dimensions of {type_name(annotation)}",
                "Annotate a list for each dimension",
            )
        if convert is None:
            return value
        return [None if item is None else convert(item) for item in value]

    return check


def _read(text: str) -> list[Any]:
    """Read an array of a type that psycopg does not know."""
    try:
        return read_array(text)
    except ValueError:
        problem = "which is no array, or one that must be registered with psycopg"
        raise MisreadError(repr(text)[:_SHOWN], problem, "Annotate str") from None
