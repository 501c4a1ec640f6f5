"""History: `sql/queries/history.sql`. Triggers write it; these functions read."""

from datetime import datetime
from uuid import UUID

from taskdb.models.history import HistoryEntry
from taskdb.queries import query
from taskdb.queries.fields import Key, Limit, Name


@query
def list_for_task(key: Key) -> list[HistoryEntry]:
    """Return a task's history, the oldest first; imported rows come before the rest."""
    ...


@query
def list_by_agent(
    *,
    agent: Name,
    after_created_at: datetime | None = None,
    after_task_id: UUID | None = None,
    after_seq: int | None = None,
    limit: Limit = 50,
) -> list[HistoryEntry]:
    """Return the changes by an agent, the newest first.

    The next page begins after the last row of this one: give its `created_at`, `task_id` and `seq`.
    """
    ...


@query
def recent(
    *,
    since: datetime | None = None,
    after_created_at: datetime | None = None,
    after_task_id: UUID | None = None,
    after_seq: int | None = None,
    limit: Limit = 50,
) -> list[HistoryEntry]:
    """Return the latest changes across all tasks, the newest first.

    The next page begins after the last row of this one: give its `created_at`, `task_id` and `seq`.
    """
    ...
