"""Annotations of what is inside a column: which of them say enough to be read by."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, get_args, get_origin

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
from taskdb.query._leaves import READ_AS, is_leaf
from taskdb.query._rowclasses import (
    UnsupportedResultError,
    constructor_fields,
    is_document_class,
    is_row_class,
    row_class,
)
from taskdb.query._types import is_json, is_of_json, is_sequence

__all__ = ["are_addresses", "holds_decimals", "refuse_unreadable_fields"]


def refuse_unreadable_fields(annotation: Any, at: str, around: tuple[type, ...] = ()) -> None:
    """Refuse rows in rows of which a field says too little. *at* is the way that leads there.

    Raises UnsupportedResultError with the way, the rule and the remedy.
    """
    kinds = [each for each in members(annotation) if each is not NONE]
    if not around and not any(row_class(each) for each in kinds):
        return
    if len(kinds) != 1 and not _are_told_apart(kinds, around):
        raise UnsupportedResultError(
            f"{at} may be one of several types ({type_name(annotation)}), and what is inside a "
            "column does not say which it is: annotate one"
        )
    for kind in kinds:
        _refuse_unreadable_kind(kind, at, around)


def _refuse_unreadable_kind(kind: Any, at: str, around: tuple[type, ...]) -> None:
    meant, _ = unwrapped(kind)
    origin: Any = get_origin(meant) or meant
    if is_sequence(kind, LISTS) or (origin in OBJECTS and row_class(kind)):
        if not get_args(meant):
            raise UnsupportedResultError(f"{at} does not say what is in the list: list[...]")
        item = get_args(meant)[-1]
        if not is_any(item):
            refuse_unreadable_fields(item, f"{at}[]", around or (NONE,))
        return
    if not is_document_class(meant):
        readable = is_of_json(kind) if _is_in_json(around) else is_leaf(kind)
        if not is_json(kind) and not readable:
            raise UnsupportedResultError(
                f"{at} is annotated {type_name(kind)}, which is not read from inside a column: "
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


def _are_told_apart(kinds: Sequence[Any], around: tuple[type, ...]) -> bool:
    """Tell whether a value says by itself which of *kinds* it is: JSON that makes no instances."""
    return are_addresses(kinds) or (
        _is_in_json(around)
        and all(is_of_json(each) and not is_row_class(row_class(each)) for each in kinds)
    )


def _is_in_json(around: tuple[type, ...]) -> bool:
    return not around or around[-1] is NONE or is_typed_dict(around[-1])


def are_addresses(kinds: Sequence[Any]) -> bool:
    return len({READ_AS.get(unwrapped(each)[0], each) for each in kinds}) == 1


def holds_decimals(annotation: Any) -> bool:
    for kind in members(annotation):
        meant, _ = unwrapped(kind)
        if meant is Decimal:
            return True
        inner = [annotation for _, annotation, _ in _fields_of(meant)]
        if is_sequence(kind, LISTS) or (get_origin(meant) or meant) in OBJECTS:
            inner = [*get_args(meant)[-1:]]
        if any(map(holds_decimals, inner)):
            return True
    return False


def _fields_of(meant: Any) -> list[tuple[str, Any, bool]]:
    return constructor_fields(meant) if is_document_class(meant) else []
