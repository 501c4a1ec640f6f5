"""Figures of named queries from pg_stat_statements."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

__all__ = ["StatementCost"]


@dataclass(slots=True)
class StatementCost:
    """Cost of one query so far; times are in milliseconds."""

    name: str
    call_count: int
    total_ms: Decimal
    mean_ms: Decimal
    row_count: int
