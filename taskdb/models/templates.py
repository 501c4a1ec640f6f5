"""Templates of projects."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from taskdb.models.base import Model
from taskdb.models.types import Complexity, TemplateCategory


@dataclass(slots=True)
class TemplateSummary(Model):
    """A template without its files; `estimated_setup_time` is in minutes."""

    id: UUID
    name: str
    description: str | None
    category: TemplateCategory
    required_vars: list[str]
    optional_vars: list[str]
    tech_stack: list[str]
    estimated_setup_time: int | None
    complexity: Complexity
    tags: list[str]
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class Template(Model):
    """A template with its files; `estimated_setup_time` is in minutes."""

    id: UUID
    name: str
    description: str | None
    category: TemplateCategory
    files: dict[str, str]
    required_vars: list[str]
    optional_vars: list[str]
    tech_stack: list[str]
    estimated_setup_time: int | None
    complexity: Complexity
    tags: list[str]
    created_at: datetime
    updated_at: datetime
