"""A small shop, whose SQL stands in queries/*.sql."""

from __future__ import annotations

from pathlib import Path

from taskdb.query import ConstraintRule, Queries

query = Queries(
    Path(__file__).parent / "queries",
    name="shop",
    package="shop",
    constraints={
        "campaigns_one_at_a_time": ConstraintRule("during", "must not overlap another campaign's"),
        "products_stock_is_not_negative": ConstraintRule("stock", "must not be negative"),
    },
)

query.complete()
