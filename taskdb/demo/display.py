"""Snapshots of the plan that the demo works off, and the displays that show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from taskdb.models.admin.demo import AgentAtWork
from taskdb.models.types import TaskStatus

__all__ = ["Display", "Snapshot"]

SHOWN: Final = (TaskStatus.IN_PROGRESS, TaskStatus.PENDING, TaskStatus.BLOCKED)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of the plan at one moment. `killed` maps an agent to the task it held."""

    open_at_start: int
    done: int
    counts: Mapping[TaskStatus, int]
    agents: Sequence[AgentAtWork]
    killed: Mapping[str, str]

    @property
    def headline(self) -> str:
        """The counts as one line."""
        rest = [f"{self.counts.get(status, 0)} {_words(status)}" for status in SHOWN]
        return f"{self.done} of {self.open_at_start} done, {', '.join(rest)}"


class Display(Protocol):
    """Shows snapshots and events; used with `with`."""

    def __enter__(self) -> Display: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, snapshot: Snapshot) -> None:
        """Show the state of the plan."""
        ...

    def report(self, event: str) -> None:
        """Say that something happened; it stays on the screen."""
        ...


def _words(status: TaskStatus) -> str:
    return {TaskStatus.PENDING: "ready"}.get(status, status.value.replace("_", " "))
