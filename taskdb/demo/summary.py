"""Summary of the demo, from the database's own records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import psycopg

from taskdb.admin import doctor
from taskdb.demo.crew import Member
from taskdb.demo.watch import Standing
from taskdb.models.admin.demo import AgentAtWork, LeftOpen, Takeover, Violation, WorkCount
from taskdb.queries.admin import demo

__all__ = ["DemoCheck", "Summary", "summarise"]


@dataclass(frozen=True, slots=True)
class DemoCheck:
    """A rule, how much of it there was to look at, and the rows that break it."""

    rule: str
    looked_at: str
    violations: Sequence[Violation]


@dataclass(frozen=True, slots=True)
class Summary:
    """All that is reported at the end of the demo."""

    elapsed: timedelta
    start: Standing
    end: Standing
    work: WorkCount
    agents: Sequence[AgentAtWork]
    killed: Member | None
    takeovers: Sequence[Takeover]
    checks: Sequence[DemoCheck]
    left_open: Sequence[LeftOpen]

    @property
    def holds(self) -> bool:
        """Return whether no rule was broken."""
        return not any(check.violations for check in self.checks)


def summarise(
    conn: psycopg.Connection, members: Sequence[Member], start: Standing, elapsed: timedelta
) -> Summary:
    """Ask the database how it went: it judges, and not the program that ran the agents."""
    names = [member.name for member in members]
    work = demo.count_work(conn, agents=names)
    takeovers = demo.takeovers(conn)
    killed = next((member for member in members if member.killed_at), None)
    return Summary(
        elapsed=elapsed,
        start=start,
        end=Standing.read(conn),
        work=work,
        agents=demo.agents_at_work(conn, agents=names),
        killed=killed,
        takeovers=takeovers,
        checks=_checks(conn, names, work, killed, takeovers),
        left_open=demo.left_open(conn),
    )


def _checks(
    conn: psycopg.Connection,
    names: list[str],
    work: WorkCount,
    killed: Member | None,
    takeovers: Sequence[Takeover],
) -> list[DemoCheck]:
    completions = f"{work.completed_count} completions"
    found = [Violation(finding.subject, finding.message) for finding in doctor.run(conn)]
    return [
        DemoCheck(
            "no task was started before what it waits for",
            f"{work.dependency_count} dependencies",
            demo.started_too_early(conn),
        ),
        DemoCheck("none was completed twice", completions, demo.not_completed_once(conn)),
        DemoCheck(
            "none was completed without the newest claim",
            completions,
            demo.completed_by_another(conn),
        ),
        DemoCheck(
            "none was held by two agents at a time",
            f"{work.claim_count} claims",
            demo.claimed_by_two(conn),
        ),
        DemoCheck(
            "the killed agent's task was taken over",
            "1 kill" if killed else "no kill",
            _lost(killed, takeovers),
        ),
        DemoCheck(
            "nothing that these agents may claim is left", "all tasks", _forgotten(conn, names)
        ),
        DemoCheck("the invariants hold", "taskdb doctor", found),
    ]


def _lost(killed: Member | None, takeovers: Sequence[Takeover]) -> list[Violation]:
    if killed is None or killed.killed_at is None:
        return []
    if any(
        (takeover.key, takeover.lost_by) == (killed.killed_at, killed.name)
        for takeover in takeovers
    ):
        return []
    return [Violation(killed.killed_at, f"{killed.name} was killed at it, and nobody took it over")]


def _forgotten(conn: psycopg.Connection, names: list[str]) -> list[Violation]:
    if not demo.work_is_left(conn, agents=names):
        return []
    return [Violation("-", "a task may still be claimed, or a claim is live")]
