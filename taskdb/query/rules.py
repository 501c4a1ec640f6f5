"""Rules for `Annotated[...]`, and the value that says "leave it as it is"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final

__all__ = [
    "UNSET",
    "Json",
    "Length",
    "Matches",
    "Naive",
    "Places",
    "Printed",
    "Range",
    "Size",
    "Unset",
]

_UNITS: Final = {
    "day": timedelta(days=1),
    "h": timedelta(hours=1),
    "min": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}


class Unset(Enum):
    """The type of UNSET: `description: str | None | Unset = UNSET`."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"


# Not given, where None is a value of its own: an update that leaves the column alone.
UNSET: Final = Unset.UNSET


@dataclass(frozen=True, slots=True)
class Range:
    """`Annotated[int, Range(1, 10)]`: not below *low*, not above *high*; None is no bound."""

    low: Any = None
    high: Any = None

    def check(self, value: Any, /) -> str | None:
        """Return the rule if *value* is outside."""
        if self._holds(value):
            return None
        if self.low is None:
            return f"must be at most {_worded(self.high)}"
        if self.high is None:
            return f"must be at least {_worded(self.low)}"
        return f"must be between {_worded(self.low)} and {_worded(self.high)}"

    def _holds(self, value: Any) -> bool:
        if isinstance(value, Decimal) and value.is_nan():
            return False  # To compare it would raise, where a float's NaN is just outside.
        above: bool = self.low is None or value >= self.low
        below: bool = self.high is None or value <= self.high
        return above and below


@dataclass(frozen=True, slots=True)
class Length:
    """`Annotated[str, Length(1, 500)]`: from *least* to *most* characters, bytes or items."""

    least: int = 0
    most: int | None = None

    def check(self, value: Any, /) -> str | None:
        """Return the rule if *value* is too short or too long."""
        length = len(value)
        if length < self.least:
            if self.least == 1:
                return "must not be empty"
            return f"must have at least {self.least} {_unit(value, self.least)}"
        if self.most is not None and length > self.most:
            return f"must have at most {self.most} {_unit(value, self.most)}"
        return None


@dataclass(frozen=True, slots=True)
class Matches:
    """`Annotated[str, Matches(r"[a-z]+")]`: the whole text matches the regular expression."""

    pattern: str

    def check(self, value: Any, /) -> str | None:
        """Return the rule if *value* does not match."""
        return None if re.fullmatch(self.pattern, value) else f"must match {self.pattern}"


@dataclass(frozen=True, slots=True)
class Printed:
    """`Annotated[str, Printed()]`: not of blanks alone."""

    def check(self, value: Any, /) -> str | None:
        """Return the rule if *value* has blanks only."""
        return "must not be blank" if value.isspace() else None


@dataclass(frozen=True, slots=True)
class Places:
    """`Annotated[Decimal, Places(2)]`: at most so many decimal places; a server would round."""

    most: int

    def check(self, value: Any, /) -> str | None:
        """Return the rule if *value* has more."""
        if value.is_finite() and value != round(value, self.most):
            return f"must have at most {self.most} decimal places"
        return None


@dataclass(frozen=True, slots=True)
class Size:
    """`Annotated[dict[str, Any], Size(2**20)]`: a text, or a document as JSON, of so many bytes."""

    most: int

    def check(self, encoded: Any, /) -> str | None:
        """Return the rule if what is sent is larger."""
        # A character has up to four bytes: most texts need no look.
        if len(encoded) * 4 <= self.most or len(encoded.encode()) <= self.most:
            return None
        return f"must have at most {self.most} bytes"


@dataclass(frozen=True, slots=True)
class Json:
    """`Annotated[Any, Json()]`: any JSON value, a bare string or number among them."""

    def check(self, value: Any, /) -> str | None:
        """Return None: what JSON cannot hold is refused while the value is encoded."""
        return None


@dataclass(frozen=True, slots=True)
class Naive:
    """`Annotated[datetime, Naive()]`: without a time zone, as the type `timestamp` has none."""

    def check(self, value: Any, /) -> str | None:
        """Return the rule if *value* has a time zone."""
        return None if value.tzinfo is None else "must have no time zone"


def _unit(value: object, number: int) -> str:
    units: dict[type, str] = {str: "character", bytes: "byte"}
    unit = units.get(type(value), "item")
    return unit if number == 1 else f"{unit}s"


def _worded(bound: Any) -> str:
    """A bound as a person writes it: durations in their largest unit, as 1 h or 365 days."""
    if not isinstance(bound, timedelta):
        return str(bound)
    for unit, length in _UNITS.items():
        number, rest = divmod(bound, length)
        if number and not rest:
            return f"{number} {unit}{'s' if unit == 'day' and number != 1 else ''}"
    return str(bound)
