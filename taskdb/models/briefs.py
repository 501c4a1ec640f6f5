"""Briefs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from taskdb.models.base import Model
from taskdb.models.types import TaskStatus


@dataclass(slots=True)
class Brief(Model):
    """A task as its next worker sees it.

    `blockers` are objects of key, title, status, type and open, the open ones first; `attempts`
    those that ended, of token, agent, outcome, ended_at, note, progress_pct and progress_note, and
    `notes` changes of status with a note, of agent, status, note and at, both the latest first;
    `checklist` has title and status. `spec_text` is the text of the phase of a hierarchical
    specification, or a whole monolithic one.
    """

    key: str
    title: str
    status: TaskStatus
    effective_priority: int
    agent_type: str | None
    assigned_agent: str | None
    claim_agent: str | None
    claim_token: int | None
    lease_expires_at: datetime | None
    progress_pct: int | None
    progress_note: str | None
    blocked_reason: str | None
    error_message: str | None
    failed_attempts: int
    max_attempts: int
    description: str | None
    requirements: dict[str, Any] | None
    context: dict[str, Any] | None
    labels: list[str]
    file_path: str | None
    parent_key: str | None
    parent_title: str | None
    feature_key: str | None
    feature_title: str | None
    spec_key: str | None
    spec_title: str | None
    scope: str | None
    scope_description: str | None
    branch_name: str | None
    worktree_path: str | None
    assigned_files: list[str]
    phase_number: int | None
    phase_description: str | None
    spec_text: str | None
    blockers: list[dict[str, Any]]
    attempts: list[dict[str, Any]]
    notes: list[dict[str, Any]]
    checklist: list[dict[str, Any]]
    files: list[str]
