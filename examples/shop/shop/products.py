"""The queries of products.sql."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from shop import query
from taskdb.query import Range
from taskdb.query.errors import NotFoundError

Order = Literal["name", "cheapest", "dearest", "stock"]


class ProductStatus(StrEnum):
    DRAFT = "draft"
    ON_SALE = "on_sale"
    RETIRED = "retired"


class ProductLabel(StrEnum):
    NEW = "new"
    ORGANIC = "organic"
    FRAGILE = "fragile"
    GIFT = "gift"


@dataclass(slots=True)
class ProductKey:
    id: int
    sku: str


@dataclass(slots=True)
class Product:
    id: int
    sku: str
    name: str
    category: str
    labels: list[ProductLabel]
    status: ProductStatus
    price: Decimal
    stock: int


@dataclass(slots=True)
class CategoryCount:
    category: str
    products: int


@query
def upsert_many(
    *, skus: list[str], names: list[str], categories: list[str], prices: list[Decimal]
) -> list[ProductKey]:
    """Add products, and set name, category and price of those whose sku is known.

    The lists are columns: as many items in each, and no sku twice.
    """
    ...


@query
def restock(*, ids: list[int], quantities: list[int]) -> int:
    """Add to the stock of many products. Returns how many there were of them."""
    ...


@query(not_found=NotFoundError)
def set_status(*, id: int, status: ProductStatus, labels: list[ProductLabel] | None = None) -> int:
    """Set the status, and the labels if they are given."""
    ...


@query
def search(
    *,
    category: str | None = None,
    labels: list[ProductLabel] | None = None,
    word: str | None = None,
    at_least: Decimal | None = None,
    at_most: Decimal | None = None,
    in_stock: bool = False,
    all_states: bool = False,
    by: Order | None = None,
    most: Annotated[int, Range(1, 1000)] = 100,
) -> list[Product]:
    """Return products on sale, or with *all_states* all, by what is given, else in order of id.

    A category includes those below it; a product must have all of the labels.
    """
    ...


@query
def count_by_category(*, category: str) -> list[CategoryCount]:
    """Count the products below a category, by the categories next below it."""
    ...
