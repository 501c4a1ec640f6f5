"""Reading annotations: what stands behind Annotated, NewType and unions."""

from __future__ import annotations

import types
import typing
from collections.abc import Collection, Iterable, Mapping, MutableSequence, Sequence
from enum import Enum
from typing import Annotated, Any, Final, Literal, NewType, Protocol, cast, get_args, get_origin

from taskdb.query.rules import Unset

__all__ = [
    "LISTS",
    "NONE",
    "OBJECTS",
    "Rule",
    "choices_of",
    "is_any",
    "is_class",
    "is_typed_dict",
    "members",
    "type_name",
    "unwrapped",
]

NONE = type(None)
LISTS: Final = (list, Sequence, MutableSequence, Collection, Iterable)
OBJECTS: Final = (dict, Mapping)


class Rule(Protocol):
    """Rule about a value, for `Annotated[...]`."""

    def check(self, value: Any, /) -> str | None:
        """Return what must hold ("must be even") if it does not hold of *value*, else None."""
        ...


def unwrapped(annotation: Any, rules: tuple[Rule, ...] = ()) -> tuple[Any, tuple[Rule, ...]]:
    """Look through Annotated, NewType and `type X = ...`; return what is meant, and its rules."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *notes = get_args(annotation)
            rules = (*rules, *(note for note in notes if hasattr(note, "check")))
        elif isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        else:
            return annotation, rules


def members(annotation: Any) -> list[Any]:
    """Return the members of a union, each with the rules of the union, or the annotation alone.

    A Literal with None among its values is a union of the others and None; several Literals are
    one.
    """
    meant, rules = unwrapped(annotation)
    found: list[Any]
    if get_origin(meant) is Literal and None in get_args(meant):
        values = tuple(value for value in get_args(meant) if value is not None)
        found = [Literal[values], NONE] if values else [NONE]
    elif get_origin(meant) in (typing.Union, types.UnionType):
        found = _one_literal([inner for member in get_args(meant) for inner in members(member)])
    else:
        return [annotation]
    if not rules:
        return found
    # A rule is about values, and these two are none.
    return [each if each in (NONE, Unset) else Annotated[(each, *rules)] for each in found]


def _one_literal(found: list[Any]) -> list[Any]:
    """Join the Literals among the members of a union, where the first stands."""
    literals = [each for each in found if _is_literal(each)]
    if len(literals) < 2:
        return found
    values = tuple(value for each in literals for value in get_args(unwrapped(each)[0]))
    rest = [each for each in found if each is literals[0] or not _is_literal(each)]
    return [Literal[values] if each is literals[0] else each for each in rest]


def _is_literal(annotation: Any) -> bool:
    meant, rules = unwrapped(annotation)
    return get_origin(meant) is Literal and not rules


def choices_of(annotation: Any) -> tuple[str, ...] | None:
    """Return the values of a Literal or an Enum as texts, or None for any other annotation.

    None and Unset beside them count as no value.
    """
    values: list[str] = []
    for member in members(annotation):
        meant, _ = unwrapped(member)
        if meant is NONE or meant is Unset:
            continue
        if get_origin(meant) is Literal:
            values += [str(each) for each in get_args(meant)]
        elif is_class(meant, Enum):
            values += [str(each.value) for each in cast("type[Enum]", meant)]
        else:
            return None
    return tuple(values)


def is_class(annotation: Any, *bases: type) -> bool:
    """Tell whether *annotation* means a class derived from one of *bases*."""
    meant, _ = unwrapped(annotation)
    return isinstance(meant, type) and issubclass(cast("type[Any]", meant), bases)


def is_typed_dict(kind: Any) -> bool:
    """Tell whether *kind* is a TypedDict, that of typing_extensions included."""
    if not isinstance(kind, type) or not issubclass(cast("type[Any]", kind), dict):
        return False
    return hasattr(cast("type[Any]", kind), "__required_keys__")


def is_any(annotation: Any) -> bool:
    """Tell whether *annotation* says nothing: Any or object."""
    meant, _ = unwrapped(annotation)
    return meant is Any or meant is object


def type_name(annotation: Any) -> str:
    """Return an annotation as one would write it."""
    name = getattr(annotation, "__qualname__", None)
    return name if name and not get_args(annotation) else str(annotation).replace("typing.", "")
