"""Moments as trackers write them, read into aware datetimes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

__all__ = ["parse_time"]

TIME: Final = re.compile(
    r"""
    (?P<date>\d{4}-\d{2}-\d{2})
    (?:[T ](?P<clock>\d{2}:\d{2}(?::\d{2})?)(?:\.(?P<fraction>\d+))?)?
    \ ?(?P<zone>[Zz]|[+-]\d{2}:?\d{2}|[+-]\d{2})?
    """,
    re.VERBOSE | re.ASCII,
)
MICROSECOND_DIGITS: Final = 6


def parse_time(text: str) -> datetime:
    """Return the moment that *text* names, in UTC.

    Takes ``2025-12-20 17:45:04`` (no zone: UTC), ``2025-12-25 21:25:56.162784375-06:00``, RFC
    3339 and plain dates; of nanoseconds the microseconds are kept.

    Raises ValueError, saying what is wrong, for anything else, and for the year 1, by which
    Go programs mean "never".
    """
    match = TIME.fullmatch(text.strip())
    if match is None:
        raise ValueError("is not a date and time")
    clock = match["clock"] or "00:00:00"
    try:
        moment = datetime.fromisoformat(f"{match['date']} {clock}")
    except ValueError as error:
        raise ValueError(f"is no moment of the calendar ({error})") from error
    if moment.year == 1:
        raise ValueError("is the year 1, which stands for 'never'")
    fraction = (match["fraction"] or "")[:MICROSECOND_DIGITS].ljust(MICROSECOND_DIGITS, "0")
    moment = moment.replace(microsecond=int(fraction), tzinfo=_zone(match["zone"]))
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is no moment of the calendar in UTC") from error


def _zone(text: str | None) -> timezone:
    if text is None or text in "Zz":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    if offset >= timedelta(hours=24) or int(digits[2:]) >= 60:
        raise ValueError(f"has no such offset as {text}")
    return timezone(-offset if text[0] == "-" else offset)
