"""External dependencies of tasks and workflows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from taskdb.models.base import Model
from taskdb.models.types import Health


@dataclass(slots=True)
class ExternalDependency(Model):
    """Something outside that a task or a workflow needs, and how it is.

    `sql/tables/external_dependencies.sql` says what each column means.
    """

    id: UUID
    task_id: UUID | None
    workflow_id: UUID | None
    service: str
    resource: str | None
    validation_rule: str | None
    is_required: bool
    health: Health
    check_interval: timedelta
    timeout: timedelta
    max_retries: int
    retry_delay: timedelta
    failed_checks: int
    response: dict[str, Any] | None
    error_message: str | None
    metadata: dict[str, Any] | None
    checked_at: datetime | None
    next_check_at: datetime
    created_at: datetime
    updated_at: datetime
