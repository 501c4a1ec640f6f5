"""The queries of campaigns.sql."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated

from psycopg.types.range import Range

from shop import query
from taskdb.query import Range as Between


@dataclass(slots=True)
class Campaign:
    id: int
    category: str
    percent_off: int
    during: Range[datetime]


@dataclass(slots=True)
class Price:
    full_price: Decimal
    percent_off: int | None
    price: Decimal


@query
def plan(
    *, category: str, percent_off: Annotated[int, Between(1, 90)], during: Range[datetime]
) -> int:
    """Plan a campaign. Raises IntegrityError if it overlaps another one of its category."""
    ...


@query
def list_running(*, moment: datetime) -> list[Campaign]:
    """Return the campaigns that run at a moment."""
    ...


@query
def find_price(*, product_id: int, moment: datetime) -> Price:
    """Return the price of a product at a moment, with the best campaign for it.

    Raises NotFoundError for an unknown product.
    """
    ...
