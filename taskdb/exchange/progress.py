"""Progress reports of an import."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Protocol, TypeVar

__all__ = ["Progress", "Stage", "counted", "silent"]

T = TypeVar("T")
# A screen need not know of every row.
STEP = 100


class Stage(StrEnum):
    """Stage of an import, in the order of writing."""

    EPICS = "epics"
    FEATURES = "features"
    TASKS = "tasks"
    DEPENDENCIES = "dependencies"
    HISTORY = "history"
    SPECS = "specs"
    FILES = "files"


class Progress(Protocol):
    """Is called with a stage, how many of its rows were sent, and how many there are."""

    def __call__(self, stage: Stage, done: int, total: int) -> None:
        """Take note, or show it."""
        ...


def silent(stage: Stage, done: int, total: int) -> None:
    """Tell nobody."""


def counted(rows: Iterable[T], stage: Stage, total: int, progress: Progress) -> Iterator[T]:
    """Yield *rows*, and tell *progress* at the beginning, on the way and at the end."""
    progress(stage, 0, total)
    done = 0
    for done, row in enumerate(rows, start=1):
        yield row
        if done % STEP == 0 and done < total:
            progress(stage, done, total)
    progress(stage, done, total)
