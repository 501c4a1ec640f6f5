"""What pg_stat_statements says of named queries."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

__all__ = ["StatementCost"]


@dataclass(slots=True)
class StatementCost:
    """What one query has cost; times are in milliseconds."""

    name: str
    call_count: int
    total_ms: Decimal
    mean_ms: Decimal
    row_count: int
