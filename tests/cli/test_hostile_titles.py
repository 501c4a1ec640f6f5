"""A title with a line break forges no line of what a command prints."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from taskdb.database import connect
from taskdb.queries import claims, dependencies, subtasks, tasks
from taskdb.testing.databases import Databases
from tests.command_line import Caller

# Each begins a line of its own where a break is printed as one.
FORGED = "FORGED  pending"
BREAKS = ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"]
TITLE = "".join(f"Honest{each}{FORGED}" for each in BREAKS)


@pytest.fixture(scope="module")
def planned(databases: Databases, template: str) -> Generator[str]:
    """A database whose titles, names and notes all try to forge lines."""
    url = databases.clone(template)
    with connect(url) as conn:
        parent = tasks.create(conn, key="parent", title=TITLE)
        tasks.create(
            conn,
            key="T",
            title=TITLE,
            parent_id=parent.id,
            labels=[TITLE],
            context={TITLE: TITLE},
            metadata={"comments": [{"author": TITLE, "text": TITLE}], TITLE: TITLE},
        )
        tasks.create(conn, key="before", title=TITLE)
        tasks.create(conn, key="described", title="Honest", description=f"Honest\n{FORGED}")
        dependencies.add_dependency(conn, task="T", depends_on="before")
        subtasks.append(conn, task="T", title=TITLE)
        claim = claims.claim(conn, key="before", agent=TITLE[:200])
        assert claim
        claims.release(conn, task_id=claim.task_id, token=claim.token, note=TITLE)
    yield url
    databases.drop(url)


@pytest.mark.parametrize(
    "command",
    [
        ("task", "T"),
        ("task", "before"),
        ("task", "described"),
        ("brief", "T"),
        ("brief", "before"),
        ("ready",),
        ("tasks",),
        ("search", "forged"),
        ("graph",),
        ("graph", "--by", "task"),
        ("critical-path",),
    ],
    ids=" ".join,
)
def test_line_break_in_a_title_forges_no_line(
    capsys: pytest.CaptureFixture[str], planned: str, command: tuple[str, ...]
) -> None:
    printed = Caller(capsys, planned)(*command)

    assert printed.status == 0, printed.err
    assert "FORGED" in printed.out
    assert [line for line in printed.out.splitlines() if line.startswith(FORGED)] == []
