"""A query's arguments: bound as the stub's signature says, each checked and encoded."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, NoReturn, cast
from uuid import UUID

from taskdb.query._annotations import NONE, is_class, members, unwrapped
from taskdb.query._encoding import Encoder, RefusedError, UnsupportedError, encoder
from taskdb.query._rowclasses import column_name
from taskdb.query.errors import ValidationError
from taskdb.query.rules import UNSET, Unset

__all__ = ["Parameter", "binder", "checker", "parameters_of", "row_binder"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a stub: what it may be, and how it is sent.

    `name` is the statement's, `argument` the function's: `class_` for `:class`, which is a keyword
    of Python. `nullable` and `unsettable` say whether its annotation has None and Unset; `is_key`
    whether its value may be named in a message ("no row for key='T-1'"); `is_flag` whether it is
    a bool that only keeps lines.
    """

    name: str
    argument: str
    annotation: Any
    nullable: bool
    unsettable: bool
    is_key: bool
    encode: Encoder
    is_flag: bool = False

    def named_in(self, names: Collection[str]) -> Parameter:
        """Return it under the name that a statement has among its *names*."""
        name = column_name(self.name)
        return self if self.name in names or name not in names else replace(self, name=name)

    def as_flag(self) -> Parameter:
        """Return it as one that is not sent and only keeps lines: for False they are left out."""
        encode, absent = self.encode, UNSET if self.unsettable else None

        def encode_flag(value: Any) -> Any:
            encoded = encode(value)
            return absent if value is False else encoded

        return replace(self, encode=encode_flag, is_flag=True)

    def converter(self, where: str | None) -> Encoder:
        """Return the function that checks and encodes a value, or raises ValidationError.

        None and UNSET pass where the annotation has them.
        """
        name, nullable, unsettable = self.argument, self.nullable, self.unsettable
        encode = self.encode

        def convert(value: Any) -> Any:
            if value is None:
                if nullable:
                    return None
                raise ValidationError(name, "must not be None", where=where)
            if value is UNSET and unsettable:
                return UNSET
            try:
                return encode(value)
            except RefusedError as refused:
                raise ValidationError(name + refused.at, refused.rule, where=where) from None

        return convert


def parameters_of(signature: inspect.Signature, hints: Mapping[str, Any]) -> list[Parameter]:
    """Return a stub's parameters; *hints* are its resolved annotations.

    Raises UnsupportedError, whose text begins with the parameter's name.
    """
    return [_parameter(declared, hints) for declared in signature.parameters.values()]


def checker(name: str, annotation: Any) -> Encoder:
    """Return the function that checks a value as a query checks its argument *name*.

    It raises ValidationError. Raises UnsupportedError for an annotation that does not say enough.
    """
    return _named(name, annotation).converter(None)


def _parameter(declared: inspect.Parameter, hints: Mapping[str, Any]) -> Parameter:
    name = declared.name
    if declared.kind in (declared.VAR_POSITIONAL, declared.VAR_KEYWORD):
        raise UnsupportedError(f"{name} stands for any number of arguments")
    if name not in hints:
        raise UnsupportedError(f"{name} has no annotation")
    return _named(name, hints[name])


def _named(name: str, annotation: Any) -> Parameter:
    kinds = members(annotation)
    try:
        encode = encoder(annotation)
    except UnsupportedError as exc:
        raise UnsupportedError(f"{name} is {exc}") from None
    return Parameter(
        name=name,
        argument=name,
        annotation=annotation,
        nullable=NONE in kinds,
        unsettable=Unset in kinds,
        is_key=all(_is_key(name, kind) for kind in kinds),
        encode=encode,
    )


def _is_key(name: str, annotation: Any) -> bool:
    """Tell whether a value identifies something: numbers, states, and text that is named so."""
    meant, _ = unwrapped(annotation)
    if meant is str:
        return name in ("key", "id", "name") or name.endswith(("_key", "_id", "_name"))
    return meant in (int, UUID, NONE, Unset) or is_class(meant, Enum)


def binder(
    function: Callable[..., Any], parameters: Sequence[Parameter], where: str
) -> Callable[..., tuple[Any, ...]]:
    """Return a function with the stub's own signature that returns its arguments, encoded.

    It is compiled once, so a call binds its arguments as any Python call does, and wrong ones
    raise the TypeError that calling *function* would raise.
    """
    names: dict[str, Any] = {}
    for index, parameter in enumerate(parameters):
        names[f"__convert{index}"] = parameter.converter(where)
    signature = ", ".join(_declarations(inspect.signature(function), names))
    values = "".join(f"__convert{i}({each.argument}), " for i, each in enumerate(parameters))
    source = f"def {function.__name__}({signature}):\n    return ({values})\n"
    exec(compile(source, f"<arguments of {function.__name__}>", "exec"), names)
    bind: Callable[..., tuple[Any, ...]] = names[function.__name__]
    return bind


def _declarations(signature: inspect.Signature, names: dict[str, Any]) -> Iterator[str]:
    """Yield a signature's parts as source; the defaults go to *names*."""
    previous: Any = None
    for index, declared in enumerate(signature.parameters.values()):
        if previous is declared.POSITIONAL_ONLY and declared.kind is not previous:
            yield "/"
        if declared.kind is declared.KEYWORD_ONLY and declared.kind is not previous:
            yield "*"
        previous = declared.kind
        if declared.default is declared.empty:
            yield declared.name
        else:
            names[f"__default{index}"] = declared.default
            yield f"{declared.name}=__default{index}"
    if previous is inspect.Parameter.POSITIONAL_ONLY:
        yield "/"


def row_binder(parameters: Sequence[Parameter], where: str) -> Callable[[Any], list[Any]]:
    """Return the function that encodes one row of a copy: values in order, or by name.

    It is compiled for its columns: a row costs a call for each value, and none around them.
    """
    names = [parameter.name for parameter in parameters]
    columns = frozenset(names)

    def ordered(row: Any) -> Collection[Any]:
        """Return the values of a row in the order of the columns."""
        if isinstance(row, Mapping):
            by_name = cast("Mapping[str, Any]", row)
            if wrong := by_name.keys() ^ columns:
                rule = f"must have the columns of the copy; {', '.join(sorted(wrong))} differ"
                raise ValidationError("row", rule, where=where)
            return [by_name[name] for name in names]
        if not _is_row(row):
            rule = f"must be a sequence or a mapping, not {type(row).__name__}"
            raise ValidationError("row", rule, where=where)
        return cast("Collection[Any]", row)

    def refuse() -> NoReturn:
        raise ValidationError(
            "row", f"must have {len(names)} values: {', '.join(names)}", where=where
        )

    compiled: dict[str, Any] = {"ordered": ordered, "refuse": refuse}
    for index, parameter in enumerate(parameters):
        compiled[f"convert{index}"] = parameter.converter(where)
    values = "".join(f"value{index}, " for index in range(len(names)))
    source = f"""
def bind(row):
    if type(row) is not tuple:
        row = ordered(row)
    if len(row) != {len(names)}:
        refuse()
    [{values}] = row
    return [{"".join(f"convert{index}(value{index}), " for index in range(len(names)))}]
"""
    exec(compile(source, f"<row of {where}>", "exec"), compiled)
    bind: Callable[[Any], list[Any]] = compiled["bind"]
    return bind


def _is_row(value: Any) -> bool:
    """Tell whether it holds values in an order: a text is one value, and a set has none."""
    return isinstance(value, Collection) and not isinstance(value, str | bytes | set | frozenset)
