"""Classes of values and rows, and what makes queries of a text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TypedDict

from taskdb.query import Queries

Make = Callable[[str], Queries]
# The server's number of the type.
NUMERIC = 1700


class Mood(StrEnum):
    GLAD = "glad"
    SO_SO = 'so, "so"'


class Weight(IntEnum):
    LIGHT = 1


class Address(TypedDict):
    street: str


@dataclass(slots=True)
class Pair:
    name: str
    number: int | None
