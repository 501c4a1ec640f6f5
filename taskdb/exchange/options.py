"""Options that the caller of an import gives its reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Annotated, Final, TypeAlias

from taskdb.query import Length, Range, check_fields

__all__ = ["EDGE_KINDS", "LARGEST", "PlanPath", "ReadOptions"]

# The limit of one file, or of all files of a folder together.
LARGEST: Final = 64 * 1024 * 1024
PlanPath: TypeAlias = Annotated[str, Length(1, 4096)] | Path
# The meanings of a tracker's word for an edge: a dependency, in its own direction or the opposite
# one, or the parent.
EDGE_KINDS: Final = (
    "requires",
    "blocks",
    "suggests",
    "parent",
    "requires-reversed",
    "blocks-reversed",
    "suggests-reversed",
    "parent-reversed",
)


@dataclass(slots=True, frozen=True)
class ReadOptions:
    """Options for reading a plan.

    `prefix` goes before the keys of tasks. `largest` is the most bytes that are read, None for
    any number. `edges` says, by a tracker's word for a relation, which of `EDGE_KINDS` it is.
    `columns` says, by taskdb's name of a field, which column of a table holds it.
    `rename_duplicates` takes a different task under the id of another one under a key of its
    own. `subtasks_first` offers a task's subtasks before the task itself. `zone` is the zone of
    moments that name none.
    """

    prefix: str = ""
    largest: Annotated[int, Range(1)] | None = LARGEST
    edges: Mapping[str, str] = field(default_factory=dict[str, str])
    columns: Mapping[str, str] = field(default_factory=dict[str, str])
    rename_duplicates: bool = False
    subtasks_first: bool = False
    zone: tzinfo = UTC

    def __post_init__(self) -> None:
        check_fields(self)
