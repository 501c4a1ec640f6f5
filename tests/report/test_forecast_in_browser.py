"""The forecast of the report page, in Chromium."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from taskdb.exchange import import_plan
from taskdb.models.dependencies import NewDependency
from taskdb.models.tasks import NewTask
from taskdb.models.types import TaskStatus
from taskdb.queries import claims, exchange, tasks
from tests.exchange_files import DATA, needs_data
from tests.report.browser import Page, needs_chromium
from tests.report.writing import Conn, write

pytestmark = needs_chromium


def with_measured(conn: Conn, hours: float, number: int = 6) -> None:
    """Finish tasks that took so long each."""
    done = datetime.now(UTC) - timedelta(days=1)
    begun = done - timedelta(hours=hours)
    tasks.create_many(
        conn,
        [
            NewTask(
                key=f"done-{n}",
                title="Done",
                status=TaskStatus.COMPLETED,
                created_at=begun - timedelta(hours=1),
                completed_at=done,
            )
            for n in range(number)
        ],
    )
    ids = exchange.tasks_by_key(conn, keys=[f"done-{n}" for n in range(number)])
    moves = (
        (TaskStatus.PENDING, TaskStatus.IN_PROGRESS, begun),
        (TaskStatus.IN_PROGRESS, TaskStatus.COMPLETED, done),
    )
    rows = [(row.id, *move) for row in ids for move in moves]
    exchange.import_history(
        conn,
        source="test",
        task_ids=[task for task, _, _, _ in rows],
        old_statuses=[old for _, old, _, _ in rows],
        new_statuses=[new for _, _, new, _ in rows],
        agents=["ann"] * len(rows),
        notes=[None] * len(rows),
        are_forced=[False] * len(rows),
        moments=[at for _, _, _, at in rows],
    )


def forecast(page: Page) -> dict[str, str]:
    page.wait("return !document.querySelector('.compare').textContent.includes('…')")
    rows = page.run(
        "return [...document.querySelectorAll('.compare tr')].map((row) => "
        "[row.children[0].textContent, row.children[2].textContent])"
    )
    return dict(rows)


def test_the_forecast_follows_dependencies_and_agents(
    page: Page, conn: Conn, tmp_path: Path
) -> None:
    """Each finished task took two hours: 8 open ones are 16 hours of work, a chain of 3 six."""
    with_measured(conn, 2)
    tasks.create_many(
        conn,
        [NewTask(key=f"T{n}", title="Open", estimated_hours=Decimal(9)) for n in range(8)],
        [NewDependency("T1", "T0"), NewDependency("T2", "T1")],
    )
    page.open(write(conn, tmp_path / "forecast.html"))

    assert forecast(page) == {
        "1 agent": "16 h",
        "2 agents": "8 h",
        "4 agents": "6 h",
        "8 agents": "6 h",
        "16 agents": "6 h",
    }
    assert "6 finished tasks" in page.texts("#forecast-body .hint")[0]


@pytest.mark.slow
def test_an_agent_does_one_thing_at_a_time_also_of_what_is_begun(
    page: Page, conn: Conn, tmp_path: Path
) -> None:
    tasks.create_many(
        conn, [NewTask(key=f"T{n}", title="Open", estimated_hours=Decimal(1)) for n in range(9)]
    )
    for _ in range(8):
        claims.claim_next(conn, agent="ann")
    page.open(write(conn, tmp_path / "forecast.html"))

    assert forecast(page)["1 agent"] == "9 h"
    assert forecast(page)["8 agents"] == "2 h"


@pytest.mark.slow
def test_without_finished_work_the_forecast_is_the_plans(
    page: Page, conn: Conn, tmp_path: Path
) -> None:
    tasks.create_many(
        conn, [NewTask(key=f"T{n}", title="Open", estimated_hours=Decimal(3)) for n in range(4)]
    )
    page.open(write(conn, tmp_path / "forecast.html"))

    assert forecast(page)["2 agents"] == "6 h"
    assert page.texts("#forecast-body .hint")[0].startswith("No finished work was measured")


@pytest.mark.slow
@needs_data
def test_the_same_plan_has_the_same_forecast(page: Page, conn: Conn, tmp_path: Path) -> None:
    import_plan(conn, "shark", DATA / "shark/db/2026-01-02_4068e716")
    path = write(conn, tmp_path / "shark.html")
    page.open(path)
    forecast(page)
    once = page.texts("#forecast-body")
    page.open(path)
    forecast(page)

    assert page.texts("#forecast-body") == once
    ends = [float(each.split()[0].replace(",", "")) for each in forecast(page).values()]
    assert len(set(ends)) > 2
