"""The queries of customers.sql."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from shop import query
from taskdb.query import Length, Range

PageSize = Annotated[int, Range(1, 1000)]


@dataclass(slots=True)
class Customer:
    id: int
    mail: str
    name: str
    joined_at: datetime


@query
def upsert(*, mail: Annotated[str, Length(3, 320)], name: Annotated[str, Length(1, 200)]) -> int:
    """Add a customer, or rename the one who has this mail address. Returns the id."""
    ...


@query
def by_mail(*, mail: str) -> Customer | None:
    """Return the customer of a mail address, in any case, or None."""
    ...


@query
def list_page(
    *,
    page_size: PageSize = 100,
    after_joined_at: datetime | None = None,
    after_id: int | None = None,
) -> list[Customer]:
    """Return customers in the order in which they joined, after the last one of the page before."""
    ...
