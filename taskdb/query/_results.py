"""A query's result: what the stub's return annotation promises, and how rows become it.

A class for rows takes one column a field, matched by name; a scalar takes the one column. The loop
that makes the rows is compiled once for each shape of result, with a check for NULL in it where
a field is not Optional; no row passes through a dict.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeAlias, get_args, get_origin

from psycopg.adapt import AdaptersMap

from taskdb.query._annotations import NONE, is_any, is_class, members, spelled, unwrapped
from taskdb.query._conversions import MisreadError, conversion
from taskdb.query._rowclasses import (
    UnsupportedResultError,
    constructor_fields,
    is_row_class,
    refuse_no_result,
)
from taskdb.query._types import ServerType, TypeKind, fits, server_type
from taskdb.query.errors import QueryDefinitionError

__all__ = [
    "Field",
    "Loader",
    "Result",
    "ResultColumn",
    "Size",
    "UnsupportedResultError",
    "bare_name",
    "result_of",
]

Loader: TypeAlias = Callable[[Sequence[tuple[Any, ...]], int], list[Any]]


class Size(Enum):
    """How many rows a stub promises."""

    ONE = auto()
    AT_MOST_ONE = auto()
    MANY = auto()
    NONE = auto()


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A column of a result, as the server describes it."""

    name: str
    oid: int


@dataclass(frozen=True, slots=True)
class Field:
    """What takes one column: a field of a dataclass, or the scalar (then `name` is empty)."""

    name: str
    annotation: Any
    keyword: bool = False

    @property
    def nullable(self) -> bool:
        """Tell whether it takes NULL."""
        return is_any(self.annotation) or NONE in members(self.annotation)


@dataclass(frozen=True, slots=True)
class Result:
    """What a stub returns: `size` rows, each a dataclass `row` or, if that is None, a scalar."""

    annotation: Any
    size: Size
    row: type | None
    fields: tuple[Field, ...]

    @property
    def counts(self) -> bool:
        """Tell whether the number of affected rows satisfies it, where there are no rows."""
        return self.size is Size.ONE and self.row is None and self.fields[0].annotation is int

    def loader(
        self, columns: Sequence[ResultColumn], adapters: AdaptersMap, query: str, where: str
    ) -> Loader:
        """Return the function that turns tuples of *columns* into what the stub promises.

        Its second argument is the number of rows before them, for messages. *query* and *where*
        are for messages too. Raises QueryDefinitionError if columns and fields do not fit.
        """
        try:
            order = self._match([column.name for column in columns])
            types = [server_type(column.oid, adapters) for column in columns]
            for field, index in zip(self.fields, order, strict=True):
                self._check(field, columns[index], types[index])
        except UnsupportedResultError as exc:
            raise QueryDefinitionError(
                f"{query} {exc}",
                where=where,
                hint="Change the statement's columns, or what its function returns",
            ) from None
        return _Loop(self, columns, types, order, query, where).compiled()

    def named(self, field: Field) -> str:
        """Return how a message calls a field."""
        return f"{self.row.__name__}.{field.name}" if self.row else "the result"

    def _match(self, names: Sequence[str]) -> list[int]:
        """Return, for each field, which column it takes."""
        if self.row is None:
            if len(names) != 1:
                raise UnsupportedResultError(
                    f"returns {len(names)} columns ({', '.join(names)}), but its function promises "
                    f"{spelled(self.fields[0].annotation)}"
                )
            return [0]
        names = [bare_name(name) for name in names]
        wanted = [field.name for field in self.fields]
        wrong = [
            *(f"column {name} has no field" for name in names if name not in wanted),
            *(f"field {name} has no column" for name in wanted if name not in names),
            *(f"column {name} comes twice" for name in wanted if names.count(name) > 1),
        ]
        if wrong:
            raise UnsupportedResultError(
                f"does not fit {self.row.__qualname__}: {'; '.join(wrong)}"
            )
        return [names.index(name) for name in wanted]

    def _check(self, field: Field, column: ResultColumn, of: ServerType) -> None:
        """Refuse a column whose values are of another type than the field's."""
        if not fits(field.annotation, of):
            raise UnsupportedResultError(
                f"returns column {column.name} as {of.name}, but "
                f"{self.named(field)} is annotated {spelled(field.annotation)}"
            )


def bare_name(column: str) -> str:
    """Return a column's name without the mark by which its author speaks of NULL (`"name!"`)."""
    return column[:-1] if column.endswith(("!", "?")) else column


def result_of(annotation: Any) -> Result:
    """Return what a stub's return *annotation* promises. Raises UnsupportedResultError."""
    meant, _ = unwrapped(annotation)
    if meant is None or meant is NONE:
        return Result(annotation, Size.NONE, None, ())
    if get_origin(meant) is list:
        return Result(annotation, Size.MANY, *_row(get_args(meant)[0]))
    size = Size.AT_MOST_ONE if NONE in members(annotation) else Size.ONE
    return Result(annotation, size, *_row(annotation))


def _row(annotation: Any) -> tuple[type | None, tuple[Field, ...]]:
    kinds = [unwrapped(member)[0] for member in members(annotation) if member is not NONE]
    for kind in kinds:
        _refuse_unclear(annotation, kind)
    if len(kinds) == 1 and is_row_class(kinds[0]):
        return kinds[0], tuple(Field(*each) for each in constructor_fields(kinds[0]))
    for kind in kinds:
        refuse_no_result(annotation, kind)
    return None, (Field("", annotation),)


def _refuse_unclear(annotation: Any, kind: Any) -> None:
    origin: Any = get_origin(kind) or kind
    if kind is list:
        raise UnsupportedResultError(f"{spelled(annotation)} does not say what the rows are")
    if origin is list and is_row_class(get_args(kind)[0]):
        raise UnsupportedResultError(f"{spelled(annotation)}: no rows are an empty list, not None")
    if is_class(origin, Iterator, AsyncIterator):
        raise UnsupportedResultError(f"{spelled(annotation)}: return a list, and call .stream")


@dataclass(frozen=True, slots=True)
class _Loop:
    """The loop over the rows: its source reads as if written by hand for this one result."""

    result: Result
    columns: Sequence[ResultColumn]
    types: Sequence[ServerType]
    order: Sequence[int]
    query: str
    where: str

    def compiled(self) -> Loader:
        """Return the loop as a function."""
        names: dict[str, Any] = {
            "make": self.result.row,
            "refuse": self.refuse,
            "Misread": MisreadError,
        }
        checks: list[str] = []
        positional: list[str] = []
        keywords: list[str] = []
        for field, index in zip(self.result.fields, self.order, strict=True):
            if not field.nullable:
                checks.append(f"c{index} is None")
            value = _converted(field, self.types[index], index, names)
            if field.keyword:
                keywords.append(f"{field.name}={value}")
            else:
                positional.append(value)
        arguments = ", ".join([*positional, *keywords])
        source = [
            "def load(rows, before):",
            "    loaded = []",
            "    append = loaded.append",
            "    try:",
            f"        for ({''.join(f'c{i}, ' for i in range(len(self.columns)))}) in rows:",
            f"            if {' or '.join(checks) or 'False'}:",
            "                refuse(rows, len(loaded), before)",
            f"            append({f'make({arguments})' if self.result.row else arguments})",
            "    except Misread:",
            "        refuse(rows, len(loaded), before)",
            "    return loaded",
        ]
        exec(compile("\n".join(source), f"<rows of {self.query}>", "exec"), names)
        loader: Loader = names["load"]
        return loader

    def refuse(self, rows: Sequence[tuple[Any, ...]], index: int, before: int) -> None:
        """Raise what is wrong with a row that could not be made."""
        for field, column in zip(self.result.fields, self.order, strict=True):
            value = rows[index][column]
            place = f"column {self.columns[column].name} of row {before + index + 1}"
            if value is None and not field.nullable:
                null = (
                    "JSON's null, or NULL," if self.types[column].kind is TypeKind.JSON else "NULL"
                )
                raise QueryDefinitionError(
                    f"{self.query} returned {null} in {place}, but {self.result.named(field)} is "
                    "not Optional",
                    where=self.where,
                    hint="Annotate it with | None, or let the statement return no NULL",
                )
            convert = conversion(field.annotation, self.types[column])
            if value is not None and convert is not None:
                try:
                    convert(value)
                except MisreadError as misread:
                    raise QueryDefinitionError(
                        f"{self.query} returned {misread.value} in {place}, {misread.problem}",
                        where=self.where,
                        hint=misread.remedy,
                    ) from None


def _converted(field: Field, of: ServerType, index: int, names: dict[str, Any]) -> str:
    """Return the source of a field's value; what it needs goes to *names*."""
    convert = conversion(field.annotation, of)
    if convert is None:
        return f"c{index}"
    names[f"convert{index}"] = convert
    value = f"convert{index}(c{index})"
    return f"(None if c{index} is None else {value})" if field.nullable else value
