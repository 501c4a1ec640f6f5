"""The rules that arguments of the typed functions keep, as annotations.

The database has the same rules as constraints; these name the argument before anything
is sent.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Annotated

from taskdb.query import Length, Range

Key = Annotated[str, Length(1, 100)]
Title = Annotated[str, Length(1, 500)]
Name = Annotated[str, Length(1, 200)]
Text = Annotated[str, Length(1)]
Priority = Annotated[int, Range(1, 10)]
Complexity = Annotated[int, Range(0, 100)]
Hours = Annotated[Decimal, Range(Decimal(0), Decimal("999999.99"))]
Attempts = Annotated[int, Range(1, 32767)]
Order = Annotated[int, Range(-(2**31), 2**31 - 1)]
Limit = Annotated[int, Range(1, 10_000)]
Token = Annotated[int, Range(1, 2**63 - 1)]
Lease = Annotated[timedelta, Range(timedelta(milliseconds=1), timedelta(days=365))]
Delay = Annotated[timedelta, Range(timedelta(0), timedelta(days=3650))]
Position = Annotated[int, Range(1, 2**31 - 1)]
Count = Annotated[int, Range(0, 2**31 - 1)]
Interval = Annotated[timedelta, Range(timedelta(milliseconds=1), timedelta(days=3650))]
Days = Annotated[int, Range(1, 36500)]
Percentage = Annotated[Decimal, Range(Decimal(0), Decimal(100))]
Minutes = Annotated[int, Range(0, 2**31 - 1)]
