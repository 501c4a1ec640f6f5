"""A query's result: what the stub's return annotation promises, and how rows become it.

A class for rows takes one column a field, matched by name; a scalar takes the one column. The loop
that makes the rows is compiled once for each shape of result, with a check for NULL in it where
a field is not Optional; no row passes through a dict.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, TypeAlias, get_args, get_origin

import psycopg
from psycopg.adapt import AdaptersMap

from taskdb.query._annotations import NONE, is_any, is_class, members, type_name, unwrapped
from taskdb.query._conversions import MisreadError, conversion
from taskdb.query._rowclasses import (
    UnsupportedResultError,
    constructor_fields,
    field_name,
    holds_rows,
    is_row_class,
    refuse_no_result,
)
from taskdb.query._types import ServerType, TypeKind, fits, server_type
from taskdb.query.errors import QueryDefinitionError

if TYPE_CHECKING:
    from taskdb.query._nesting import Leaves, Nested

__all__ = [
    "Cardinality",
    "Field",
    "Loader",
    "Result",
    "ResultColumn",
    "UnsupportedResultError",
    "result_of",
]

Cursor: TypeAlias = psycopg.Cursor[Any] | psycopg.AsyncCursor[Any]
Loader: TypeAlias = Callable[[Sequence[tuple[Any, ...]], int, Cursor], list[Any]]


class Cardinality(Enum):
    """Number of rows that a stub promises."""

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
    """Target of one column: a field of a dataclass, or the scalar (then `name` is empty)."""

    name: str
    annotation: Any
    keyword: bool = False

    @property
    def nullable(self) -> bool:
        """Tell whether it takes NULL."""
        return is_any(self.annotation) or NONE in members(self.annotation)


@dataclass(frozen=True, slots=True)
class Result:
    """Result of a stub: `size` rows, each a dataclass `row` or, if that is None, a scalar."""

    annotation: Any
    cardinality: Cardinality
    row: type | None
    fields: tuple[Field, ...]

    @property
    def counts(self) -> bool:
        """Tell whether the number of affected rows satisfies it, where there are no rows."""
        return (
            self.cardinality is Cardinality.ONE
            and self.row is None
            and self.fields[0].annotation is int
        )

    def loader(
        self,
        columns: Sequence[ResultColumn],
        adapters: AdaptersMap,
        query: str,
        where: str,
        *,
        may_grow: bool = False,
    ) -> Loader:
        """Return the function that turns tuples of *columns* into what the stub promises.

        It takes the rows, the number of rows before them, for messages, and the cursor that they
        came through. *query* and *where* are for messages too. With *may_grow* columns without a
        field are passed over. Raises QueryDefinitionError if columns and fields do not fit.
        """
        try:
            order = self._match([column.name for column in columns], may_grow=may_grow)
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

    def _match(self, names: Sequence[str], *, may_grow: bool) -> list[int]:
        """Return, for each field, which column it takes.

        With *may_grow* columns without a field are passed over: those of a `*`, to which a
        migration may add some while this package runs.
        """
        if self.row is None:
            if len(names) != 1:
                raise UnsupportedResultError(
                    f"returns {len(names)} columns ({', '.join(names)}), but its function promises "
                    f"{type_name(self.fields[0].annotation)}"
                )
            return [0]
        names = [field_name(name) for name in names]
        wanted = [field.name for field in self.fields]
        spare = [name for name in names if name not in wanted]
        wrong = [
            *(f"column {name} has no field" for name in spare if not may_grow),
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
                f"{self.named(field)} is annotated {type_name(field.annotation)}"
            )


def result_of(annotation: Any) -> Result:
    """Return what a stub's return *annotation* promises. Raises UnsupportedResultError."""
    meant, _ = unwrapped(annotation)
    if meant is None or meant is NONE:
        return Result(annotation, Cardinality.NONE, None, ())
    if get_origin(meant) is list:
        return Result(annotation, Cardinality.MANY, *_row(get_args(meant)[0]))
    size = Cardinality.AT_MOST_ONE if NONE in members(annotation) else Cardinality.ONE
    return Result(annotation, size, *_row(annotation))


def _row(annotation: Any) -> tuple[type | None, tuple[Field, ...]]:
    kinds = [unwrapped(member)[0] for member in members(annotation) if member is not NONE]
    for kind in kinds:
        _refuse_unclear(annotation, kind)
    if len(kinds) == 1 and is_row_class(kinds[0]):
        fields = tuple(Field(*each) for each in constructor_fields(kinds[0]))
        for field in fields:
            _refuse_unreadable(field.annotation, f"{kinds[0].__qualname__}.{field.name}")
        return kinds[0], fields
    for kind in kinds:
        refuse_no_result(annotation, kind)
    _refuse_unreadable(annotation, "the result")
    return None, (Field("", annotation),)


def _refuse_unreadable(annotation: Any, at: str) -> None:
    if holds_rows(annotation):
        # Few queries need it.
        from taskdb.query._insides import refuse_unreadable_fields

        refuse_unreadable_fields(annotation, at)


def _nested(annotation: Any) -> Nested | None:
    """Return the reader of the rows in a column; None where it holds none."""
    if not holds_rows(annotation):
        return None
    from taskdb.query._nesting import Nested

    return Nested(annotation)


def _leaves(cursor: Cursor) -> Leaves:
    from taskdb.query._nesting import Leaves

    return Leaves(cursor)


def _refuse_unclear(annotation: Any, kind: Any) -> None:
    origin: Any = get_origin(kind) or kind
    if kind is list:
        raise UnsupportedResultError(f"{type_name(annotation)} does not say what the rows are")
    if origin is list and is_row_class(get_args(kind)[0]):
        raise UnsupportedResultError(
            f"{type_name(annotation)}: no rows are an empty list, not None"
        )
    if is_class(origin, Iterator, AsyncIterator):
        raise UnsupportedResultError(f"{type_name(annotation)}: return a list, and call .stream")


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
            "note": self.note,
            "Misread": MisreadError,
            "leaves_of": _leaves,
        }
        checks: list[str] = []
        prepared: list[str] = []
        positional: list[str] = []
        keywords: list[str] = []
        for field, index in zip(self.result.fields, self.order, strict=True):
            if not field.nullable:
                checks.append(f"c{index} is None")
            value = self._converted(field, index, names, prepared)
            if field.keyword:
                keywords.append(f"{field.name}={value}")
            else:
                positional.append(value)
        arguments = ", ".join([*positional, *keywords])
        source = [
            "def load(rows, before, cursor):",
            *(["    leaves = leaves_of(cursor)", *prepared] if prepared else []),
            "    loaded = []",
            "    append = loaded.append",
            "    try:",
            f"        for ({''.join(f'c{i}, ' for i in range(len(self.columns)))}) in rows:",
            f"            if {' or '.join(checks) or 'False'}:",
            "                refuse(rows, len(loaded), before, cursor)",
            f"            append({f'make({arguments})' if self.result.row else arguments})",
            "    except Misread:",
            "        refuse(rows, len(loaded), before, cursor)",
            "    except Exception as error:",
            "        note(error, before + len(loaded))",
            "        raise",
            "    return loaded",
        ]
        exec(compile("\n".join(source), f"<rows of {self.query}>", "exec"), names)
        loader: Loader = names["load"]
        return loader

    def _converted(
        self, field: Field, index: int, names: dict[str, Any], prepared: list[str]
    ) -> str:
        """Return the source of a field's value.

        What it needs goes to *names*, what is to be done once for each result to *prepared*.
        """
        inner, of, value = _nested(field.annotation), self.types[index], f"c{index}"
        if inner is not None:
            names[f"prepare{index}"] = inner.prepare(of)
            prepared.append(f"    convert{index} = prepare{index}(leaves)")
            if inner.needs_text(of):
                value = f"leaves.raw(len(loaded), {index})"
        elif convert := conversion(field.annotation, of):
            names[f"convert{index}"] = convert
        else:
            return value
        value = f"convert{index}({value})"
        return f"(None if c{index} is None else {value})" if field.nullable else value

    def note(self, error: Exception, row: int) -> None:
        """Note the place with what the class's constructor raised."""
        if not isinstance(error, QueryDefinitionError):
            error.add_note(f"in row {row + 1} of {self.query} at {self.where}")

    def refuse(
        self, rows: Sequence[tuple[Any, ...]], index: int, before: int, cursor: Cursor
    ) -> None:
        """Raise what is wrong with a row that could not be made."""
        leaves = _leaves(cursor)
        for field, column in zip(self.result.fields, self.order, strict=True):
            value, of = rows[index][column], self.types[column]
            if value is None:
                if not field.nullable:
                    null = "JSON's null, or NULL," if of.kind is TypeKind.JSON else "NULL"
                    problem = f"but {self.result.named(field)} is not Optional"
                    remedy = "Annotate it with | None, or let the statement return no NULL"
                    raise self._misread(MisreadError(null, problem, remedy), column, before + index)
                continue
            inner = _nested(field.annotation)
            convert = (
                inner.prepare(of)(leaves) if inner is not None else conversion(field.annotation, of)
            )
            if inner is not None and inner.needs_text(of):
                value = leaves.raw(index, column)
            if convert is not None:
                try:
                    convert(value)
                except MisreadError as misread:
                    raise self._misread(misread, column, before + index) from None

    def _misread(self, misread: MisreadError, column: int, row: int) -> QueryDefinitionError:
        return QueryDefinitionError(
            f"{self.query} returned {misread.value} in column {self.columns[column].name}"
            f"{misread.at} of row {row + 1}, {misread.problem}",
            where=self.where,
            hint=misread.remedy,
        )
