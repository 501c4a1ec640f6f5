"""Technical requirements documents (TRD) of tech-spec sessions."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from taskdb.models.base import Model


@dataclass(slots=True)
class TrdDocument(Model):
    """A version of a session's document, with all its texts."""

    id: UUID
    session_id: UUID
    version: int
    trd_content: str
    api_specification: str | None
    database_schema: str | None
    architecture_diagram: str | None
    tech_stack_document: str | None
    quality_score: Decimal | None
    validation_report: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class TrdDocumentInfo(Model):
    """A version of a session's document, without its texts."""

    id: UUID
    session_id: UUID
    version: int
    quality_score: Decimal | None
    created_at: datetime
    updated_at: datetime
