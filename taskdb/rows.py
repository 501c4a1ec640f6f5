"""A query's result: what the stub's return annotation promises, and how rows become it.

A dataclass takes one column a field, matched by name; a scalar takes the one column. The
constructor is compiled once for each shape of result, with a check for NULL in it where a
field is not Optional; no row passes through a dict.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, auto
from typing import Annotated, Any, Final, Literal, NewType, TypeAlias, get_args, get_origin
from uuid import UUID

import psycopg
from psycopg.adapt import AdaptersMap
from psycopg.pq import Format

from taskdb.errors import QueryDefinitionError

__all__ = ["Column", "Field", "Loader", "Result", "Size", "UnsupportedResult", "result_of"]

# What psycopg makes of each type of the server that has a fixed number. Types that a database
# defines itself (enums, domains' arrays, extensions) are not in it and pass as they come.
_PYTHON_TYPES: Final[dict[int, type]] = {
    **dict.fromkeys((16,), bool),
    **dict.fromkeys((17,), bytes),
    **dict.fromkeys((20, 21, 23, 26), int),
    **dict.fromkeys((700, 701), float),
    **dict.fromkeys((18, 19, 25, 1042, 1043), str),
    **dict.fromkeys((1114, 1184), datetime),
    **dict.fromkeys((1083, 1266), time),
    1082: date,
    1186: timedelta,
    1700: Decimal,
    2950: UUID,
}
_ITEM_TYPES: Final[dict[int, type]] = {
    **dict.fromkeys((1000,), bool),
    **dict.fromkeys((1001,), bytes),
    **dict.fromkeys((1005, 1007, 1016, 1028), int),
    **dict.fromkeys((1021, 1022), float),
    **dict.fromkeys((1002, 1003, 1009, 1014, 1015), str),
    **dict.fromkeys((1115, 1185), datetime),
    **dict.fromkeys((1183, 1270), time),
    1182: date,
    1187: timedelta,
    1231: Decimal,
    2951: UUID,
}
_JSON: Final = frozenset({114, 3802})

Loader: TypeAlias = Callable[[Sequence[tuple[Any, ...]], int], list[Any]]


class UnsupportedResult(Exception):
    """A return annotation that no row can become."""


class Size(Enum):
    """How many rows a stub promises."""

    ONE = auto()
    AT_MOST_ONE = auto()
    MANY = auto()
    NONE = auto()


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a result, as the server describes it."""

    name: str
    oid: int


@dataclass(frozen=True, slots=True)
class Field:
    """What takes one column: a field of a dataclass, or the scalar (then `name` is empty)."""

    name: str
    annotation: Any
    nullable: bool
    keyword: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What a stub returns: `size` rows, each `row` (a dataclass) or, if that is None, a scalar."""

    annotation: Any
    size: Size
    row: type | None
    fields: tuple[Field, ...]

    @property
    def counts(self) -> bool:
        """Tell whether a statement without rows satisfies it with the number it affected."""
        return self.size is Size.ONE and self.row is None and self.fields[0].annotation is int

    def loader(
        self, columns: Sequence[Column], adapters: AdaptersMap, query: str, where: str
    ) -> Loader:
        """Return the function that turns tuples of *columns* into what the stub promises.

        Its second argument is the number of rows before them, for messages. Raises
        QueryDefinitionError if columns and fields do not fit each other.
        """
        order = self._match(columns, query, where)
        for field, column in zip(self.fields, order, strict=True):
            _check_type(field, columns[column], adapters, query, where, self._owner)
        return _compile(self, columns, order, query, where)

    @property
    def _owner(self) -> str:
        return f"{self.row.__name__}." if self.row else "the result"

    def _match(self, columns: Sequence[Column], query: str, where: str) -> list[int]:
        """Return, for each field, which column it takes."""
        names = [column.name for column in columns]
        if self.row is None:
            if len(names) != 1:
                raise QueryDefinitionError(
                    f"{query} returns {len(names)} columns ({', '.join(names)}), "
                    f"but its function promises {_spelled(self.fields[0].annotation)}",
                    where=where,
                    hint="Select one column, or return a dataclass",
                )
            return [0]
        wanted = [field.name for field in self.fields]
        wrong = [
            *(f"column {name} has no field" for name in names if name not in wanted),
            *(f"field {name} has no column" for name in wanted if name not in names),
            *(
                f"column {name} comes twice"
                for name in dict.fromkeys(names)
                if names.count(name) > 1
            ),
        ]
        if wrong:
            raise QueryDefinitionError(
                f"{query} does not fit {self.row.__qualname__}: {'; '.join(wrong)}",
                where=where,
                hint="The columns of the statement and the fields of the dataclass are the same set",
            )
        return [names.index(name) for name in wanted]


def result_of(annotation: Any) -> Result:
    """Return what a stub's return *annotation* promises. Raises UnsupportedResult."""
    meant = _unwrapped(annotation)
    if meant is None or meant is type(None):
        return Result(annotation, Size.NONE, None, ())
    if get_origin(meant) is list and get_args(meant):
        row, fields = _row(get_args(meant)[0])
        return Result(annotation, Size.MANY, row, fields)
    members = _members(meant)
    if type(None) in members:
        row, fields = _row(meant)
        return Result(annotation, Size.AT_MOST_ONE, row, fields)
    row, fields = _row(meant)
    return Result(annotation, Size.ONE, row, fields)


def _row(annotation: Any) -> tuple[type | None, tuple[Field, ...]]:
    members = [member for member in _members(annotation) if member is not type(None)]
    single = _unwrapped(members[0]) if len(members) == 1 else None
    if isinstance(single, type) and dataclasses.is_dataclass(single):
        return single, _fields(single)
    if single is list or (isinstance(single, type) and _is_iterator(single)):
        raise UnsupportedResult(
            f"{_spelled(annotation)} does not say what it holds; write list[...]"
        )
    return None, (Field("", annotation, type(None) in _members(annotation)),)


def _is_iterator(cls: type) -> bool:
    return hasattr(cls, "__next__") or hasattr(cls, "__anext__")


def _fields(cls: type) -> tuple[Field, ...]:
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except NameError as exc:
        raise UnsupportedResult(
            f"{cls.__qualname__} is annotated with {exc.name!r}, unknown"
        ) from exc
    return tuple(
        Field(
            field.name,
            hints[field.name],
            type(None) in _members(hints[field.name]) or hints[field.name] in (Any, object),
            field.kw_only,
        )
        for field in dataclasses.fields(cls)
        if field.init
    )


def _unwrapped(annotation: Any) -> Any:
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        else:
            return annotation


def _members(annotation: Any) -> list[Any]:
    annotation = _unwrapped(annotation)
    if get_origin(annotation) in (typing.Union, types.UnionType):
        return [inner for member in get_args(annotation) for inner in _members(member)]
    return [annotation]


def _spelled(annotation: Any) -> str:
    name = getattr(annotation, "__qualname__", None)
    return name if name and not get_args(annotation) else str(annotation)


def _check_type(
    field: Field, column: Column, adapters: AdaptersMap, query: str, where: str, owner: str
) -> None:
    """Refuse a column of a type whose values are not what the field is annotated with."""
    default = psycopg.adapters.get_loader(column.oid, Format.TEXT)
    if adapters.get_loader(column.oid, Format.TEXT) is not default and column.oid not in _JSON:
        return  # The connection has a loader of its own for this type.
    if not any(_takes(member, column.oid) for member in _members(field.annotation)):
        type_name = psycopg.adapters.types[column.oid].name
        raise QueryDefinitionError(
            f"{query}: column {column.name} is of type {type_name}, but {owner}{field.name} is "
            f"annotated {_spelled(field.annotation)}",
            where=where,
            hint="Change the annotation, or cast the column in the statement",
        )


def _takes(annotation: Any, oid: int) -> bool:
    origin = get_origin(annotation) or annotation
    if origin in (Any, object):
        return True
    if origin is Literal:
        return any(_takes(type(value), oid) for value in get_args(annotation))
    if isinstance(origin, type) and issubclass(origin, Enum):
        values = {type(member.value) for member in origin}
        return oid not in _ITEM_TYPES and (oid not in _PYTHON_TYPES or _PYTHON_TYPES[oid] in values)
    if oid in _PYTHON_TYPES:
        return origin is _PYTHON_TYPES[oid]
    if oid in _ITEM_TYPES:
        items = get_args(annotation)
        return origin in (list, Sequence) and (
            not items or any(_takes_item(item, oid) for item in _members(items[0]))
        )
    if oid in _JSON:
        return origin in (dict, list, Mapping, Sequence) or typing.is_typeddict(origin)
    return True


def _takes_item(annotation: Any, oid: int) -> bool:
    annotation = _unwrapped(annotation)
    if get_origin(annotation) is list:
        return any(_takes_item(item, oid) for item in _members(get_args(annotation)[0]))
    element = next(each for each, made in _PYTHON_TYPES.items() if made is _ITEM_TYPES[oid])
    return _takes(annotation, element)


def _compile(
    result: Result, columns: Sequence[Column], order: Sequence[int], query: str, where: str
) -> Loader:
    """Compile the loop that makes the rows; it reads as if written by hand for this result."""
    names: dict[str, Any] = {"make": result.row, "UnknownMember": _UnknownMember}
    checks: list[str] = []
    arguments: list[str] = []
    for field, index in zip(result.fields, order, strict=True):
        value = f"c{index}"
        if not field.nullable:
            checks.append(f"{value} is None")
        convert = _conversion(field.annotation)
        if convert is not None:
            names[f"convert{index}"] = convert
            is_table = isinstance(convert, dict)
            value = f"convert{index}[{value}]" if is_table else f"convert{index}({value})"
            if field.nullable:
                value = f"None if c{index} is None else {value}"
        arguments.append(f"{field.name}={value}" if field.keyword else value)
    made = f"make({', '.join(arguments)})" if result.row else arguments[0]
    unpacked = "".join(f"c{index}, " for index in range(len(columns)))
    null = f"            if {' or '.join(checks)}: refuse(rows, len(loaded), before)"
    source = [
        "def load(rows, before):",
        "    loaded = []",
        "    append = loaded.append",
        "    try:",
        f"        for ({unpacked}) in rows:",
        *([null] if checks else []),
        f"            append({made})",
        "    except UnknownMember:",
        "        refuse(rows, len(loaded), before)",
        "    return loaded",
    ]
    names["refuse"] = _refusal(result, columns, order, query, where)
    exec(compile("\n".join(source), f"<rows of {query}>", "exec"), names)
    loader: Loader = names["load"]
    return loader


def _refusal(
    result: Result, columns: Sequence[Column], order: Sequence[int], query: str, where: str
) -> Callable[[Sequence[tuple[Any, ...]], int, int], None]:
    """Return the function that raises what is wrong with a row that could not be made."""

    def refuse(rows: Sequence[tuple[Any, ...]], index: int, before: int) -> None:
        for field, column in zip(result.fields, order, strict=True):
            value = rows[index][column]
            place = f"column {columns[column].name} of row {before + index + 1}"
            if value is None:
                if field.nullable:
                    continue
                target = f"{result.row.__name__}.{field.name}" if result.row else "the result"
                raise QueryDefinitionError(
                    f"{query} returned NULL in {place}, but {target} is not Optional",
                    where=where,
                    hint="Annotate it with | None, or let the statement return no NULL",
                )
            convert = _conversion(field.annotation)
            try:
                _ = convert[value] if isinstance(convert, dict) else convert and convert(value)
            except _UnknownMember as unknown:
                raise QueryDefinitionError(
                    f"{query} returned {unknown} in {place}, which {field.annotation} lacks",
                    where=where,
                    hint="Add it to the enumeration, or correct the data",
                ) from None

    return refuse


class _UnknownMember(Exception):
    """A value that an enumeration does not have."""


class _Members(dict[Any, Any]):
    """An enumeration's members by value, and by themselves: psycopg gives those if registered."""

    def __init__(self, cls: type[Enum]) -> None:
        super().__init__({member.value: member for member in cls})
        self.update({member: member for member in cls})

    def __missing__(self, value: Any) -> Any:
        raise _UnknownMember(repr(value)[:80])


def _conversion(annotation: Any) -> _Members | Callable[[Any], Any] | None:
    """Return what turns psycopg's value into the annotated one: a table, a function or nothing."""
    members = [member for member in _members(annotation) if member is not type(None)]
    if len(members) != 1:
        return None
    if isinstance(members[0], type) and issubclass(members[0], Enum):
        return _Members(members[0])
    if get_origin(members[0]) is list:
        items = [item for item in _members(get_args(members[0])[0]) if item is not type(None)]
        if len(items) == 1 and isinstance(items[0], type) and issubclass(items[0], Enum):
            return _enum_list(items[0])
    return None


_ITEM: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|([^,{}"]+)')


def _enum_list(cls: type[Enum]) -> Callable[[Any], list[Any]]:
    table = _Members(cls)
    table[None] = None

    def convert(value: Any) -> list[Any]:
        # The array of an enum that is not registered comes as the server's text: {a,"b c",NULL}.
        items = _array_items(value) if isinstance(value, str) else value
        return [table[item] for item in items]

    return convert


def _array_items(text: str) -> list[str | None]:
    items: list[str | None] = []
    for quoted, bare in _ITEM.findall(text):
        if bare:
            items.append(None if bare == "NULL" else bare)
        else:
            items.append(re.sub(r"\\(.)", r"\1", quoted))
    return items
