"""Time-ordered UUIDs made on this side, for rows that refer to each other before they exist."""

import os
import time
from typing import Annotated
from uuid import UUID

from taskdb.query import Range, checked

Number = Annotated[int, Range(0, 10_000_000)]


@checked
def uuid7s(count: Number) -> list[UUID]:
    """Return *count* UUIDs of version 7 (RFC 9562) that sort in the order of the list.

    48 bits of milliseconds; the 74 bits after them are a random start and a counter.
    """
    moment = time.time_ns() // 1_000_000
    # One bit is left free above the random start, so that counting up can't overflow.
    start = int.from_bytes(os.urandom(10)) >> 7
    return [_uuid7(moment, start + number) for number in range(count)]


def _uuid7(milliseconds: int, counter: int) -> UUID:
    high = counter >> 62
    low = counter & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | 7 << 76 | high << 64 | 2 << 62 | low)
