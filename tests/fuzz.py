"""Hostile values for every signature: what a parameter's type makes of them, and how calls end.

A call ends in a result that has the value as it was given, or in an error of taskdb that names the
parameter. A part of the calls is chosen by a seed, so a failure is had again.
"""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import random
import re
import typing
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin
from uuid import UUID

import psycopg

from taskdb.errors import DatabaseError, TaskdbError, ValidationError
from taskdb.queries.fields import MOST_BYTES
from taskdb.query import UNSET, Length, Query, Range
from taskdb.query._annotations import members, unwrapped

__all__ = ["SEED", "SHARE", "Attempt", "calls", "hostile", "judge", "public_functions", "some"]

SEED: Final = 17
SHARE: Final = 0.15
"""The part of the calls that `make test` makes, and what they are chosen by."""

# The words of errors for what is a name or a line in a signature.
SYNONYMS: Final = {"name": "workspace", "lines": "key"}
# Functions whose results are rows with what they were given.
WRITERS: Final = ("add", "append", "create", "put", "set_", "update")

QUOTED: Final = "'; drop table tasks; -- \" $$ \\ %s :key {title} \x1b[2J\u202e\r\n\t"
TEXTS: Final[tuple[Any, ...]] = (
    QUOTED,
    "nul \x00",
    "half \ud800",
    "\udcff",
    "",
    " \u2003\n",
    "- " * 33,
    "x" * (MOST_BYTES + 1),
    "\U0001f680" * (MOST_BYTES // 4 + 1),
)
MOMENTS: Final[tuple[Any, ...]] = (
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 1, 1),  # without a zone
    datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
    datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))),
    date(2026, 1, 1),
)
WHOLE: Final[tuple[Any, ...]] = (-1, 0, 2**31, 2**63 - 1, -(2**63), 2**63, 10**400, True, 1.5)
SPANS: Final[tuple[Any, ...]] = (
    timedelta(0),
    timedelta(-1),
    timedelta(days=365 * 10_000),
    timedelta.min,
    timedelta.max,
    60,
)
AMOUNTS: Final[tuple[Any, ...]] = (
    Decimal("NaN"),
    Decimal("sNaN"),
    Decimal("Infinity"),
    Decimal("-1e400"),
    Decimal("1e400"),
    Decimal("0.001"),
    1.5,
    10**400,
)


def _nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


DOCUMENTS: Final[tuple[Any, ...]] = (
    _nested(100_000),
    {"a": float("nan")},
    {"a": float("-inf")},
    {"a": 2**70},
    {1: "a"},
    {"a": "\x00"},
    {"\ud800": 1},
    {"a": object()},
    {"a": "x" * MOST_BYTES},
    {QUOTED: [QUOTED, None, -0.0, 2**63]},
    ["a"],
)
# None of these is what any parameter but a callable or an unannotated one takes.
STRANGE: Final[tuple[Any, ...]] = (object(), b"\xff", 1j, {1, 2}, lambda: None)


def hostile(annotation: Any) -> Iterator[Any]:
    """Yield values for a parameter of this annotation, wrong ones and extreme ones."""
    kinds = [unwrapped(each)[0] for each in members(annotation)]
    if Any in kinds or object in kinds or any(_is_callable(kind) for kind in kinds):
        return
    yield from (None, UNSET, *STRANGE)
    for kind in kinds:
        yield from _of_kind(kind)


def _of_kind(kind: Any) -> Iterable[Any]:
    origin = get_origin(kind) or kind
    if origin is str or (isinstance(origin, type) and issubclass(origin, (Enum, UUID))):
        return TEXTS
    if origin is Literal:
        return TEXTS
    if origin is int:
        return WHOLE
    if origin is float:
        return (float("nan"), float("inf"), -1.0, "1")
    if origin is bool:
        return (1, "true", "")
    if origin is Decimal:
        return AMOUNTS
    if origin is timedelta:
        return SPANS
    if origin is datetime:
        return MOMENTS
    if _is_mapping(origin):
        return DOCUMENTS
    if _is_list(origin):
        return _lists(kind)
    if dataclasses.is_dataclass(origin):
        return ("text", 7, [], {})
    return ()


def _lists(kind: Any) -> Iterator[Any]:
    """Yield wrong containers, iterators, and lists with one hostile item."""
    [item, *_] = get_args(kind) or (Any,)
    yield from ("ab", {"a": 1}, 7, [None])
    if item is not Any:
        fine = benign("", item, {})
        yield (each for each in (fine,))
        yield from ([each] for each in hostile(item))
    meant = unwrapped(item)[0]
    if isinstance(meant, type) and dataclasses.is_dataclass(meant):
        yield from ([each] for each in hostile_rows(meant))


def hostile_rows(cls: type[Any]) -> Iterator[Any]:
    """Yield instances of a dataclass, each with one hostile field."""
    hints = typing.get_type_hints(cls, include_extras=True)
    fine = benign("", cls, {})
    for each in dataclasses.fields(cls):
        for value in hostile(hints[each.name]):
            if _is_heavy(value):
                continue
            try:
                yield dataclasses.replace(fine, **{each.name: value})
            except TaskdbError:
                continue


def _is_callable(kind: Any) -> bool:
    is_callable = get_origin(kind) is typing.get_origin(Callable[..., Any]) or kind is Callable
    return is_callable or getattr(kind, "_is_protocol", False)


def _is_mapping(origin: Any) -> bool:
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _is_list(origin: Any) -> bool:
    return origin in (list, tuple, Iterable, Sequence) or origin in (
        typing.get_origin(Iterable[int]),
        typing.get_origin(Sequence[int]),
    )


def benign(name: str, annotation: Any, known: Mapping[str, Any]) -> Any:
    """Return a value that a parameter takes: what is known by its name, else one of its type."""
    if name in known:
        return known[name]
    kinds = [unwrapped(each) for each in members(annotation)]
    if any(meant is NoneType for meant, _ in kinds):
        return None
    meant, rules = kinds[0]
    origin = get_origin(meant) or meant
    if origin is Literal:
        return get_args(meant)[0]
    if not isinstance(origin, type):
        return None
    if issubclass(origin, Enum):
        return next(iter(origin))
    if dataclasses.is_dataclass(origin):
        hints = typing.get_type_hints(origin, include_extras=True)
        needed = [each for each in dataclasses.fields(origin) if _is_needed(each)]
        return origin(**{each.name: benign(each.name, hints[each.name], known) for each in needed})
    if _is_list(origin):
        least = next((rule.least for rule in rules if isinstance(rule, Length)), 0)
        return [benign("", (get_args(meant) or (str,))[0], known)] * least
    if _is_mapping(origin):
        return {}
    low = next((rule.low for rule in rules if isinstance(rule, Range)), None)
    return _SIMPLE.get(origin) if low is None else low


_SIMPLE: Final[dict[Any, Any]] = {
    str: "x",
    int: 1,
    float: 1.0,
    bool: False,
    bytes: b"",
    Decimal: Decimal(1),
    timedelta: timedelta(hours=1),
    datetime: datetime(2026, 1, 1, tzinfo=UTC),
    date: date(2026, 1, 1),
    UUID: UUID(int=7),
    Path: Path("/nowhere"),
}


def _is_needed(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


@dataclass(frozen=True)
class Attempt:
    """One call of a function: *value* is hostile, the other arguments are benign."""

    function: str
    parameter: str
    value: Any
    call: Callable[[], Any]
    benign: Callable[[], Any]

    def __str__(self) -> str:
        return f"{self.function}({self.parameter}={_shown(self.value)})"


def calls(
    name: str,
    function: Callable[..., Any],
    first: Any,
    known: Mapping[str, Any],
    weighed: set[str] | None = None,
) -> Iterator[Attempt]:
    """Yield calls of a function on *first*, a connection or a database, or nothing if it is ....

    Annotations that are in *weighed* get no values of many megabytes; others are put there.
    """
    declared = dict(inspect.signature(function).parameters)
    if isinstance(function, Query):
        hints = {each.argument: each.annotation for each in function.parameters}
    else:
        hints = typing.get_type_hints(inspect.unwrap(function), include_extras=True)
    if first is not ...:
        declared = dict(itertools.islice(declared.items(), 1, None))
    many = next((each.name for each in declared.values() if each.kind is each.VAR_POSITIONAL), None)
    needed = {
        each.name: benign(each.name, hints[each.name], known)
        for each in declared.values()
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    }
    for each in declared.values():
        if each.name not in hints or each.kind is each.VAR_KEYWORD:
            continue
        kinds = {str(kind) for kind in members(hints[each.name])}
        is_new = weighed is None or not kinds <= weighed
        for value in hostile(hints[each.name]):
            if _is_heavy(value) and not is_new:
                continue
            arguments = {**needed, each.name: value}
            yield Attempt(
                name,
                each.name,
                value,
                _call_of(function, first, arguments, many),
                _call_of(function, first, dict(needed), many),
            )
        if weighed is not None:
            weighed |= kinds


def _is_heavy(value: Any) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(isinstance(each, str) and len(each) > 1_000_000 for each in (value, *inside))


def _call_of(
    function: Callable[..., Any], first: Any, arguments: dict[str, Any], many: str | None
) -> Callable[[], Any]:
    """Return the call; *many* names the parameter that takes all further positional ones."""
    if isinstance(function, Query) and function.statement.copy_columns is not None:
        columns = {each.argument: each.name for each in function.parameters}
        row = {columns[name]: value for name, value in arguments.items()}
        return lambda: function.copy(first, [row])
    before = () if first is ... else (first,)
    if many in arguments:
        value = arguments.pop(many)
        return lambda: function(*before, value, **arguments)
    return lambda: function(*before, **arguments)


def judge(attempt: Attempt, around: Callable[[], AbstractContextManager[Any]]) -> str | None:
    """Make a call inside *around*; return what is wrong with its end, or None."""
    try:
        with around():
            result = attempt.call()
            if inspect.iscoroutine(result):
                result.close()
            # A stream of events has no end.
            if isinstance(result, Generator) and "listen" not in attempt.function:
                result = list(itertools.islice(result, 2))
    except ValidationError as error:
        if len(str(error)) < 2000 and (
            _is_named(attempt, error) or _is_usual(attempt, error, around)
        ):
            return None
        return f"{attempt}: names {error.field!r}: {_shown(str(error))}"
    except TaskdbError as error:
        if isinstance(error, DatabaseError) and (error.sqlstate or "").startswith("XX"):
            return f"{attempt}: an internal error of the server: {error}"
        if len(str(error)) > 2000:
            return f"{attempt}: an error of {len(str(error))} characters"
        return None
    except psycopg.errors.InsufficientPrivilege:
        return None
    except Exception as error:  # noqa: BLE001  # What else comes is the finding.
        return f"{attempt}: {type(error).__name__}: {_shown(str(error))}"
    return _kept(attempt, result)


def _is_named(attempt: Attempt, error: ValidationError) -> bool:
    """Tell whether an error names the parameter, or the field of a row that it was given."""
    name = SYNONYMS.get(attempt.parameter, attempt.parameter).removesuffix("_")
    if name in f"{error.field} {error.rule}" or attempt.parameter in (error.field or ""):
        return True
    rows = attempt.value if isinstance(attempt.value, list) else []
    return any(hasattr(row, re.split(r"[^\w]", error.field or "")[0]) for row in rows)


def _is_usual(
    attempt: Attempt, error: ValidationError, around: Callable[[], AbstractContextManager[Any]]
) -> bool:
    """Tell whether the call is refused the same way without the hostile value."""
    try:
        with around():
            attempt.benign()
    except ValidationError as usual:
        return usual.field == error.field
    except TaskdbError:
        return False
    return False


def _kept(attempt: Attempt, result: Any) -> str | None:
    """Return what differs between the value given and the same field of the result."""
    writes = attempt.function.partition(".")[2].startswith(WRITERS)
    if not writes or not hasattr(result, attempt.parameter):
        return None
    kept, given = getattr(result, attempt.parameter), attempt.value
    if given is None or given is UNSET or isinstance(given, Generator):
        return None
    if kept == given or (isinstance(kept, UUID) and str(kept) == str(given)):
        return None
    return f"{attempt}: was stored as {_shown(kept)}"


def _shown(value: Any) -> str:
    try:
        text = ascii(value)
    except RecursionError:
        return "a deep document"
    return text if len(text) < 200 else f"{text[:100]}... ({len(text)} characters)"


def some(attempts: Iterable[Attempt], share: float) -> Iterator[Attempt]:
    """Yield a part of the attempts, the same at every run."""
    chance = random.Random(SEED)
    return (each for each in attempts if chance.random() < share)


def public_functions(module: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the queries and the plain functions that a module defines for its users."""
    names = getattr(module, "__all__", None) or [
        name for name in vars(module) if not name.startswith("_")
    ]
    for name in names:
        value = getattr(module, name)
        if isinstance(value, Query):
            if value.function.__module__ == module.__name__:
                yield name, value
        elif inspect.isfunction(value) and value.__module__ == module.__name__:
            yield name, value
