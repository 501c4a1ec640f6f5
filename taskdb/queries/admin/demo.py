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
    "completed_by_another",
    "count_work",
    "held_by_two",
    "left_open",
    "not_completed_once",
    "reserve_demo",
    "started_too_early",
    "takeovers",
    "work_is_left",
]


@query
def reserve_demo() -> bool:
    """Make this session the one that runs a demo on this server; False if there is one."""
    ...


@query
def work_is_left(*, agents: list[str]) -> bool:
    """Tell whether one of *agents* may claim a task now, or perhaps soon."""
    ...


@query
def agents_at_work(*, agents: list[str]) -> list[AgentAtWork]:
    """Tell what each of *agents* has completed and what it works on, in order of their names."""
    ...


@query
def claim_in_hand(*, agent: str, application_name: str) -> str | None:
    """Return the key of the task that *agent* works on while its session has nothing running."""
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
    """List tasks that were started while something they wait for was not satisfied."""
    ...


@query
def not_completed_once() -> list[Violation]:
    """List tasks that were completed more than once, or of which history and claims differ."""
    ...


@query
def completed_by_another() -> list[Violation]:
    """List completions by anybody but the holder of the newest claim."""
    ...


@query
def held_by_two() -> list[Violation]:
    """List tasks of which two claims were live at a time."""
    ...


@query
def left_open() -> list[LeftOpen]:
    """List what is neither completed nor given up, with the reasons why it can't be claimed."""
    ...
