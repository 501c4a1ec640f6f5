"""The checks of a query's arguments, for a function or a dataclass."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, Final, Literal, ParamSpec, TypeVar, cast, get_args, get_origin

from taskdb.query._annotations import (
    LISTS,
    NONE,
    OBJECTS,
    Rule,
    is_class,
    members,
    unwrapped,
)
from taskdb.query._encoding import (
    Encoder,
    RefusedError,
    accept_items,
    accepting,
    apply,
    encoder,
    kind_of,
)
from taskdb.query._types import is_json, is_sequence, item_of
from taskdb.query.errors import ValidationError
from taskdb.query.rules import UNSET, Unset

__all__ = ["check_fields", "checked", "each_of", "inside"]

P = ParamSpec("P")
R = TypeVar("R")

_LISTS: Final = (*LISTS, tuple)


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Check the arguments of *function* by its annotations, as those of a query are.

    A call raises ValidationError naming the argument before anything of *function* runs, and so
    does the call of a coroutine function, not its await. What a query converts arrives converted:
    a UUID from its text, a member of an enumeration from its value. An iterator arrives as a list.
    Where a query has no type for the annotated class, an instance of it is accepted. A callable,
    a protocol and Any are not checked, and neither is a default.
    """

    @functools.cache
    def compiled() -> tuple[inspect.Signature, dict[str, Encoder]]:
        # At the first call: annotations may name what is imported later.
        signature = inspect.signature(function)
        hints = typing.get_type_hints(function, include_extras=True)
        return signature, {
            name: _accepting(_of_all(declared, hints.get(name, Any)))
            for name, declared in signature.parameters.items()
        }

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        signature, accept = compiled()
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as exc:
            raise TypeError(f"{function.__qualname__}() {exc}") from None
        try:
            for name, value in bound.arguments.items():
                bound.arguments[name] = _named(name, accept[name], value)
        except ValidationError as exc:
            exc.add_note(f"{function.__module__}.{function.__qualname__}")
            raise
        return function(*bound.args, **bound.kwargs)

    return call


def check_fields(instance: Any) -> None:
    """Check the fields of a dataclass by their annotations; for its `__post_init__`.

    Raises ValidationError naming the field.
    """
    for name, accept in _fields_of(cast("Any", type(instance))).items():
        _named(name, accept, getattr(instance, name))


@functools.cache
def _fields_of(cls: type) -> dict[str, Encoder]:
    hints = typing.get_type_hints(cls, include_extras=True)
    return {name: _accepting(annotation) for name, annotation in hints.items()}


def _of_all(declared: inspect.Parameter, annotation: Any) -> Any:
    """Return the annotation of what a parameter holds: of `*lines: str` a tuple of texts."""
    if declared.kind is declared.VAR_POSITIONAL:
        return tuple[annotation, ...]
    return Any if declared.kind is declared.VAR_KEYWORD else annotation


def _named(name: str, accept: Encoder, value: Any) -> Any:
    try:
        return accept(value)
    except RefusedError as refused:
        raise ValidationError(name + refused.at, refused.rule) from None


def _accepting(annotation: Any) -> Encoder:
    """Return what checks a value, and returns it as a function gets it. It raises RefusedError."""
    kinds = members(annotation)
    acceptors = [_of_kind(kind) for kind in kinds if kind not in (NONE, Unset)]
    if _anything in acceptors:
        return _anything

    def accept(value: Any) -> Any:
        if (value is None and NONE in kinds) or (value is UNSET and Unset in kinds):
            return value
        if value is None:
            raise RefusedError("must not be None")
        rules: list[str] = []
        for each in acceptors:
            try:
                return each(value)
            except RefusedError as refused:
                if len(acceptors) == 1:
                    raise
                rules.append(refused.rule)
        raise RefusedError(", or ".join(dict.fromkeys(rules)))

    return accept


def _anything(value: Any) -> Any:
    return value


def _of_kind(annotation: Any) -> Encoder:
    meant, rules = unwrapped(annotation)
    origin: Any = get_origin(meant) or meant
    if is_sequence(annotation, _LISTS) and not (origin is tuple and get_args(meant)[1:] != (...,)):
        return _items(origin, _accepting(item_of(meant)), rules)
    if origin in OBJECTS and get_args(meant)[1:] not in ((), (Any,)):
        return _entries(*map(_accepting, get_args(meant)))
    if accept := accepting(origin):
        return _ruled(accept, rules)
    if is_class(origin, Enum):
        return _checking(encoder(annotation), cast("Encoder", origin))
    if origin is Literal or origin in OBJECTS or is_json(annotation):
        return _checking(encoder(annotation), _anything)
    return _ruled(_instance(origin), rules)


def _ruled(accept: Encoder, rules: tuple[Rule, ...]) -> Encoder:
    def accept_ruled(value: Any) -> Any:
        accepted = accept(value)
        apply(rules, accepted)
        return accepted

    return accept_ruled if rules else accept


def _checking(check: Encoder, made: Encoder) -> Encoder:
    """Return what checks a value by encoding it, and returns what is *made* of it."""

    def accept(value: Any) -> Any:
        check(value)
        return made(value)

    return accept


def _items(origin: Any, accept: Encoder, rules: tuple[Rule, ...]) -> Encoder:
    def accept_all(value: Any) -> Any:
        listed = accept_items(value)
        apply(rules, listed)
        items = each_of(accept, listed)
        return tuple(items) if origin is tuple else items

    return accept_all


def _entries(accept_key: Encoder, accept_value: Encoder) -> Encoder:
    def accept(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise RefusedError(f"must be a dict, not {kind_of(value)}")
        entries = cast("Mapping[Any, Any]", value).items()
        return {
            inside(" key", accept_key, key): inside(f"[{key!a}]", accept_value, each)
            for key, each in entries
        }

    return accept


def inside(at: str, accept: Encoder, value: Any) -> Any:
    """Return what *accept* makes of a part of a value; a refusal names the part by *at*."""
    try:
        return accept(value)
    except RefusedError as refused:
        raise RefusedError(refused.rule, at + refused.at) from None


def each_of(accept: Encoder, items: Iterable[Any]) -> list[Any]:
    """Return what *accept* makes of each item; a refusal names the item by its index."""
    accepted: list[Any] = []
    for item in items:
        try:
            accepted.append(accept(item))
        except RefusedError as refused:
            raise RefusedError(refused.rule, f"[{len(accepted)}]{refused.at}") from None
    return accepted


def _instance(cls: Any) -> Encoder:
    """Return what accepts instances of a class, or everything where instances cannot be told."""
    if not isinstance(cls, type) or cls is object or cls.__module__ == "typing":
        return _anything
    if getattr(cls, "_is_protocol", False):
        return _anything

    def accept(value: Any) -> Any:
        if not isinstance(value, cls):
            article = "an" if cls.__name__[0] in "AEIOU" else "a"
            raise RefusedError(f"must be {article} {cls.__name__}, not {kind_of(value)}")
        return value

    return accept
