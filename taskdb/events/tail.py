"""Position of a stream of events: how far it has read, and what it still has to look at again.

A row of history has the time at which it was written, and is seen when its transaction commits,
maybe after younger ones. So a stream reads behind the last row it saw, and once more from
`_floor`, the moment up to which it has certainly seen all, whenever that can be moved: it can
when all transactions that were under way at a later moment have ended (their numbers are below
the server's oldest). Each row is read twice, not more, and yielded once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from taskdb.events.kinds import OF_STATUS, Event, WorkflowFinished
from taskdb.models.events import EndedExecution, HistoryPosition, TaskEvent

__all__ = ["OVERLAP_OF_EXECUTIONS", "PAGE", "Tail"]

PAGE: Final = 500
# The clock may step back a little.
_MARGIN: Final = timedelta(seconds=1)
# An execution has the time at which the transaction began that ended it.
OVERLAP_OF_EXECUTIONS: Final = timedelta(hours=1)


class Tail:
    """Position of a stream; begins at a moment, or at the server's current position."""

    def __init__(self, at: HistoryPosition, since: datetime | None) -> None:
        self._begin = since or at.moment
        self._floor = self._head = self._begin
        self._marks: list[HistoryPosition] = []
        self._settled: datetime | None = None
        self._seen: dict[tuple[UUID, int], datetime] = {}
        self._executions: dict[UUID, datetime] = {}
        self._is_first = True
        self.since = self._begin

    def begin(self, position: HistoryPosition) -> None:
        """Decide from which moment to read, the server being at *position*."""
        settled = [m for m in self._marks if m.next_transaction <= position.oldest_transaction]
        self._settled = settled[-1].moment - _MARGIN if settled else None
        self.since = max(self._begin, self._floor if settled else self._head - _MARGIN)
        self._marks = [*self._marks[len(settled) :], position]

    def take(self, rows: Iterable[TaskEvent]) -> list[Event]:
        """Return those of *rows* that were not seen before, as events."""
        new: list[Event] = []
        for row in rows:
            if (row.task_id, row.seq) not in self._seen:
                self._seen[row.task_id, row.seq] = row.created_at
                self._head = max(self._head, row.created_at)
                new.append(OF_STATUS[row.status](**_fields(row)))
        return new

    def take_executions(self, rows: Iterable[EndedExecution]) -> list[Event]:
        """Return the executions that were not seen before, as events."""
        new: list[Event] = []
        for row in rows:
            if row.id not in self._executions:
                self._executions[row.id] = row.ended_at
                if not self._is_first or row.ended_at >= self._begin:
                    new.append(WorkflowFinished(**_fields(row)))
        self._is_first = False
        return new

    def end(self, *, is_complete: bool) -> None:
        """Move the floor, if all behind it was read, and forget what is below it."""
        if not is_complete:
            # There is another page: read on from what was seen, and look again for the rest.
            return
        if self._settled is not None and self._settled > self._floor:
            self._floor = self._settled
            self._seen = {key: at for key, at in self._seen.items() if at >= self._floor}
            oldest = self._floor - OVERLAP_OF_EXECUTIONS
            self._executions = {key: at for key, at in self._executions.items() if at >= oldest}


def _fields(row: TaskEvent | EndedExecution) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
