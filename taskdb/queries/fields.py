"""The rules that arguments of the typed functions keep, as annotations.

The database has the same rules as constraints; these name the argument before anything
is sent.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final

from taskdb.query import Length, Places, Printed, Range, Size

# The limit of one text, or one document as JSON, in bytes. Search finds the words of a
# description's first 200,000 characters; 600 MB of one held a session for minutes.
MOST_BYTES: Final = 16 * 2**20


class Evaluable:
    """A jsonpath that a server evaluates in linear time: its repetitions do not multiply.

    The domain `shared.condition` has the same rules.
    """

    def check(self, value: str, /) -> str | None:
        """Return the limit that *value* exceeds."""
        bare = _STRING.sub("", value)
        if re.search(r"\?.*[?$]", bare, re.DOTALL):
            return "must have at most 1 filter, and no path after it"
        if len(_REPETITION.findall(bare)) > 2 or bare.count("**") > 1:
            return "must have at most 2 repetitions ([*], .*, a range), one of them recursive (.**)"
        if re.search(r"[$@][^?&|]*[$@]", bare):
            return "must have at most 1 path per comparison"
        if _BACK_REFERENCE.search(value):
            return "must have no back references"
        return None


_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_REPETITION: Final = re.compile(r"\.\s*\*|\[\s*\*|\bto\b")
_BACK_REFERENCE: Final = re.compile(r'like_regex\s*"(?:[^"\\]|\\.)*\\\\[1-9]')

Key = Annotated[str, Length(1, 100), Printed()]
Title = Annotated[str, Length(1, 500), Printed()]
Name = Annotated[str, Length(1, 200)]
ConcurrencyKeyName = Annotated[str, Length(1, 200), Printed()]
Text = Annotated[str, Length(1), Size(MOST_BYTES)]
# A text that may be empty.
AnyText = Annotated[str, Size(MOST_BYTES)]
Document = Annotated[dict[str, Any], Size(MOST_BYTES)]
# A text by each name.
Texts = Annotated[dict[str, str], Size(MOST_BYTES)]
Documents = Annotated[list[dict[str, Any]], Size(MOST_BYTES)]
Priority = Annotated[int, Range(1, 10)]
Complexity = Annotated[int, Range(0, 100)]
Levels = Annotated[int, Range(0, 100)]
Hours = Annotated[Decimal, Range(Decimal(0), Decimal("999999.99")), Places(2)]
Attempts = Annotated[int, Range(1, 32767)]
Order = Annotated[int, Range(-(2**31), 2**31 - 1)]
Limit = Annotated[int, Range(1, 10_000)]
Token = Annotated[int, Range(1, 2**63 - 1)]
Lease = Annotated[timedelta, Range(timedelta(milliseconds=1), timedelta(days=365))]
# A worker renews after a third of it, and looks twice as often.
WorkerLease = Annotated[timedelta, Range(timedelta(milliseconds=500), timedelta(days=365))]
Delay = Annotated[timedelta, Range(timedelta(0), timedelta(days=3650))]
Slots = Annotated[int, Range(1, 1000)]
Factor = Annotated[Decimal, Range(Decimal(1), Decimal(100)), Places(2)]
Position = Annotated[int, Range(1, 2**31 - 1)]
Count = Annotated[int, Range(0, 2**31 - 1)]
Interval = Annotated[timedelta, Range(timedelta(milliseconds=1), timedelta(days=3650))]
Days = Annotated[int, Range(1, 36500)]
Percentage = Annotated[Decimal, Range(Decimal(0), Decimal(100)), Places(2)]
Condition = Annotated[str, Length(1, 1000), Evaluable()]
# The days of a report are counted out: 130 years of them at most.
Reported = Annotated[
    datetime, Range(datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
]
Minutes = Annotated[int, Range(0, 2**31 - 1)]
