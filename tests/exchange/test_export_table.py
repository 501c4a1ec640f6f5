"""A plan as a table and as a board: what goes out, what comes back, what is named as lost."""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from taskdb.database import connect
from taskdb.exchange import import_plan
from taskdb.models.types import DependencyType, TaskStatus
from taskdb.queries import claims, dependencies, externals, outgoing, tasks
from taskdb.testing.databases import Databases
from tests.command_line import Caller
from tests.plans import Plan, make_plan

PLAN = Plan()


@pytest.fixture
def other_url(databases: Databases, template: str) -> Generator[str]:
    url = databases.clone(template)
    yield url
    databases.drop(url)


@pytest.fixture
def planned(database_url: str) -> str:
    with connect(database_url) as conn:
        make_plan(conn)
        tasks.update(conn, PLAN.docs, labels=["api", "ui"], description='Two\nlines, "quoted"')
        tasks.update_status(
            conn, PLAN.chore, status=TaskStatus.BLOCKED, blocked_reason="waits for *words*"
        )
        tasks.create(conn, key="part", title="A <b>part</b>", priority=2, parent_id=None)
        assert claims.claim(conn, key=PLAN.design, agent="ann") is not None
    return database_url


def said(url: str) -> dict[str, dict[str, Any]]:
    """Return each task's row of the table."""
    kept = ("title", "description", "priority", "parent", "labels", "blocked_by", "created_at")
    with connect(url) as conn:
        return {
            task.key: {
                **{name: getattr(task, name) for name in kept},
                "status": task.status,
                "on hold": task.blocked_reason is not None,
            }
            for task in outgoing.list_plan(conn)
        }


@pytest.mark.slow
def test_a_table_comes_back_with_the_same_tasks_edges_texts_labels_and_statuses(
    planned: str, other_url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "plan.csv"
    wrote = Caller(capsys, planned)("export", "--format", "csv", "-o", path)

    with connect(other_url) as conn:
        import_plan(conn, "csv", path)

    assert wrote.status == 0
    assert said(other_url) == said(planned)
    assert "not in the file: 5 requires, which become blocks" in wrote.err
    assert "not in the file: 1 suggestions" in wrote.err
    assert "not in the file: 1 reasons of holds" in wrote.err


@pytest.mark.slow
def test_changed_on_both_sides_it_is_imported_again_and_exported(
    planned: str, other_url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "plan.csv"
    Caller(capsys, planned)("export", "--format", "csv", "-o", path)
    with connect(other_url) as conn:
        import_plan(conn, "csv", path)
        tasks.update(conn, PLAN.test, title="Changed here")
    with connect(planned) as conn:
        tasks.update(conn, PLAN.docs, title="Changed there")
        dependencies.add_dependency(
            conn, task="part", depends_on=PLAN.docs, dependency_type=DependencyType.BLOCKS
        )
    Caller(capsys, planned)("export", "--format", "csv", "-o", path)

    with connect(other_url) as conn:
        import_plan(conn, "csv", path)
    Caller(capsys, other_url)("export", "--format", "csv", "-o", tmp_path / "back.csv")

    back = (tmp_path / "back.csv").read_text()
    assert "Changed here" in back
    assert "Changed there" in back
    assert said(other_url)["part"]["blocked_by"] == [PLAN.docs]


def test_a_board_lists_tasks_by_status_and_escapes_their_words(
    planned: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "BOARD.md"

    wrote = Caller(capsys, planned)("export", "--format", "markdown", "-o", path)

    board = path.read_text()
    assert wrote.status == 0
    assert "## Ready (1)\n\n- `part` A \\<b\\>part\\</b\\>\n" in board
    assert f"## In progress (1)\n\n- `{PLAN.design}` " in board
    assert r"(on hold: waits for \*words\*)" in board
    assert "not in the file: 1 descriptions" in wrote.err


@pytest.mark.parametrize("kind", ["beads", "taskmaster", "csv", "markdown"])
def test_a_reservation_is_named_where_a_file_does_not_hold_it(
    database_url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str
) -> None:
    with connect(database_url) as conn:
        tasks.create(
            conn, key="T-1", title="One", assigned_agent="ann", metadata={"source": "x", "a": 1}
        )

    wrote = Caller(capsys, database_url)("export", "--format", kind, "-o", tmp_path / "plan")

    assert "not in the file: 1 reservations for an agent" in wrote.err
    assert "not in the file: 1 metadata" in wrote.err


@pytest.mark.parametrize("kind", ["beads", "taskmaster", "csv", "markdown"])
def test_settings_of_tasks_are_named_where_a_file_does_not_hold_them(
    database_url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str
) -> None:
    with connect(database_url) as conn:
        tasks.create(conn, key="T-0", title="Plain")
        tasks.create(
            conn,
            key="T-1",
            title="One",
            concurrency_key="staging",
            retry_delay=timedelta(minutes=1),
            max_attempts=3,
            execution_order=1,
            complexity_score=40,
            file_path="docs/one.md",
        )
        waiting = tasks.create(conn, key="T-2", title="Two", retry_factor=Decimal(2))
        externals.create(conn, task_id=waiting.id, service="mail")

    wrote = Caller(capsys, database_url)("export", "--format", kind, "-o", tmp_path / "plan")

    lost = {line.partition("not in the file: ")[2] for line in wrote.err.splitlines()}
    assert {
        "1 concurrency keys",
        "2 back-off policies",
        "1 limits of attempts",
        "1 places in the order of execution",
        "1 complexity scores",
        "1 paths of files",
        "1 external dependencies",
    } <= lost


def test_what_a_table_splits_or_trims_is_counted(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with connect(database_url) as conn:
        for number, label in enumerate(("a,b", "a;b", "a\nb", " a", "a b"), start=1):
            tasks.create(conn, key=f"T-{number}", title="One", labels=[label])
        tasks.create(conn, key=" T", title="Two")
        tasks.create(conn, key="T;9", title="Three")
        dependencies.add_dependency(conn, task="T-5", depends_on="T;9")

    wrote = Caller(capsys, database_url)("export", "--format", "csv", "-o", tmp_path / "plan")

    assert "not in the file: 6 labels or keys that the file splits or trims" in wrote.err
