"""History."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from taskdb.models.base import Model
from taskdb.models.types import ClaimOutcome, TaskStatus


@dataclass(slots=True)
class HistoryEntry(Model):
    """One change of a task's status; `old_status` is None where the task was created.

    `seq` counts a task's entries from 1; entries that were imported count downwards from 0, and
    their `source` names the tracker. `token` is that of the claim which the change begins or
    ends, `outcome` how it ended. `agent` is a label that the caller gives; `login_role` is the
    database role that was logged in.
    """

    task_id: UUID
    key: str
    seq: int
    old_status: TaskStatus | None
    new_status: TaskStatus
    agent: str
    login_role: str
    note: str | None
    forced: bool
    source: str | None
    token: int | None
    outcome: ClaimOutcome | None
    created_at: datetime
