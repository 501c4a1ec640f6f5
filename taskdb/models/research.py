"""Research of tech-spec sessions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from taskdb.models.base import Model


@dataclass(slots=True)
class TechResearch(Model):
    """A gap, the options found for it, and the choice; each option is an object with a name."""

    id: UUID
    session_id: UUID
    technology_category: str
    gap_description: str | None
    researched_options: list[dict[str, Any]] | None
    selected_technology: str | None
    selection_reasoning: str | None
    decided_at: datetime | None
    created_at: datetime
    updated_at: datetime
