"""Projects."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from taskdb.models.base import Model
from taskdb.models.types import ProjectStatus


@dataclass(slots=True)
class ProjectSummary(Model):
    """A project without its files."""

    id: UUID
    name: str
    type: str
    status: ProjectStatus
    owner_id: str
    dependencies: list[str]
    deployment_config: dict[str, Any] | None
    test_coverage: Decimal | None
    security_score: Decimal | None
    performance_score: Decimal | None
    version: int
    created_at: datetime
    updated_at: datetime
    last_deployed_at: datetime | None


@dataclass(slots=True)
class Project(Model):
    """A project with its files; its secrets are fetched by `projects.environment` only."""

    id: UUID
    name: str
    type: str
    status: ProjectStatus
    owner_id: str
    codebase: dict[str, str]
    dependencies: list[str]
    deployment_config: dict[str, Any] | None
    test_coverage: Decimal | None
    security_score: Decimal | None
    performance_score: Decimal | None
    version: int
    created_at: datetime
    updated_at: datetime
    last_deployed_at: datetime | None


@dataclass(slots=True)
class ProjectFile(Model):
    """A file of a project, without its content."""

    path: str
    size_bytes: int


@dataclass(slots=True, repr=False)
class ProjectEnvironment:
    """The environment variables of a project: secrets, so no `Model`, and none in its repr."""

    project_id: UUID
    variables: dict[str, str]

    def __repr__(self) -> str:
        return f"<{len(self.variables)} environment variables of project {self.project_id}>"
