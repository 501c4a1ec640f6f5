"""Pauses of claiming: `sql/queries/pauses.sql`."""

from taskdb.models.pauses import Pause
from taskdb.queries import query
from taskdb.queries.fields import Key, Name, Text


@query
def pause(
    *,
    epic: Key | None = None,
    feature: Key | None = None,
    agent_type: Name | None = None,
    reason: Text | None = None,
    created_by: Name | None = None,
) -> Pause:
    """Pause claiming for an epic, a feature or an agent type; without any, for the workspace.

    Work that is under way goes on; when it comes back to pending, it is paused too. Pausing what
    is paused changes the reason. Raises `NotFoundError` if there is no such epic or feature,
    and `IntegrityError` for more than one scope.
    """
    ...


@query
def resume(
    *, epic: Key | None = None, feature: Key | None = None, agent_type: Name | None = None
) -> int:
    """End the pause with exactly this scope; return how many ended, one or none.

    A task that another pause covers stays paused.
    """
    ...


@query
def list_pauses() -> list[Pause]:
    """Return the pauses, the longest first."""
    ...
