"""Classes that rows become: dataclasses, NamedTuples, and those of attrs, pydantic and msgspec.

A row is made by the class's own constructor, one column a field, so its defaults, validators and
conversions hold. Each kind of class is known by what it leaves on itself: none of the libraries is
imported here.
"""

from __future__ import annotations

import dataclasses
import inspect
import keyword
import typing
from typing import Any, Final, TypeVar, cast, get_args, get_origin

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
from taskdb.query.rules import Json

__all__ = [
    "UnsupportedResultError",
    "bare_name",
    "column_name",
    "constructor_fields",
    "field_name",
    "holds_rows",
    "is_document_class",
    "is_row_class",
    "mark_of",
    "optional_keys",
    "refuse_no_result",
    "row_class",
]

# PostgreSQL's name for a column that has none.
_UNNAMED: Final = "?column?"
_POSITIONAL: Final = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
)


class UnsupportedResultError(Exception):
    """A return annotation that no row can become."""


def is_row_class(kind: Any) -> bool:
    """Tell whether rows become instances of *kind*."""
    return isinstance(kind, type) and _names(kind) is not None


def _names(cls: Any) -> list[str] | None:
    """The names by which the constructor takes the fields; None if *cls* is no class for rows."""
    if dataclasses.is_dataclass(cls):
        return [field.name for field in dataclasses.fields(cls) if field.init]
    # NamedTuple, msgspec, pydantic
    for attribute in ("_fields", "__struct_fields__", "model_fields"):
        if (fields := _own(cls, attribute)) is not None:
            return list(fields)
    if attributes := _own(cls, "__attrs_attrs__"):
        return [each.alias for each in attributes if each.init]
    return None


def _own(cls: Any, attribute: str) -> Any:
    return getattr(cls, attribute, None)


def is_document_class(kind: Any) -> bool:
    """Tell whether a JSON object in a column becomes a *kind*: a class for rows, or a TypedDict."""
    return is_typed_dict(kind) or is_row_class(kind)


def row_class(annotation: Any) -> type | None:
    """Return the class of what one column holds, if it is one: of a row, a list or dict of rows."""
    while _is_container(annotation):
        kinds = [each for each in members(_item_of(annotation)) if each is not NONE]
        if len(kinds) != 1:
            return next((found for each in kinds if (found := row_class(each))), None)
        annotation = kinds[0]
    meant, _ = unwrapped(annotation)
    return meant if is_document_class(meant) else None


def column_name(field: str) -> str:
    """Return the column of a field: one named by a keyword of Python has a field `class_`."""
    return field[:-1] if field.endswith("_") and keyword.iskeyword(field[:-1]) else field


def mark_of(column: str) -> str:
    """Return the mark by which a column's author speaks of NULL: `!`, `?`, or none."""
    return column[-1:] if column.endswith(("!", "?")) and column != _UNNAMED else ""


def bare_name(column: str) -> str:
    """Return a column's name without its mark."""
    return column.removesuffix(mark_of(column))


def field_name(column: str) -> str:
    """Return the field of a column, whose mark it does not have."""
    name = bare_name(column)
    return f"{name}_" if keyword.iskeyword(name) else name


def holds_rows(annotation: Any) -> bool:
    """Tell whether an annotation, None aside, means a row in one column, or several of them."""
    return any(row_class(each) is not None for each in members(annotation) if each is not NONE)


def _is_container(annotation: Any) -> bool:
    meant, _ = unwrapped(annotation)
    return (get_origin(meant) or meant) in (*LISTS, *OBJECTS)


def _item_of(annotation: Any) -> Any:
    return (get_args(unwrapped(annotation)[0]) or (Any,))[-1]


def optional_keys(cls: type) -> frozenset[str]:
    """Return the fields that a document may lack: those of a TypedDict that are NotRequired."""
    if not is_typed_dict(cls):
        return frozenset()
    # Python does not look into annotations that are texts.
    marks = {name: get_origin(hint) for name, hint in _hints(cls).items()}
    unmarked: frozenset[str] = _own(cls, "__optional_keys__")
    return frozenset(
        name
        for name, mark in marks.items()
        if mark is typing.NotRequired or (mark is not typing.Required and name in unmarked)
    )


def constructor_fields(cls: type) -> list[tuple[str, Any, bool]]:
    """Return name, annotation and "by keyword only" of each field that the constructor takes.

    Raises UnsupportedResultError for one that can't be made of its fields.
    """
    if is_typed_dict(cls):
        return [(name, _needed(hint), True) for name, hint in _hints(cls).items()]
    if inspect.isabstract(cls):
        raise UnsupportedResultError(f"{cls.__qualname__} is abstract, so nothing is made of it")
    names = _names(cls) or []
    hints = _hints(cls)
    signature = inspect.signature(cls)
    called = _aliases(cls)
    # A constructor of its own, or an InitVar, may have other places than the fields.
    places = iter([name for name, each in signature.parameters.items() if each.kind in _POSITIONAL])
    in_place = True
    found: list[tuple[str, Any, bool]] = []
    for name in names:
        in_place = in_place and next(places, None) == name
        if name not in hints:
            raise UnsupportedResultError(f"{cls.__qualname__}.{name} has no annotation")
        found.append((name, _needed(hints[name]), not in_place))
    try:
        signature.bind(
            *(name for name, _, keyword in found if not keyword),
            **{called.get(name, name): name for name, _, keyword in found if keyword},
        )
    except TypeError as exc:
        raise UnsupportedResultError(
            f"{cls.__qualname__} cannot be made of its fields: {exc}"
        ) from None
    return found


def _aliases(cls: type) -> dict[str, str]:
    """The names by which the signature of pydantic's class shows fields that it takes by name.

    Raises UnsupportedResultError for one that takes a field by an alias alone.
    """
    fields = _own(cls, "model_fields")
    if fields is None:
        return {}
    settings: dict[str, Any] = _own(cls, "model_config") or {}
    by_name = settings.get("populate_by_name") or settings.get("validate_by_name")
    found: dict[str, str] = {}
    for name, field in fields.items():
        alias = field.validation_alias
        if alias is None or name in (alias, *getattr(alias, "choices", ())):
            continue
        if not by_name:
            raise UnsupportedResultError(
                f"{cls.__qualname__}.{name} is given by an alias alone: set populate_by_name=True "
                "in its model_config"
            )
        found[name] = alias if isinstance(alias, str) and alias.isidentifier() else name
    return found


def _needed(hint: Any) -> Any:
    """An annotation without the Final of a class, and Required and NotRequired of a TypedDict."""
    while get_origin(hint) in (Final, typing.Required, typing.NotRequired):
        (hint,) = get_args(hint)
    return hint


def _hints(cls: type) -> dict[str, Any]:
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except NameError as exc:
        raise UnsupportedResultError(
            f"{cls.__qualname__} is annotated with {exc.name!r}, which is not known where it stands"
        ) from None
    fields: dict[str, Any] = _own(cls, "model_fields") or {}
    for name, field in fields.items():
        if getattr(hints.get(name), "__parameters__", ()) or isinstance(hints.get(name), TypeVar):
            # pydantic knows what the parameters of a generic class stand for.
            hints[name] = field.annotation
    for each in _own(cls, "__attrs_attrs__") or ():
        # attrs leaves the underscore of a private attribute out of the constructor.
        if each.name in hints:
            hints[each.alias] = hints[each.name]
    return hints


def refuse_no_result(annotation: Any, kind: Any) -> None:
    """Refuse, by name, what neither a row nor one column becomes."""
    name = type_name(annotation)
    origin: Any = get_origin(kind) or kind
    items = [unwrapped(each)[0] for each in get_args(kind)]
    if is_typed_dict(kind) and not _is_marked(annotation):
        raise UnsupportedResultError(
            f"{name} is a TypedDict, and no row passes through a dict: return a dataclass; of a "
            "JSON column, Annotated[..., Json()]"
        )
    if origin in (*LISTS, tuple, set, frozenset) and any(map(is_row_class, items)):
        raise UnsupportedResultError(f"{name}: return list[...], which is empty for no rows")
    if origin is tuple and items and items[-1] is not Ellipsis:
        raise UnsupportedResultError(f"{name} has no names for columns: return a NamedTuple")
    if is_row_class(origin) and origin is not kind:
        raise UnsupportedResultError(f"{name} is generic: return a class that is not")
    if (
        isinstance(kind, type)
        and not is_any(kind)
        and kind is not NONE
        and "__annotations__" in vars(cast("type[Any]", kind))
        and kind.__module__ != "builtins"
        and _has_plain_constructor(cast("type[Any]", kind))
    ):
        raise UnsupportedResultError(
            f"{name} has annotations, and no constructor that takes them: make it a dataclass"
        )


def _is_marked(annotation: Any) -> bool:
    rules = [rule for each in members(annotation) for rule in unwrapped(each)[1]]
    return any(isinstance(rule, Json) for rule in rules)


def _has_plain_constructor(cls: type[Any]) -> bool:
    """Return whether the annotations alone determine how an instance is made."""
    return not any({"__init__", "__new__"} & vars(each).keys() for each in cls.__mro__[:-1])
