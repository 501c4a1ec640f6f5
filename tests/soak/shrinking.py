"""Shrinking: the shortest list that still fails (Zeller's ddmin, by taking parts away)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def shrink(parts: Sequence[T], fails: Callable[[list[T]], bool]) -> list[T]:
    """Return what is left of *parts* when nothing more can be taken away and it still fails."""
    left = list(parts)
    size = max(len(left) // 2, 1)
    while True:
        start = 0
        while start < len(left):
            fewer = left[:start] + left[start + size :]
            if fails(fewer):
                left = fewer
            else:
                start += size
        if size == 1:
            return left
        size //= 2
