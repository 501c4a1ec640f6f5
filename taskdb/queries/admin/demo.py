"""Queries and checks of the demo: each check returns the rows that break its rule."""

from __future__ import annotations

from taskdb.models.admin.demo import (
    AgentAtWork,
    LeftOpen,
    Takeover,
    Violation,
    WorkCount,
)
from taskdb.queries.admin import query

__all__ = [
    "agents_at_work",
    "claim_in_hand",
    "claimed_by_two",
    "completed_by_another",
    "count_work",
    "left_open",
    "not_completed_once",
    "reserve_demo",
    "started_too_early",
    "takeovers",
    "work_is_left",
]


@query
def reserve_demo() -> bool:
    """Reserve this server's demo for the session; return False if another one has it."""
    ...


@query
def work_is_left(*, agents: list[str]) -> bool:
    """Return whether one of *agents* can claim a task now, or might soon."""
    ...


@query
def agents_at_work(*, agents: list[str]) -> list[AgentAtWork]:
    """Return the completed tasks and the current task of each of *agents*, by name."""
    ...


@query
def claim_in_hand(*, agent: str, application_name: str) -> str | None:
    """Return the key of the task that *agent* holds while its session is idle."""
    ...


@query
def takeovers() -> list[Takeover]:
    """List the claims that lapsed and were followed by another, in the order of the second ones."""
    ...


@query
def count_work(*, agents: list[str]) -> WorkCount:
    """Count the claims that *agents* made, the tasks they completed, and the dependencies."""
    ...


@query
def started_too_early() -> list[Violation]:
    """List tasks that were started with an open dependency."""
    ...


@query
def not_completed_once() -> list[Violation]:
    """List tasks completed more than once, or counted differently by history and claims."""
    ...


@query
def completed_by_another() -> list[Violation]:
    """List completions by anybody but the holder of the newest claim."""
    ...


@query
def claimed_by_two() -> list[Violation]:
    """List tasks of which two claims were live at a time."""
    ...


@query
def left_open() -> list[LeftOpen]:
    """List tasks neither completed nor abandoned, with the reasons why they can't be claimed."""
    ...
