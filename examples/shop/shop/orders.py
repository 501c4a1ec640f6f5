"""The queries of orders.sql."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from shop import query
from shop.customers import Customer, PageSize
from taskdb.query import Range
from taskdb.query.errors import NotFoundError


class OrderStatus(StrEnum):
    OPEN = "open"
    PAID = "paid"
    SENT = "sent"


class NotOpenError(NotFoundError):
    """There is no such order, or it is not open."""


@dataclass(slots=True)
class AddedItem:
    order_id: int
    product_id: int
    quantity: int
    price: Decimal


@dataclass(slots=True)
class Item:
    sku: str
    name: str
    quantity: int
    price: Decimal


@dataclass(slots=True)
class Order:
    id: int
    status: OrderStatus
    placed_at: datetime
    buyer: Customer
    items: list[Item]


@query
def place(*, customer_id: int, product_ids: list[int], quantities: list[int]) -> int:
    """Place an order and return its id. The lists are columns, as many items in each."""
    ...


@query
def add_item(
    *, order_id: int, product_id: int, quantity: Annotated[int, Range(1)] = 1
) -> AddedItem:
    """Add an item at the product's price, or more of the same."""
    ...


@query
def list_page(
    *,
    page_size: PageSize = 100,
    before_id: int | None = None,
    customer_id: int | None = None,
    statuses: list[OrderStatus] | None = None,
) -> list[Order]:
    """Return orders with buyer and items, newest first, before the last one of the page before."""
    ...


@query(not_found=NotOpenError)
def pay(*, id: int) -> int:
    """Mark an open order as paid."""
    ...
