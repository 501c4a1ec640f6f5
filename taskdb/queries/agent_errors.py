"""Errors of agents in tech-spec sessions: `sql/queries/agent_errors.sql`."""

from datetime import datetime
from uuid import UUID

from taskdb.models.agent_errors import AgentError, NodeRecovery, RecoveryRate
from taskdb.queries import query
from taskdb.queries.fields import Limit, Name, Text


@query
def log(
    *,
    session_id: UUID,
    node: Name,
    error_type: Name,
    message: Text,
    stack_trace: Text | None = None,
) -> AgentError:
    """Record an error in a session's *node*.

    Raises `IntegrityError` if there is no such session.
    """
    ...


@query
def get(id: UUID) -> AgentError:
    """Return an error, or raise `NotFoundError`."""
    ...


@query
def count_retry(id: UUID) -> AgentError:
    """Count one more retry after an error; raise `NotFoundError` if there is no such row."""
    ...


@query
def mark_recovered(id: UUID, *, recovery_strategy: Name | None = None) -> AgentError:
    """Record that the agent recovered from an error, and how; raise `NotFoundError`."""
    ...


@query
def list_for_session(
    session_id: UUID,
    *,
    after_created_at: datetime | None = None,
    after_id: UUID | None = None,
    limit: Limit = 50,
) -> list[AgentError]:
    """Return the errors of a session, newest first.

    The next page begins after the last row of this one: give its `created_at` and `id`.
    """
    ...


@query
def list_errors(
    *,
    node: Name | None = None,
    recovered: bool | None = None,
    after_created_at: datetime | None = None,
    after_id: UUID | None = None,
    limit: Limit = 50,
) -> list[AgentError]:
    """Return the errors of all sessions, newest first; a filter that is None is left out."""
    ...


@query
def list_recovery() -> list[NodeRecovery]:
    """Return the rate at which agents recovered from their errors, ever, by node."""
    ...


@query
def recovery_since(since: datetime, *, node: Name | None = None) -> RecoveryRate:
    """Return the rate at which agents recovered from errors since a moment, of one node or all."""
    ...
