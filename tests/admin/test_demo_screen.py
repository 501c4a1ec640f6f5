"""The demo's screen, and its last page."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

import pytest
from rich.console import Console

from taskdb.demo import closing, screens
from taskdb.demo.display import Snapshot
from taskdb.demo.screens import LiveDisplay, PlainDisplay
from taskdb.demo.summary import DemoCheck, Summary
from taskdb.models.admin.demo import AgentAtWork, LeftOpen, Takeover, Violation
from taskdb.models.types import ClaimOutcome, TaskStatus


def snapshot(done: int, **changes: object) -> Snapshot:
    agents = [
        AgentAtWork("agent-1", 3, "T-1", "Lex \x1b[31m everything"),
        AgentAtWork("agent-2", 0, None, None),
        AgentAtWork("agent-3", 1, "T-3", "Held when it was killed"),
    ]
    counts = {TaskStatus.PENDING: 4, TaskStatus.BLOCKED: 2, TaskStatus.IN_PROGRESS: 2}
    shown = Snapshot(20, done, counts, agents, {"agent-3": "T-3"})
    return replace(shown, **changes)  # type: ignore[arg-type]


def console(terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=80, _environ={})


def printed(on: Console) -> str:
    assert isinstance(on.file, io.StringIO)
    return on.file.getvalue()


def test_without_a_terminal_there_is_a_line_for_each_tenth() -> None:
    on = console(terminal=False)
    with screens.for_console(on) as screen:
        assert isinstance(screen, PlainDisplay)
        for done in range(5):
            screen.show(snapshot(done))
        screen.report("something \x1bhappened")

    assert printed(on).splitlines() == [
        "  2 of 20 done, 2 in progress, 4 ready, 2 blocked",
        "  4 of 20 done, 2 in progress, 4 ready, 2 blocked",
        r"  something \x1bhappened",
    ]


@pytest.mark.slow
def test_on_a_terminal_each_agent_has_a_line() -> None:
    on = console(terminal=True)
    with screens.for_console(on) as screen:
        assert isinstance(screen, LiveDisplay)
        screen.show(snapshot(5))
        screen.report("something happened")

    text = printed(on)
    assert r"T-1  Lex \x1b[31m everything" in text
    assert "looking for work" in text
    assert "killed at T-3" in text
    assert "something happened" in text


def summary(**changes: object) -> Summary:
    from taskdb.demo.watch import Standing
    from taskdb.models.admin.demo import WorkCount

    usual = Summary(
        elapsed=timedelta(seconds=4.21),
        start=Standing({TaskStatus.PENDING: 20}),
        end=Standing({TaskStatus.COMPLETED: 12, TaskStatus.PENDING: 8}),
        work=WorkCount(13, 12, 5),
        agents=[AgentAtWork("agent-1", 12, None, None)],
        killed=None,
        takeovers=[],
        checks=[],
        left_open=[],
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def told(shown: Summary) -> str:
    on = console(terminal=False)
    closing.print_summary(on, shown, command="bin/taskdb", workspace="demo")
    return printed(on)


def test_the_last_page_has_the_count_and_what_to_try_next() -> None:
    page = told(summary())

    assert "12 of 20 open tasks done in 4.2 s" in page
    assert "No agent was killed" in page
    assert "bin/taskdb db psql --workspace demo" in page
    assert "Left open" not in page


def test_a_broken_rule_is_shown_with_its_first_rows() -> None:
    rows = [Violation(f"T-{number}", "went wrong") for number in range(12)]
    broken = summary(checks=[DemoCheck("nothing goes wrong", "12 tasks", rows)])

    page = told(broken)

    assert not broken.holds
    assert "BROKEN nothing goes wrong (12 tasks)" in page
    assert "T-9: went wrong" in page
    assert "T-10" not in page
    assert "and 2 more" in page


def test_what_stays_open_is_grouped_by_its_reason() -> None:
    review = [
        LeftOpen(f"R-{number}", "Reviewed", TaskStatus.IN_REVIEW, None, ["in_review"], ["reviewed"])
        for number in range(5)
    ]
    single = [
        LeftOpen(
            f"B-{number}", "Blocked", TaskStatus.BLOCKED, None, ["on_hold"], [f"word {number}"]
        )
        for number in range(9)
    ]
    mine = LeftOpen("M-1", "Mine", TaskStatus.PENDING, "bob", [], [])
    free = LeftOpen("F-1", "Free", TaskStatus.PENDING, None, [], [])
    many = LeftOpen("D-1", "Deep", TaskStatus.BLOCKED, None, ["on_hold"] * 4, ["a", "b", "c", "d"])

    page = told(summary(left_open=[*review, mine, free, many, *single]))

    assert "  5 in review: reviewed (R-0, R-1, R-2 and 2 more)" in page
    assert "  M-1, pending: reserved for bob" in page
    assert "  F-1, pending: it can be claimed" in page
    assert "  D-1, blocked: a, b and 2 more" in page
    assert "  and 5 more, for 5 other reasons" in page
    assert "bin/taskdb why 'B-8' --workspace demo" in page


def test_many_takeovers_are_counted() -> None:
    over = [
        Takeover(f"T-{n}", "ann", "bob", timedelta(seconds=2), ClaimOutcome.COMPLETED)
        for n in range(6)
    ]

    page = told(summary(takeovers=over))

    assert "  bob took T-0 over when the lease of ann had lapsed: completed" in page
    assert "  and 2 more taken over in the same way" in page
