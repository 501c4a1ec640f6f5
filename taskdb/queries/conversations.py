"""Messages of tech-spec sessions: `sql/queries/conversations.sql`."""

from datetime import datetime
from uuid import UUID

from taskdb.models.conversations import TechMessage
from taskdb.models.types import ConversationRole
from taskdb.queries import query
from taskdb.queries.fields import Document, Limit, Name, Text


@query
def append(
    *,
    session_id: UUID,
    role: ConversationRole,
    message: Text,
    message_type: Name | None = None,
    research_id: UUID | None = None,
    metadata: Document | None = None,
) -> TechMessage:
    """Add a message to a session's conversation; it is never changed.

    Raises `IntegrityError` if there is no such session, or *research_id* is not of it.
    """
    ...


@query
def list_messages(
    session_id: UUID,
    *,
    after_created_at: datetime | None = None,
    after_id: UUID | None = None,
    limit: Limit = 50,
) -> list[TechMessage]:
    """Return the messages of a session, newest first.

    The next page, which is older, begins after the last row of this one: give its `created_at`
    and `id`.
    """
    ...


@query
def list_about_research(
    *,
    session_id: UUID,
    research_id: UUID,
    after_created_at: datetime | None = None,
    after_id: UUID | None = None,
    limit: Limit = 50,
) -> list[TechMessage]:
    """Return the messages about a research, newest first; pages as `list_messages`."""
    ...
