"""Columns go to fields by name, and rows become classes by their own constructors."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, InitVar, dataclass, field
from typing import Annotated, Any, Final, Generic, NamedTuple, TypeVar

import attrs
import msgspec
import pydantic
import pydantic.dataclasses
import pytest
from psycopg import Connection

from taskdb.errors import QueryDefinitionError
from tests.query.results.values import Address, Make, Pair


def test_columns_go_to_fields_by_name_and_in_any_order(
    conn: Connection[Any], queries_of: Make
) -> None:
    @dataclass
    class Row:
        a: int
        computed: int = field(init=False, default=9)
        _: KW_ONLY
        b: int
        c: int = 0

    query = queries_of("-- name: get\nselect 3 as c, 1 as a, 2 as b;")

    def get() -> Any: ...

    get.__annotations__["return"] = Row
    assert query(file="q")(get)(conn) == Row(1, b=2, c=3)


def test_a_constructor_may_have_other_places_than_the_fields(
    conn: Connection[Any], queries_of: Make
) -> None:
    @dataclass
    class Scaled:
        a: int
        scale: InitVar[int] = 10
        b: int = 0

    @dataclass(init=False)
    class Turned:
        a: int
        b: int

        def __init__(self, b: int, a: int) -> None:
            self.a, self.b = a, b

    query = queries_of(
        "-- name: scaled\nselect 1 as a, 2 as b;\n-- name: turned\nselect 1 as a, 2 as b;"
    )

    def scaled() -> Any: ...
    def turned() -> Any: ...

    scaled.__annotations__["return"] = Scaled
    turned.__annotations__["return"] = Turned
    assert query(file="q")(scaled)(conn) == Scaled(1, b=2)
    assert query(file="q")(turned)(conn) == Turned(a=1, b=2)


@pytest.mark.parametrize("annotation", [list[int], list[dict[str, Any]], tuple[int, str], int])
def test_what_comes_as_text_is_taken_for_nothing_else(
    conn: Connection[Any], queries_of: Make, annotation: Any
) -> None:
    conn.execute("create type pg_temp.mood as enum ('glad')")
    query = queries_of("-- name: get\nselect 1 as n, array['glad']::pg_temp.mood[] as moods;")

    @dataclass
    class Row:
        n: int
        moods: Any

    def get() -> Any: ...

    Row.__annotations__["moods"] = annotation
    get.__annotations__["return"] = Row
    with pytest.raises(QueryDefinitionError, match="moods as text, of a type that psycopg does no"):
        query(file="q")(get)(conn)


# Classes that rows become, by their own constructors.


class PairTuple(NamedTuple):
    name: str
    number: int | None = None


@attrs.define
class PairAttrs:
    name: str
    _number: int | None = attrs.field(kw_only=True)

    @property
    def number(self) -> int | None:
        return self._number


class PairModel(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)

    name: Annotated[str, pydantic.StringConstraints(to_upper=True)]
    number: int | None


class PairStruct(msgspec.Struct, frozen=True):
    name: str
    number: int | None


@pydantic.dataclasses.dataclass
class PairPydantic:
    name: str
    number: int | None


class PairByName(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(populate_by_name=True)

    name: str = pydantic.Field(alias="theName")
    number: int | None = pydantic.Field(validation_alias=pydantic.AliasChoices("n", "nr"))


N = TypeVar("N")


class GenericModel(pydantic.BaseModel, Generic[N]):
    name: str
    number: N | None


@dataclass
class PairFinal:
    name: Final[str]
    number: Final[int | None]


ROW_CLASSES: list[Any] = [
    *(PairTuple, PairAttrs, PairModel, PairStruct, PairPydantic, PairByName, GenericModel[int]),
    PairFinal,
]


@pytest.mark.parametrize("kind", ROW_CLASSES)
def test_rows_become_a_class_by_its_own_constructor(
    conn: Connection[Any], queries_of: Make, kind: Any
) -> None:
    query = queries_of(
        "-- name: get\nselect n as number, 'a' as name from (values (1), (null)) as v (n);\n"
        "-- name: bad\nselect null::text as name, 1 as number;\n"
        "-- name: more\nselect 'a' as name, 1 as number, 2 as colour;"
    )

    def get() -> Any: ...
    def bad() -> Any: ...
    def more() -> Any: ...

    get.__annotations__["return"] = bad.__annotations__["return"] = list[kind]
    more.__annotations__["return"] = kind | None
    found = query(file="q")(get)(conn)
    assert [type(row) for row in found] == [kind, kind]
    assert [row.number for row in found] == [1, None]
    assert {row.name for row in found} == {"A" if kind is PairModel else "a"}
    with pytest.raises(QueryDefinitionError, match="returned NULL in column name of row 1"):
        query(file="q")(bad)(conn)
    with pytest.raises(
        QueryDefinitionError, match=re.escape(f"not fit {kind.__qualname__}: column colour has")
    ):
        query(file="q")(more)(conn)


T = TypeVar("T")


@dataclass
class Page(Generic[T]):
    item: T


class Forgotten:
    name: str


@dataclass
class Shape(ABC):
    name: str

    @abstractmethod
    def area(self) -> int: ...


class Aliased(pydantic.BaseModel):
    name: str = pydantic.Field(alias="theName")


class AliasedChoices(pydantic.BaseModel):
    name: str = pydantic.Field(
        default="lost", validation_alias=pydantic.AliasChoices("theName", "the_name")
    )


# Values that are no row, and the error of each.
NO_RESULTS: list[tuple[Any, str]] = [
    (Sequence[Pair], "return list[...]"),
    (Iterable[Pair], "return list[...]"),
    (tuple[Pair, ...], "return list[...]"),
    (set[Pair], "return list[...]"),
    (Sequence[PairTuple] | None, "return list[...]"),
    (tuple[int, str], "return a NamedTuple"),
    (list[tuple[int, str]], "return a NamedTuple"),
    (Address, "Address is a TypedDict"),
    (list[Address], "Address is a TypedDict"),
    (Page[int], "Page[int] is generic"),
    (list[Page[int]], "Page[int] is generic"),
    (Forgotten, "make it a dataclass"),
    (list[Forgotten], "make it a dataclass"),
    (Shape, "Shape is abstract"),
    (list[Aliased], "Aliased.name is given by an alias alone: set populate_by_name=True"),
    (AliasedChoices, "AliasedChoices.name is given by an alias alone"),
]


@pytest.mark.parametrize(("annotation", "expected"), NO_RESULTS)
def test_what_no_row_becomes_is_refused_by_name_at_import(
    queries_of: Make, annotation: Any, expected: str
) -> None:
    query = queries_of("-- name: get\nselect 'a' as name, 1 as number;")

    def get() -> Any: ...

    get.__annotations__["return"] = annotation
    with pytest.raises(QueryDefinitionError, match=re.escape(expected)):
        query(file="q")(get)


def test_an_error_inside_a_dataclass_is_its_own(conn: Connection[Any], queries_of: Make) -> None:
    @dataclass
    class Strict:
        n: int

        def __post_init__(self) -> None:
            raise KeyError(self.n)

    query = queries_of("-- name: get\nselect 1 as n;")

    def get() -> Any: ...

    get.__annotations__["return"] = Strict
    with pytest.raises(KeyError) as caught:
        query(file="q")(get)(conn)
    assert caught.value.__notes__ == ["in row 1 of q.get at sql/q.sql:1:1"]
