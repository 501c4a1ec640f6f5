"""Messages of tech-spec sessions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from taskdb.models.base import Model
from taskdb.models.types import ConversationRole


@dataclass(slots=True)
class TechMessage(Model):
    """One message of a conversation."""

    id: UUID
    session_id: UUID
    research_id: UUID | None
    role: ConversationRole
    message: str
    message_type: str | None
    metadata: dict[str, Any] | None
    created_at: datetime
