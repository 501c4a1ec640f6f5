"""Rows that callers hand over as dataclasses: refused by name before anything looks into them."""

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeVar

from taskdb.errors import ValidationError
from taskdb.queries.fields import Key
from taskdb.query import checker

__all__ = ["check_keys", "check_row", "check_rows"]

R = TypeVar("R")

_check_key = checker("", Key | None)
_check_keys = checker("", list[Key])


def check_rows(field: str, rows: Iterable[R], cls: type[R]) -> list[R]:
    """Return *rows* as a list.

    Raises `ValidationError` naming *field* if they are no list, or one is not of the class.
    """
    if not _is_many(rows):
        raise ValidationError(field, f"must be a list of {cls.__name__}, not {_kind(rows)}")
    listed = list(rows)
    for index, row in enumerate(listed):
        check_row(f"{field}[{index}]", row, cls)
    return listed


def check_row(field: str, row: object, cls: type[Any]) -> None:
    """Raise `ValidationError` naming *field* unless the row is of the class."""
    if not isinstance(row, cls):
        raise ValidationError(field, f"must be a {cls.__name__}, not {_kind(row)}")


def check_keys(field: str, rows: Sequence[Any], *names: str) -> None:
    """Check attributes of rows that hold a key, a list of keys, or None.

    Raises `ValidationError` naming *field*, the row's index and the attribute.
    """
    for name in names:
        check = _check_keys if name == "needs" else _check_key
        for index, value in enumerate(map(attrgetter(name), rows)):
            try:
                check(value)
            except ValidationError as exc:
                at = f"{field}[{index}].{name}{exc.field or ''}"
                raise ValidationError(at, exc.rule) from None


def _is_many(value: object) -> bool:
    """Tell whether it holds rows: a text holds letters, and a mapping names."""
    is_other = isinstance(value, str | bytes | bytearray | Mapping)
    return isinstance(value, Iterable) and not is_other


def _kind(value: object) -> str:
    return type(value).__name__
