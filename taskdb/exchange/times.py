"""Moments as trackers write them, read into aware datetimes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

__all__ = ["MONTH_NAMES", "NeverError", "parse_time"]

TIME: Final = re.compile(
    r"""
    (?P<date>\d{4}-\d{2}-\d{2})
    (?:[T ](?P<clock>\d{2}:\d{2}(?::\d{2})?)(?:\.(?P<fraction>\d+))?)?
    \ ?(?P<zone>[Zz]|[+-]\d{2}:?\d{2}|[+-]\d{2})?
    """,
    re.VERBOSE | re.ASCII,
)
MICROSECOND_DIGITS: Final = 6
LEAP: Final = ":59:60"
# "Wed May 13 2026 11:21:41 GMT+0000 (GMT+00:00)", as JavaScript writes it and Linear exports it.
SPOKEN: Final = re.compile(
    r"(?:\w{3} )?(?P<month>\w{3}) (?P<day>\d{1,2}) (?P<year>\d{4}) (?P<clock>[\d:]{8})"
    r" GMT(?P<zone>[+-]\d{4})(?: \(.*\))?",
    re.ASCII,
)
# "05/Sep/26 11:00 AM", as Jira exports it.
SLASHED: Final = re.compile(
    r"(?P<day>\d{1,2})/(?P<month>\w{3})/(?P<year>\d{2}(?:\d{2})?)"
    r"(?: (?P<hour>\d{1,2}):(?P<minute>\d{2})(?: (?P<half>AM|PM))?)?",
    re.ASCII | re.IGNORECASE,
)
MONTH_NAMES: Final = "jan feb mar apr may jun jul aug sep oct nov dec"
MONTHS: Final = {name: f"{number:02}" for number, name in enumerate(MONTH_NAMES.split(), start=1)}


class NeverError(ValueError):
    """The text is the year 1, by which Go programs mean "never"."""


def parse_time(text: str, zone: tzinfo = UTC) -> datetime:
    """Return the moment that *text* names, in UTC; without a zone it is of *zone*.

    Takes ``2025-12-20 17:45:04``, ``2025-12-25 21:25:56.162784375-06:00``, RFC 3339 and plain
    dates, and the exports of Linear and Jira; of nanoseconds the microseconds are kept.

    Raises ValueError, saying what is wrong, for anything else, and NeverError for the year 1.
    """
    match = TIME.fullmatch(_plain(text.strip()))
    if match is None:
        raise ValueError("is not a date and time")
    clock = match["clock"] or "00:00:00"
    # As in PostgreSQL, a leap second is the first one of the next minute.
    leap = timedelta(seconds=int(clock.endswith(LEAP)))
    clock = clock.replace(LEAP, ":59:59")
    try:
        moment = datetime.fromisoformat(f"{match['date']} {clock}") + leap
    except (ValueError, OverflowError) as error:
        raise ValueError(f"is no moment of the calendar ({error})") from error
    if moment.year == 1:
        raise NeverError("is the year 1, which stands for 'never'")
    fraction = (match["fraction"] or "")[:MICROSECOND_DIGITS].ljust(MICROSECOND_DIGITS, "0")
    moment = moment.replace(microsecond=int(fraction), tzinfo=_zone(match["zone"], zone))
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is no moment of the calendar in UTC") from error


def _plain(text: str) -> str:
    """Return a moment in words as one in numbers; any other text as it is."""
    spoken, slashed = SPOKEN.fullmatch(text), SLASHED.fullmatch(text)
    raw = spoken or slashed
    month = MONTHS.get(raw["month"].casefold()) if raw else None
    if month is None:
        return text
    if spoken:
        date = f"{spoken['year']}-{month}-{spoken['day']:0>2}"
        return f"{date} {spoken['clock']}{spoken['zone']}"
    assert slashed is not None
    year = slashed["year"] if len(slashed["year"]) > 2 else f"20{slashed['year']}"
    hour = int(slashed["hour"] or 0)
    if slashed["half"]:
        hour = hour % 12 + (12 if slashed["half"].upper() == "PM" else 0)
    return f"{year}-{month}-{slashed['day']:0>2} {hour:02}:{slashed['minute'] or '00'}"


def _zone(text: str | None, absent: tzinfo) -> tzinfo:
    if text is None:
        return absent
    if text in "Zz":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    if offset >= timedelta(hours=24) or int(digits[2:]) >= 60:
        raise ValueError(f"has no such offset as {text}")
    return timezone(-offset if text[0] == "-" else offset)
