"""Arguments: what each annotation takes, what it refuses, and what reaches the server."""

from __future__ import annotations

import inspect
import ipaddress
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple, NewType, TypedDict
from uuid import UUID

import pytest
from psycopg.types.range import Range as PgRange
from typing_extensions import TypeAliasType

from taskdb.errors import ValidationError
from taskdb.query import UNSET, Json, Length, Matches, Naive, Range, Unset
from taskdb.query._encoding import RefusedError, encoder
from taskdb.query._parameters import Parameter, binder, parameters_of


class Colour(StrEnum):
    RED = "red"
    GREEN = "green, or so"


class Weight(IntEnum):
    LIGHT = 1
    HEAVY = 2


class Address(TypedDict):
    street: str


class Text(str):
    __slots__ = ()


class Share(float):
    """A float of its own kind, as numpy's are."""


class Point(NamedTuple):
    x: int
    y: float


TaskId = NewType("TaskId", UUID)
# The result of `type Title = ...` from Python 3.12 on.
Title = TypeAliasType("Title", Annotated[str, Length(1)])
SOME_ID = UUID("0190163d-8694-739b-aea5-966c26f8ad91")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

TAKEN = [
    # annotation, value, what is sent
    (str, "it's", "it's"),
    (str, Text("a"), "a"),
    (str, Colour.RED, "red"),
    (str, "naïve 😀", "naïve 😀"),
    (int, -5, "-5"),
    (int, Weight.HEAVY, "2"),
    (int, 2**63 - 1, "9223372036854775807"),
    (float, 1, "1.0"),
    (float, 0.1, "0.1"),
    (float, float("inf"), "inf"),
    (Decimal, Decimal("1.50"), "1.50"),
    (Decimal, 3, "3"),
    (bool, True, "true"),
    (bool, False, "false"),
    (UUID, SOME_ID, str(SOME_ID)),
    (UUID, SOME_ID.hex.upper(), str(SOME_ID)),
    (TaskId, SOME_ID, str(SOME_ID)),
    (Title, "a", "a"),
    (datetime, NOON, "2026-03-01T12:00:00+00:00"),
    (
        datetime,
        NOON.astimezone(timezone(timedelta(hours=5, minutes=53, seconds=28))),
        "2026-03-01T12:00:00+00:00",
    ),
    (date, date(2026, 3, 1), "2026-03-01"),
    (time, time(12, 30), "12:30:00"),
    (Annotated[datetime, Naive()], datetime(2026, 3, 1), "2026-03-01T00:00:00"),
    (PgRange[int], PgRange(1, None), PgRange(1, None)),
    (timedelta, timedelta(days=-1, microseconds=5), "P-1DT0.000005S"),
    (bytes, b"\0\xff", b"\0\xff"),
    (bytes, memoryview(b"a"), b"a"),
    (Colour, Colour.RED, "red"),
    (Colour, "red", "red"),
    (Weight, 2, "2"),
    (Literal["a", 2], "a", "a"),
    (Literal["a", 2], 2, "2"),
    (int | str, "a", "a"),
    (int | str, 1, "1"),
    (int | None, 1, "1"),
    (Annotated[int | None, Range(1, 10)], 10, "10"),
    (Annotated[int, Range(1, 10)] | None, 1, "1"),
    (list[int], [1, -2], '{"1","-2"}'),
    (list[int], [], "{}"),
    (list[int | None], [1, None], '{"1",NULL}'),
    (list[str], ['a "b" \\c', "NULL", ""], '{"a \\"b\\" \\\\c","NULL",""}'),
    (list[Colour], ["red", Colour.GREEN], '{"red","green, or so"}'),
    (list[bytes], [b"\x01"], '{"\\\\x01"}'),
    (list[list[int]], [[1], [2]], '{{"1"},{"2"}}'),
    (list[Literal["a"]], ["a"], '{"a"}'),
    (tuple[int, ...], (1, 2), '{"1","2"}'),
    (set[int], {1}, '{"1"}'),
    (Sequence[int], range(2), '{"0","1"}'),
    (Collection[int], [1], '{"1"}'),
    (Iterable[int], (i for i in (1, 2)), '{"1","2"}'),
    (dict[str, Any], {"a": [1, 2.5, None, True, "é"]}, '{"a":[1,2.5,null,true,"é"]}'),
    (dict[str, int], {"a": 2**64 - 1}, '{"a":18446744073709551615}'),
    (Mapping[str, Any], MappingProxyType({"a": 1}), '{"a":1}'),
    (Address, {"street": "Main"}, '{"street":"Main"}'),
    (dict[str, Any], {Colour.RED: {Text("n"): 1}}, '{"red":{"n":1}}'),
    (list[Any], [Point(1, Share(0.5))], "[[1,0.5]]"),
    (list[Any], [{"a": 1}, "b"], '[{"a":1},"b"]'),
    (list[dict[str, Any]], [{"a": 1}], '[{"a":1}]'),
    (list[Annotated[Any, Json()]], [1], "[1]"),
    (Annotated[Any, Json()], "text", '"text"'),
    (ipaddress.IPv4Address, ipaddress.IPv4Address("10.0.0.1"), ipaddress.IPv4Address("10.0.0.1")),
]


@pytest.mark.parametrize(("annotation", "value", "sent"), TAKEN)
def test_a_value_is_sent_as_the_server_reads_it(annotation: Any, value: Any, sent: Any) -> None:
    assert encoder(annotation)(value) == sent


REFUSED = [
    # annotation, value, the rule that it breaks
    (str, 1, "must be a str, not int"),
    (str, b"a", "must be a str, not bytes"),
    (str, "a\0b", "must not contain the NUL character"),
    (str, "a\ud800", "must not contain half a surrogate pair"),
    (int, True, "must be an int, not bool"),
    (int, "1", "must be an int, not str"),
    (int, 1.0, "must be an int, not float"),
    (int, 2**63, "must be between -9223372036854775808 and 9223372036854775807"),
    (float, "1", "must be a float, not str"),
    (float, True, "must be a float, not bool"),
    (float, 10**400, "must fit into eight bytes"),
    (Decimal, 1.5, "must be a Decimal, not float"),
    (Decimal, True, "must be a Decimal, not bool"),
    (Decimal, Decimal("sNaN"), "must not be a signalling NaN"),
    (bool, 1, "must be a bool, not int"),
    (UUID, "not-a-uuid", "must be a UUID: 32 hexadecimal digits, hyphens optional"),
    (UUID, 5, "must be a UUID, not int"),
    (datetime, datetime(2026, 3, 1), "must have a time zone"),
    (datetime, date(2026, 3, 1), "must be a datetime, not date"),
    (
        datetime,
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        "must lie in the years 1 to 9999 of UTC",
    ),
    (date, NOON, "must be a date, not datetime"),
    (time, "12:00", "must be a time, not str"),
    (time, time(12, tzinfo=UTC), "must have no time zone"),
    (Annotated[datetime, Naive()], NOON, "must have no time zone"),
    (PgRange[int], PgRange("a", None), ".lower must be an int, not str"),
    (PgRange[datetime], PgRange(None, datetime(2026, 3, 1)), ".upper must have a time zone"),
    (timedelta, 5, "must be a timedelta, not int"),
    (bytes, "a", "must be bytes, not str"),
    (Colour, "blue", "must be one of red, green, or so"),
    (Colour, ["red"], "must be one of red, green, or so"),
    (Weight, True, "must be one of 1, 2"),
    (Literal["a", 2], "b", "must be one of 'a', 2"),
    (Literal["a", 2], [], "must be one of 'a', 2"),
    (int | bool, "a", "must be an int, not str, or must be a bool, not str"),
    (Annotated[int, Range(1, 10)], 0, "must be between 1 and 10"),
    (
        Annotated[timedelta, Range(timedelta(hours=1), timedelta(days=2))],
        timedelta(0),
        "must be between 1 h and 2 days",
    ),
    (Annotated[timedelta, Range(timedelta(milliseconds=1))], timedelta(0), "must be at least 1 ms"),
    (
        Annotated[timedelta, Range(None, timedelta(seconds=90))],
        timedelta(days=1),
        "must be at most 90 s",
    ),
    (Annotated[int | None, Range(1, 10)], 11, "must be between 1 and 10"),
    (Annotated[int, Range(1)], 0, "must be at least 1"),
    (Annotated[Decimal, Range(0, 1)], Decimal("NaN"), "must be between 0 and 1"),
    (Annotated[float, Range(high=1)], float("nan"), "must be at most 1"),
    (Annotated[str, Length(1, 3)], "", "must not be empty"),
    (Annotated[str, Length(1, 3)], "four", "must have at most 3 characters"),
    (Annotated[str, Length(2)], "a", "must have at least 2 characters"),
    (Annotated[str, Length(0, 1)], "ab", "must have at most 1 character"),
    (Annotated[bytes, Length(0, 1)], b"ab", "must have at most 1 byte"),
    (Annotated[list[int], Length(0, 1)], [1, 2], "must have at most 1 item"),
    (Annotated[str, Matches("[a-z]+")], "A", "must match [a-z]+"),
    (Title, "", "must not be empty"),
    (list[int], "12", "must be a list, not str"),
    (list[int], {"a": 1}, "must be a list, not dict"),
    (list[int], 5, "must be a list, not int"),
    (list[int], [1, None], "[1] must be an int, not NoneType"),
    (list[list[int]], [[1], ["a"]], "[1][0] must be an int, not str"),
    (list[Annotated[int, Range(1, 10)]], [5, 11], "[1] must be between 1 and 10"),
    (dict[str, Any], [], "must be a dict, not list"),
    (dict[str, Any], {1: 2}, ".1 must have str keys, not int"),
    (dict[str, Any], {"a": {"b": ["x\0"]}}, ".a.b[0] must not contain the NUL character"),
    (dict[str, Any], {"a\0": 1}, r".a\x00 must not contain the NUL character"),
    (dict[str, Any], {"a": "\udfff"}, ".a must not contain half a surrogate pair"),
    (dict[str, Any], {"a": float("nan")}, ".a must not hold nan, which JSON has no form for"),
    (dict[str, Any], {"a": SOME_ID}, ".a must not hold a UUID, which JSON has no form for"),
    (
        dict[str, Any],
        {"a": 2**64},
        ".a must not hold an integer beyond 64 bits",
    ),
    (list[Any], [-(2**63) - 1], "[0] must not hold an integer beyond 64 bits"),
    (list[Any], [float("-inf")], "[0] must not hold -inf, which JSON has no form for"),
    (Annotated[Any, Json()], {1, 2}, "must not hold a set, which JSON has no form for"),
    (ipaddress.IPv4Address, "10.0.0.1", "must be an IPv4Address, not str"),
]


@pytest.mark.parametrize(("annotation", "value", "rule"), REFUSED)
def test_a_value_that_breaks_a_rule_is_refused(annotation: Any, value: Any, rule: str) -> None:
    with pytest.raises(RefusedError) as caught:
        encoder(annotation)(value)

    assert f"{caught.value.at} {caught.value.rule}".strip() == rule


def test_a_document_that_holds_itself_is_refused() -> None:
    document: dict[str, Any] = {}
    document["a"] = document

    with pytest.raises(RefusedError, match="nested deeper than 200 levels"):
        encoder(dict[str, Any])(document)


def test_a_rule_of_ones_own_is_asked() -> None:
    @dataclass(frozen=True)
    class Even:
        def check(self, value: Any, /) -> str | None:
            return "must be even" if value % 2 else None

    encode = encoder(Annotated[int, Even()])

    assert encode(2) == "2"
    with pytest.raises(RefusedError, match="must be even"):
        encode(3)


def described(function: Callable[..., Any]) -> list[Parameter]:
    hints = inspect.get_annotations(function, eval_str=True)
    return parameters_of(inspect.signature(function), hints)


def test_a_refused_argument_is_named_with_the_query() -> None:
    def rename(*, title: Annotated[str, Length(1)], tags: list[str] | None = None) -> None: ...

    bind = binder(rename, described(rename), "sql/tasks.sql:7:1")

    with pytest.raises(ValidationError) as caught:
        bind(title="a", tags=["ok", "\0"])
    assert caught.value.field == "tags[1]"
    assert caught.value.rule == "must not contain the NUL character"
    assert caught.value.where == "sql/tasks.sql:7:1"


def test_none_is_refused_where_it_is_no_value() -> None:
    def rename(*, title: str, note: str | None, body: str | Unset = UNSET) -> None: ...

    bind = binder(rename, described(rename), "x.sql:1:1")

    assert bind(title="a", note=None) == ("a", None, UNSET)
    with pytest.raises(ValidationError, match="title must not be None"):
        bind(title=None, note=None)
    with pytest.raises(ValidationError, match="body must not be None"):
        bind(title="a", note=None, body=None)
    with pytest.raises(ValidationError, match="title must be a str, not Unset"):
        bind(title=UNSET, note=None)


def test_none_may_be_one_of_the_values_of_a_literal() -> None:
    def paint(*, colour: Literal["red", None]) -> None: ...

    bind = binder(paint, described(paint), "x.sql:1:1")

    assert bind(colour="red") == ("red",)
    assert bind(colour=None) == (None,)
    with pytest.raises(ValidationError, match="colour must be one of 'red'"):
        bind(colour="blue")


def test_unset_shows_as_one_writes_it() -> None:
    assert repr(UNSET) == "UNSET"


def test_arguments_bind_as_the_stubs_signature_says() -> None:
    def find(a: int, /, b: int, c: int = 3, *, d: int, e: int = 5) -> None: ...

    bind = binder(find, described(find), "x.sql:1:1")

    assert bind(1, 2, d=4) == ("1", "2", "3", "4", "5")
    assert bind(1, b=2, c=0, d=4, e=0) == ("1", "2", "0", "4", "0")
    with pytest.raises(TypeError, match=r"find\(\) missing 1 required keyword-only argument: 'd'"):
        bind(1, 2)
    with pytest.raises(TypeError, match=r"find\(\) got an unexpected keyword argument 'f'"):
        bind(1, 2, d=4, f=6)


def test_a_signature_may_be_positional_only() -> None:
    def find(a: int, b: int = 2, /) -> None: ...

    bind = binder(find, described(find), "x.sql:1:1")

    assert bind(1) == ("1", "2")


def test_only_what_identifies_may_be_shown() -> None:
    def find(
        *, key: str, task_id: UUID, colour: Colour | None, count: int, note: str, at: datetime
    ) -> None: ...

    shown = {parameter.name for parameter in described(find) if parameter.is_key}

    assert shown == {"key", "task_id", "colour", "count"}
