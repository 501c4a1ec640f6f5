"""Tables, indexes and sorts of a plan, read from the tree of `explain`."""

from __future__ import annotations

from taskdb.query.check import plantree


def test_limit_bounds_what_is_read_and_a_sort_does_not() -> None:
    scan = {"Node Type": "Index Scan", "Index Name": "by_time", "Plan Rows": 1_000_000}
    page = {"Node Type": "Limit", "Plan Rows": 50, "Plans": [scan]}
    sort = {"Node Type": "Sort", "Plan Rows": 1_000_000, "Plans": [scan]}
    best = {"Node Type": "Limit", "Plan Rows": 50, "Plans": [sort]}
    sizes = {"by_time": 1_000_000}

    assert plantree.read(page, sizes).whole == {}
    assert plantree.read(best, sizes).whole == {"index by_time": 1_000_000}
    assert plantree.read(best, sizes).piled == {"sorts": 1_000_000}


def test_filter_that_hardly_a_row_passes_is_seen_behind_a_limit() -> None:
    scan = {"Node Type": "Index Scan", "Index Name": "by_time", "Plan Rows": 100, "Filter": "rare"}
    page = {"Node Type": "Limit", "Plan Rows": 50, "Plans": [scan]}

    assert plantree.read(page, {"by_time": 1_000_000}).whole == {"index by_time": 500_000}
