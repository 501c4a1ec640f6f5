"""The last page of the demo: what was done, whether it was right, what stays, what to try."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from taskdb.demo.summary import Summary
from taskdb.models.admin.demo import LeftOpen
from taskdb.text import clean, shorten

__all__ = ["QUERIES", "print_summary"]

SHOWN_GROUPS: Final = 8
SHOWN_KEYS: Final = 3
SHOWN_DETAILS: Final = 2
SHOWN_TAKEOVERS: Final = 4
SHOWN_VIOLATIONS: Final = 10

QUERIES: Final = (
    "select key, completed_count, task_count from epic_progress order by key;",
    "select agent, outcome, count(*) from task_claims group by 1, 2;",
    "select key, open_blockers, blocked_reason from blocked_tasks;",
)


def print_summary(console: Console, summary: Summary, *, command: str, workspace: str) -> None:
    """Print *summary*. *command* is how the reader calls taskdb."""
    page = _Page(console)
    _results(page, summary)
    _checks(page, summary)
    _left_open(page, summary)
    _next(page, summary, command, workspace)


class _Page:
    def __init__(self, console: Console) -> None:
        self._console = console

    def line(self, text: str = "", style: str = "") -> None:
        self._console.print(Text(clean(text), style=style), soft_wrap=True)

    def title(self, text: str) -> None:
        self.line()
        self.line(text, "bold")


def _results(page: _Page, summary: Summary) -> None:
    done = summary.end.closed - summary.start.closed
    page.title(
        f"{done} of {summary.start.open} open tasks done in {summary.elapsed.total_seconds():.1f} s"
    )
    for agent in summary.agents:
        note = ""
        if summary.killed is not None and summary.killed.name == agent.name:
            note = f", then killed at {summary.killed.killed_at}"
        page.line(f"  {agent.name}  {agent.completed_count:4} completed{note}")
    for takeover in summary.takeovers[:SHOWN_TAKEOVERS]:
        page.line(
            f"  {takeover.taken_by} took {takeover.key} over when the lease of "
            f"{takeover.lost_by} had lapsed: {takeover.outcome or 'not ended'}"
        )
    more = len(summary.takeovers) - SHOWN_TAKEOVERS
    if more > 0:
        page.line(f"  and {more} more taken over in the same way")
    if summary.killed is None and summary.start.open:
        page.line("  No agent was killed: the plan was done before one was caught at work.")


def _checks(page: _Page, summary: Summary) -> None:
    page.title("Checked by SQL, over task_history and task_claims (sql/queries/admin/demo.sql)")
    for check in summary.checks:
        verdict, style = ("BROKEN", "red") if check.violations else ("ok", "green")
        page.line(f"  {verdict:6} {check.rule} ({check.looked_at})", style)
        for violation in check.violations[:SHOWN_VIOLATIONS]:
            page.line(f"         {violation.key}: {violation.violation}", style)
        more = len(check.violations) - SHOWN_VIOLATIONS
        if more > 0:
            page.line(f"         and {more} more", style)


def _left_open(page: _Page, summary: Summary) -> None:
    if not summary.left_open:
        return
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in summary.left_open:
        groups[row.status.value.replace("_", " "), _why(row)].append(row.key)
    page.title(f"Left open: {len(summary.left_open)}")
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    for (status, why), keys in ordered[:SHOWN_GROUPS]:
        if len(keys) == 1:
            page.line(f"  {keys[0]}, {status}: {why}")
        else:
            page.line(f"  {len(keys)} {status}: {why} ({_some(keys, SHOWN_KEYS)})")
    rest = sum(len(keys) for _, keys in ordered[SHOWN_GROUPS:])
    if rest:
        page.line(f"  and {rest} more, for {len(ordered) - SHOWN_GROUPS} other reasons")


def _why(row: LeftOpen) -> str:
    if row.details:
        return _some([shorten(detail, 100) for detail in row.details], SHOWN_DETAILS)
    if row.assigned_agent is not None:
        return f"reserved for {row.assigned_agent}"
    return "it can be claimed"


def _some(items: Sequence[str], most: int) -> str:
    shown = ", ".join(items[:most])
    more = len(items) - most
    return f"{shown} and {more} more" if more > 0 else shown


def _next(page: _Page, summary: Summary, command: str, workspace: str) -> None:
    page.title("What to try next")
    if summary.left_open:
        page.line(f"  {command} why '{summary.left_open[-1].key}' --workspace {workspace}")
    page.line(f"  {command} db psql --workspace {workspace}")
    for query in QUERIES:
        page.line(f"      {query}")
    page.line(f"  {command} db stop")
