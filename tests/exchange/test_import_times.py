"""Moments as trackers write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskdb.exchange.times import parse_time


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-12-20 17:45:04", datetime(2025, 12, 20, 17, 45, 4, tzinfo=UTC)),
        ("2025-12-20", datetime(2025, 12, 20, tzinfo=UTC)),
        ("2025-12-20T17:45", datetime(2025, 12, 20, 17, 45, tzinfo=UTC)),
        ("2025-12-20T17:45:04.5Z", datetime(2025, 12, 20, 17, 45, 4, 500_000, tzinfo=UTC)),
        (
            "2025-12-25 21:25:56.162784375-06:00",
            datetime(2025, 12, 26, 3, 25, 56, 162_784, tzinfo=UTC),
        ),
        ("2025-10-16T14:22:38.123-07:00", datetime(2025, 10, 16, 21, 22, 38, 123_000, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2016-12-31T23:59:60.5Z", datetime(2017, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)),
        ("2025-10-16 14:22:38 +0530", datetime(2025, 10, 16, 8, 52, 38, tzinfo=UTC)),
        ("  2025-10-16T14:22:38+02 ", datetime(2025, 10, 16, 12, 22, 38, tzinfo=UTC)),
    ],
)
def test_each_way_of_writing_a_moment_is_read(text: str, expected: datetime) -> None:
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("yesterday", "not a date and time"),
        ("", "not a date and time"),
        ("1734716704", "not a date and time"),
        ("2025-13-01", "no moment of the calendar"),
        ("2025-02-29 10:00:00", "no moment of the calendar"),
        ("2025-01-01 10:00:60", "no moment of the calendar"),
        ("9999-12-31T23:59:60Z", "no moment of the calendar"),
        ("0001-01-01T00:00:00Z", "the year 1"),
        ("2025-01-01T10:00:00+24:00", "no such offset"),
        ("2025-01-01T10:00:00+01:60", "no such offset"),
        ("9999-12-31T23:59:59-01:00", "no moment of the calendar in UTC"),
        ("\u0662\u0660\u0662\u0665-01-01", "not a date and time"),
    ],
)
def test_what_is_no_moment_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_time(text)


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)),
    st.integers(-14 * 60, 14 * 60),
)
def test_any_offset_leads_to_the_same_moment(moment: datetime, minutes: int) -> None:
    sign = "-" if minutes < 0 else "+"
    hours, rest = divmod(abs(minutes), 60)
    text = f"{moment.isoformat(sep=' ')}{sign}{hours:02}:{rest:02}"

    assert parse_time(text) == moment.replace(tzinfo=UTC) - timedelta(minutes=minutes)
