"""The page on operations names every metric and logger that there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from taskdb.health.metrics import ALL

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
OF_PROCESS = re.compile(r'"((?:db\.client|taskdb)\.[a-z_.]+)",$', re.MULTILINE)


def rows_of(heading: str) -> list[str]:
    """Return the rows of the table below a heading, without its head."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| ")][2:]


def named_in_first_cells(heading: str) -> set[str]:
    cells = [row.split(" | ")[0] for row in rows_of(heading)]
    return {name for cell in cells for name in re.findall(r"`([a-z_.]+)", cell)}


def test_page_explains_each_metric_of_prometheus() -> None:
    metrics = {metric.name: metric.label for metric in ALL}

    assert named_in_first_cells("Health") == metrics.keys()
    for name, label in metrics.items():
        assert (f"`{name}{{{label}}}`" if label else f"`{name}`") in PAGE


def test_page_explains_each_metric_of_a_process() -> None:
    sources = [path.read_text() for path in (ROOT / "taskdb" / "otel").glob("*.py")]
    created = {name for source in sources for name in OF_PROCESS.findall(source)}

    assert named_in_first_cells("Metrics of a process") == created - {
        "db.client.connection.pool.name",
        "db.client.connection.state",
    }


def test_alerts_are_on_metrics_that_exist() -> None:
    metrics = {metric.name for metric in ALL}
    used = {name for row in rows_of("When to act") for name in re.findall(r"taskdb_[a-z_]+", row)}

    assert used
    assert used <= metrics
