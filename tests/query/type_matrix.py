"""Types and annotations, each with each: whether `taskdb check` and a call say the same."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, NewType, TypedDict, get_args, get_origin
from uuid import UUID

import psycopg
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from taskdb.errors import QueryDefinitionError
from taskdb.query import Json, Naive, Queries, Query
from taskdb.query.check.catalogue import Catalogue
from taskdb.query.check.contract import _Comparison, describe_all
from taskdb.query.check.describe import Description
from taskdb.query.check.servertypes import Types, type_facts

Connection = psycopg.Connection[Any]


class Mood(StrEnum):
    GOOD = "good"
    BAD = "bad"


class Other(StrEnum):
    GOOD = "good"
    WORSE = "worse"


class Level(IntEnum):
    LOW = 7
    HIGH = 8


class Document(TypedDict):
    a: int


UserId = NewType("UserId", int)
NaiveTime = Annotated[datetime, Naive()]
# Not for the type checkers: its argument is known when the test runs.
MANY: Any = list
RANGE: Any = Range
AnyAddress = IPv4Address | IPv4Interface | IPv6Address | IPv6Interface

ANNOTATIONS: dict[str, Any] = {
    "Any": Any,
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "bytes": bytes,
    "Decimal": Decimal,
    "UUID": UUID,
    "date": date,
    "time": time,
    "datetime": datetime,
    "naive datetime": NaiveTime,
    "timedelta": timedelta,
    "Mood": Mood,
    "Other": Other,
    "Level": Level,
    "Literal of str": Literal["good", "bad"],
    "Literal of str, too few": Literal["good"],
    "Literal of int": Literal[7, 8],
    "int | None": int | None,
    "int | str": int | str,
    "NewType": UserId,
    "dict": dict[str, Any],
    "TypedDict": Document,
    "Json": Annotated[Any, Json()],
    "int of Json": Annotated[int, Json()],
    "list": list[Any],
    "list[int]": list[int],
    "list[str]": list[str],
    "list[float]": list[float],
    "list[bool]": list[bool],
    "list[Decimal]": list[Decimal],
    "list[UUID]": list[UUID],
    "list[date]": list[date],
    "list[datetime]": list[datetime],
    "list[Mood]": list[Mood],
    "list[Mood | None]": list[Mood | None],
    "list[Level]": list[Level],
    "list[Literal]": list[Literal["good", "bad"]],
    "list[dict]": list[dict[str, Any]],
    "list[Range]": list[Range[int]],
    "Sequence[int]": Sequence[int],
    "Sequence[str]": Sequence[str],
    "list[list[int]]": list[list[int]],
    "list[list[str]]": list[list[str]],
    "list[list[Mood]]": list[list[Mood]],
    "IPv4Address": IPv4Address,
    "IPv6Interface": IPv6Interface,
    "any address": AnyAddress,
    "network": IPv4Network | IPv6Network,
    "list of addresses": list[AnyAddress],
    "Range[int]": Range[int],
    "Range[Decimal]": Range[Decimal],
    "Range[date]": Range[date],
    "Range[datetime]": Range[datetime],
    "Range of naive": Range[NaiveTime],
    "Multirange[int]": Multirange[int],
    "Multirange[datetime]": Multirange[datetime],
    "tuple": tuple[str | None, ...],
}

SETUP = """
create type mood as enum ('good', 'bad');
create type pair as (n integer, s text);
create type textrange as range (subtype = text);
create domain short as text check (length(value) < 9);
create domain small as integer not null check (value < 9);
create domain few as integer[];
create table shelf (id integer);
"""

# Types, each with a value. Of an array the second has two dimensions.
TYPES: dict[str, str | tuple[str, str]] = {
    "bool": "true",
    "int2": "7",
    "int4": "7",
    "int8": "7",
    "oid": "7",
    "float4": "7.5",
    "float8": "7.5",
    "numeric": "7.5",
    "text": "good",
    "varchar(9)": "good",
    "char(4)": "good",
    "name": "good",
    '"char"': "g",
    "bytea": "good",
    "uuid": "0190163d-8694-739b-aea5-966c26f8ad91",
    "date": "2030-01-01",
    "time": "12:00",
    "timetz": "12:00+02",
    "timestamp": "2030-01-01 12:00",
    "timestamptz": "2030-01-01 12:00+00",
    "interval": "1 day",
    "json": '{"a": 7}',
    "jsonb": '{"a": 7}',
    "jsonpath": "$.a",
    "inet": "10.0.0.1",
    "cidr": "10.0.0.0/8",
    "macaddr": "08:00:2b:01:02:03",
    "macaddr8": "08:00:2b:01:02:03:04:05",
    "money": "7",
    "bit(3)": "101",
    "varbit": "101",
    "point": "(1,2)",
    "box": "(2,2),(1,1)",
    "circle": "<(1,2),3>",
    "pg_lsn": "0/7",
    "tsvector": "'good'",
    "tsquery": "'good'",
    "regclass": "shelf",
    "regtype": "integer",
    "xid8": "7",
    "refcursor": "good",
    "int4range": "[1,7)",
    "int8range": "[1,7)",
    "numrange": "[1.5,7)",
    "daterange": "[2030-01-01,2030-01-02)",
    "tsrange": "[2030-01-01,2030-01-02)",
    "tstzrange": "[2030-01-01 00:00+00,2030-01-02 00:00+00)",
    "int4multirange": "{[1,7)}",
    "int8multirange": "{[1,7)}",
    "tstzmultirange": "{[2030-01-01 00:00+00,2030-01-02 00:00+00)}",
    "int2[]": ("{7}", "{{7},{8}}"),
    "int4[]": ("{7,8}", "{{7},{8}}"),
    "int8[]": ("{7}", "{{7}}"),
    "float8[]": ("{7.5}", "{{7.5}}"),
    "numeric[]": ("{7.5}", "{{7.5}}"),
    "bool[]": ("{t,f}", "{{t}}"),
    "text[]": ("{good,bad}", "{{good}}"),
    "varchar[]": ("{good}", "{{good}}"),
    "uuid[]": ("{0190163d-8694-739b-aea5-966c26f8ad91}", "{}"),
    "date[]": ("{2030-01-01}", "{}"),
    "timestamptz[]": ('{"2030-01-01 12:00+00"}', "{}"),
    "timestamp[]": ('{"2030-01-01 12:00"}', "{}"),
    "json[]": ('{"{\\"a\\": 7}"}', "{}"),
    "jsonb[]": ('{"{\\"a\\": 7}"}', "{}"),
    "inet[]": ("{10.0.0.1}", "{}"),
    "money[]": ("{7}", "{}"),
    "box[]": ("{(2,2),(1,1);(2,2),(0,0)}", "{{(2,2),(1,1);(2,2),(0,0)}}"),
    "int4range[]": ('{"[1,7)"}', "{}"),
    "int2vector": "1 2",
    "mood": "good",
    "mood[]": ("{good,bad}", "{{good},{bad}}"),
    "pair": "(7,good)",
    "pair[]": ('{"(7,good)"}', "{}"),
    "textrange": "[bad,good)",
    "short": "good",
    "short[]": ("{good,bad}", "{{good}}"),
    "small": "7",
    "small[]": ("{7}", "{{7}}"),
    "few": ("{7,8}", "{{7}}"),
}
# The same of extensions, where the server has them.
EXTENSIONS: dict[str, dict[str, str | tuple[str, str]]] = {
    "citext": {"citext": "good", "citext[]": ("{good,bad}", "{{good}}")},
    "ltree": {"ltree": "good", "ltree[]": ("{good}", "{{good}}"), "lquery": "good"},
    "hstore": {"hstore": '"good"=>"7"', "hstore[]": ('{"\\"a\\"=>\\"7\\""}', "{}")},
    "vector": {"vector": "[1,2,3]"},
    "cube": {"cube": "(1, 2)"},
    "seg": {"seg": "1 .. 2"},
    "isn": {"isbn": "978-0-393-04002-9"},
    "lo": {"lo": "7"},
}
# Where a type has values of several classes, the one for an annotation.
VALUES: dict[tuple[str, str], str] = {
    ("inet", "IPv6Interface"): "::1/64",
    ("mood", "Other"): "bad",
    ("mood", "Literal of str, too few"): "bad",
    **{(name, "int"): "7" for name in ("numeric",)},
    **{(name, "NewType"): "7" for name in ("numeric",)},
    **{(name, "int | None"): "7" for name in ("numeric",)},
    **{(name, "int | str"): "7" for name in ("numeric",)},
    ("numeric[]", "list[int]"): "{7}",
    ("numeric[]", "Sequence[int]"): "{7}",
    ("numeric[]", "list[list[int]]"): "{{7}}",
    **{
        (name, label): '"good"'
        for name in ("json", "jsonb")
        for label in ("Mood", "Other", "str", "Literal of str")
    },
    **{
        (name, f"{kind}[{item}]"): f"[{value}]"
        for name in ("json", "jsonb")
        for item, value in (
            ("int", 7),
            ("str", '"good"'),
            ("float", 7.5),
            ("bool", "true"),
            ("Literal", '"good"'),
            ("dict", '{"a": 7}'),
            ("list[int]", [7]),
            ("list[str]", '["good"]'),
        )
        for kind in ("list", "Sequence")
    },
    **{(name, "list"): "[1]" for name in ("json", "jsonb")},
    **{(name, label): "7" for name in ("json", "jsonb") for label in ("int", "int of Json")},
}
# Where the one value that is sent comes back by chance: it is the only right one of the
# annotation, or reads as an array although it is none.
BY_CHANCE = {
    ("mood", "Literal of str, too few"),
    *(("citext", label) for label in ANNOTATIONS if label.startswith(("list", "Sequence"))),
}
DEEP = ("list[list[int]]", "list[list[str]]", "list[list[Mood]]")


def value_of(name: str, label: str, values: str | tuple[str, str]) -> str:
    if (name, label) in VALUES:
        return VALUES[name, label]
    return values[label in DEEP] if isinstance(values, tuple) else values


def is_a(value: Any, annotation: Any) -> bool:
    """Return whether *value* is of the annotated type, by the rules of Python's typing."""
    if isinstance(annotation, NewType):
        return is_a(value, annotation.__supertype__)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        if arguments[0] is datetime:
            return type(value) is datetime and value.tzinfo is None
        return is_a(value, arguments[0])
    if annotation is Any:
        return True
    if origin in (typing.Union, UnionType):
        return any(is_a(value, member) for member in arguments)
    if origin is Literal:
        return any(value == each and type(value) is type(each) for each in arguments)
    if origin in (list, Sequence):
        return isinstance(value, list) and all(is_a(item, arguments[0]) for item in value)
    if origin is tuple:
        return isinstance(value, tuple) and all(is_a(item, arguments[0]) for item in value)
    if origin is Range:
        return isinstance(value, Range) and all(
            bound is None or is_a(bound, arguments[0]) for bound in (value.lower, value.upper)
        )
    if origin is Multirange:
        return isinstance(value, Multirange) and all(
            is_a(each, RANGE[arguments[0]]) for each in value
        )
    if origin is dict or typing.is_typeddict(annotation):
        return isinstance(value, dict)
    if annotation is datetime:
        return type(value) is datetime and value.tzinfo is not None
    return type(value) is annotation


class Cell(typing.NamedTuple):
    """Verdict of the check on a query, and result of a call of it."""

    found: list[str]
    given: Any
    is_right: bool

    @property
    def agrees(self) -> bool:
        return self.is_right != bool(self.found)


class Matrix:
    """Makes queries out of statements and annotations, each statement described once."""

    def __init__(self, conn: Connection, folder: Path) -> None:
        self.conn = conn
        self.folder = folder
        self.files: dict[str, Queries] = {}
        self.descriptions: dict[str, tuple[Description, Types]] = {}

    def make(self, sql: str, function: Any) -> Query[Any, Any]:
        if sql not in self.files:
            folder = self.folder / str(len(self.files))
            folder.mkdir()
            (folder / "q.sql").write_text(f"-- name: probe\n{sql};\n")
            self.files[sql] = Queries(folder)
        function.__name__ = function.__qualname__ = "probe"
        self.files[sql]._queries.clear()
        query: Query[Any, Any] = self.files[sql](file="q")(function)
        return query

    def cell(self, sql: str, function: Any, annotation: Any, *arguments: Any) -> Cell:
        query = self.make(sql, function)
        variant = next(query.variants())
        if sql not in self.descriptions:
            (described,) = describe_all(self.conn, [query], Catalogue())
            assert isinstance(described.result, Description), described.result
            types = Types(type_facts(self.conn, [described.result]), self.conn.adapters)
            self.descriptions[sql] = described.result, types
        comparison = _Comparison(query, variant, *self.descriptions[sql])
        found = [each.message for each in comparison.findings() if "NULL" not in each.message]
        try:
            with self.conn.transaction(force_rollback=True):
                (given,) = query(self.conn, *arguments)
        except (psycopg.Error, QueryDefinitionError, ValueError) as exc:
            return Cell(found, exc, False)
        given = getattr(given, "v", given) if dataclasses.is_dataclass(given) else given
        return Cell(found, given, is_a(given, annotation))


def depends_on_the_value(label: str, name: str, value: str, cell: Cell) -> bool:
    """Return whether a text is none of an Enum's or a Literal's values: no matter of types."""
    is_of_numbers = label in ("Level", "Literal of int", "list[Level]")
    is_wrong = value not in (("7",) if is_of_numbers else ("good", "bad", "{good,bad}"))
    return is_wrong and not cell.found and "does not have" in str(cell.given)


def disagreements(matrix: Matrix, name: str, values: str | tuple[str, str]) -> list[str]:
    wrong: list[str] = []
    cells = 0
    for label, annotation in ANNOTATIONS.items():
        value = value_of(name, label, values)
        literal = "'" + value.replace("'", "''") + "'"
        row = dataclasses.make_dataclass("Row", [("v", annotation)])

        def scalar() -> Any: ...
        def field() -> Any: ...
        def parameter(v: Any) -> Any: ...

        # A TypedDict alone would be taken for a row, so it is refused at import.
        result = row if typing.is_typeddict(annotation) else annotation
        scalar.__annotations__["return"] = MANY[result]
        field.__annotations__["return"] = MANY[row]
        parameter.__annotations__ |= {"v": annotation, "return": MANY[result]}
        read = matrix.cell(f"select cast({literal} as {name}) as v", scalar, annotation)
        made = {
            "result": read,
            "field": matrix.cell(f"select cast({literal} as {name}) as v", field, annotation),
        }
        is_in_doubt = depends_on_the_value(label, name, value, read) or (name, label) in BY_CHANCE
        if label not in NOT_SENT and not is_in_doubt:
            sent = [read.given if read.is_right else SAMPLES.get(label), *MORE.get(label, [])]
            back = [
                matrix.cell(f"select cast(:v as {name}) as v", parameter, annotation, each)
                for each in sent
            ]
            is_right = all(
                cell.is_right and cell.given == each for cell, each in zip(back, sent, strict=True)
            )
            made["parameter"] = Cell(back[0].found, [cell.given for cell in back], is_right)
        for what, cell in made.items():
            cells += 1
            if not cell.agrees and not is_in_doubt:
                wrong.append(f"{name} as {label}, {what}: {cell.found}, given {cell.given!r}")
    assert cells >= 2 * len(ANNOTATIONS)
    return wrong


# Annotations of which no parameter can be, and those of which several values are tried.
NOT_SENT = ("Any", "list[Range]", "list of addresses", "tuple")
MORE: dict[str, list[Any]] = {
    "Json": [{"a": 7}, [7], "good"],
    "list": [["good", 7, None]],
    "int | str": [7, "good"],
    "any address": [IPv6Interface("::1/64")],
}
# A value of each annotation that can be sent, where none was read.
SAMPLES: dict[str, Any] = {
    "bool": True,
    "int": 7,
    "float": 7.5,
    "str": "good",
    "bytes": b"good",
    "Decimal": Decimal("7.5"),
    "UUID": UUID("0190163d-8694-739b-aea5-966c26f8ad91"),
    "date": date(2030, 1, 1),
    "time": time(12),
    "datetime": datetime.fromisoformat("2030-01-01T12:00+00:00"),
    "naive datetime": datetime(2030, 1, 1, 12),
    "timedelta": timedelta(days=1),
    "Mood": Mood.GOOD,
    "Other": Other.WORSE,
    "Level": Level.LOW,
    "Literal of str": "good",
    "Literal of str, too few": "good",
    "Literal of int": 7,
    "int | None": 7,
    "int | str": 7,
    "NewType": 7,
    "dict": {"a": 7},
    "TypedDict": {"a": 7},
    "Json": {"a": 7},
    "int of Json": 7,
    "list": [7],
    "list[int]": [7],
    "list[str]": ["good"],
    "list[float]": [7.5],
    "list[bool]": [True],
    "list[Decimal]": [Decimal("7.5")],
    "list[UUID]": [UUID("0190163d-8694-739b-aea5-966c26f8ad91")],
    "list[date]": [date(2030, 1, 1)],
    "list[datetime]": [datetime.fromisoformat("2030-01-01T12:00+00:00")],
    "list[Mood]": [Mood.GOOD],
    "list[Mood | None]": [Mood.GOOD, None],
    "list[Level]": [Level.LOW],
    "list[Literal]": ["good"],
    "list[dict]": [{"a": 7}],
    "Sequence[int]": [7],
    "Sequence[str]": ["good"],
    "list[list[int]]": [[7]],
    "list[list[str]]": [["good"]],
    "list[list[Mood]]": [[Mood.GOOD]],
    "IPv4Address": IPv4Address("10.0.0.1"),
    "IPv6Interface": IPv6Interface("::1/64"),
    "any address": IPv4Address("10.0.0.1"),
    "network": IPv4Network("10.0.0.0/8"),
    "Range[int]": Range(1, 7),
    "Range[Decimal]": Range(Decimal(1), Decimal(7)),
    "Range[date]": Range(date(2030, 1, 1), None),
    "Range[datetime]": Range(datetime.fromisoformat("2030-01-01T12:00+00:00"), None),
    "Range of naive": Range(datetime(2030, 1, 1), None),
    "Multirange[int]": Multirange([Range(1, 7)]),
    "Multirange[datetime]": Multirange(
        [Range(datetime.fromisoformat("2030-01-01T12:00+00:00"), None)]
    ),
}
