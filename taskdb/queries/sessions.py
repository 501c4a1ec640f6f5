"""Tech-spec sessions: `sql/queries/sessions.sql`."""

from datetime import datetime
from uuid import UUID

from taskdb.models.sessions import (
    SessionFigures,
    SessionStatistics,
    SessionSummary,
    SessionWithJob,
    TechSpecSession,
)
from taskdb.models.types import SessionStatus
from taskdb.queries import query
from taskdb.queries.fields import Document, Limit, Name, Percentage, Text
from taskdb.query import UNSET, Unset


@query
def create(
    *,
    design_job_id: UUID,
    user_id: UUID | None = None,
    current_stage: Name | None = None,
    session_data: Document | None = None,
    websocket_url: Text | None = None,
) -> TechSpecSession:
    """Make a session for the project of a design job, pending until `start`.

    Raises `NotFoundError` if there is no such job.
    """
    ...


@query
def get(id: UUID) -> TechSpecSession:
    """Return a session, or raise `NotFoundError`."""
    ...


@query
def list_sessions(
    *,
    status: SessionStatus | None = None,
    design_job_id: UUID | None = None,
    project_id: UUID | None = None,
    user_id: UUID | None = None,
    after_created_at: datetime | None = None,
    after_id: UUID | None = None,
    limit: Limit = 50,
) -> list[TechSpecSession]:
    """Return sessions, newest first; a filter that is None is left out.

    The next page begins after the last row of this one: give its `created_at` and `id`.
    """
    ...


@query
def list_with_jobs(
    *,
    status: SessionStatus | None = None,
    after_created_at: datetime | None = None,
    after_id: UUID | None = None,
    limit: Limit = 50,
) -> list[SessionWithJob]:
    """Return sessions with their design jobs, newest first; pages as `list_sessions`."""
    ...


@query
def start(id: UUID) -> TechSpecSession:
    """Start a session, continue a paused one, or retry a failed one.

    Raises `ValidationError` if its design job is not completed, `InvalidTransitionError` if the
    session is in progress or completed already, `NotFoundError` if there is no such session.
    """
    ...


@query
def update_progress(
    id: UUID,
    *,
    progress_percentage: Percentage | Unset = UNSET,
    current_stage: Name | None | Unset = UNSET,
    session_data: Document | None | Unset = UNSET,
) -> TechSpecSession:
    """Report a session's progress, 0 to 100, and its step; only the given columns change.

    *session_data* takes the place of what is there. Raises `ValidationError` for less than 100
    of a session that is completed, `NotFoundError`.
    """
    ...


@query
def pause(id: UUID) -> TechSpecSession:
    """Pause a session. Raises `InvalidTransitionError` unless it is in progress."""
    ...


@query
def complete(id: UUID) -> TechSpecSession:
    """Complete a session: its progress is 100. Raises as `pause` does."""
    ...


@query
def fail(id: UUID, *, reason: Text) -> TechSpecSession:
    """Let a session fail. Raises `InvalidTransitionError` if it has ended already."""
    ...


@query
def delete(id: UUID) -> UUID:
    """Delete a session with all that belongs to it; return its id, or raise `NotFoundError`."""
    ...


@query
def figures(id: UUID) -> SessionFigures:
    """Return the duration, effort and results of a session, or raise `NotFoundError`."""
    ...


@query
def list_statistics() -> list[SessionStatistics]:
    """Return statistics of all sessions, a row for each status that occurs."""
    ...


@query
def summary(*, since: datetime | None = None, until: datetime | None = None) -> SessionSummary:
    """Return statistics of the sessions created from *since* on and before *until*."""
    ...
