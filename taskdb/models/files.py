"""Files of tasks."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from taskdb.models.base import Model


@dataclass(slots=True)
class TaskFileInfo(Model):
    """A file of a task, without its content. Size and checksum are the server's."""

    id: UUID
    task_id: UUID
    path: str
    content_type: str
    size_bytes: int
    sha256: bytes
    metadata: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class TaskFile(Model):
    """A file of a task, with its content."""

    id: UUID
    task_id: UUID
    path: str
    content: str
    content_type: str
    size_bytes: int
    sha256: bytes
    metadata: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime
