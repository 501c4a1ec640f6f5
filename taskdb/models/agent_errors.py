"""Errors of agents in tech-spec sessions, and their recovery."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from taskdb.models.base import Model


@dataclass(slots=True)
class AgentError(Model):
    """An error. `sql/tables/agent_error_logs.sql` says what each column means."""

    id: UUID
    session_id: UUID
    node: str
    error_type: str
    message: str
    stack_trace: str | None
    retry_count: int
    recovered: bool
    recovery_strategy: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class NodeRecovery(Model):
    """Agents' recoveries from errors in one node; `recovery_pct` is of 100."""

    node: str
    error_count: int
    recovered_count: int
    recovery_pct: Decimal
    average_retries: Decimal
    last_error_at: datetime


@dataclass(slots=True)
class RecoveryRate(Model):
    """Agents' recoveries from errors; rates are None if there were none."""

    error_count: int
    recovered_count: int
    recovery_pct: Decimal | None
    average_retries: Decimal | None
