"""For people: when a plan can be done, what can run in parallel, how work flows, diagrams."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import click
import psycopg

from taskdb.admin import diagrams
from taskdb.cli.common import (
    Target,
    heading,
    json_option,
    print_json,
    print_table,
    with_target,
)
from taskdb.cli.filters import OPEN, Filters, filter_options
from taskdb.models.flow import FlowFigures, FlowGroup
from taskdb.models.planning import PlannedTask
from taskdb.queries import flow as flows
from taskdb.queries import graph as drawn
from taskdb.queries import planning

__all__ = ["critical_path", "flow", "graph", "span", "waves"]

KEYS_SHOWN = 6


@click.command("critical-path")
@filter_options
@click.option("--all", "everything", is_flag=True, help="Every open task, with its slack.")
@json_option
@with_target
def critical_path(target: Target, *, filters: Filters, everything: bool, as_json: bool) -> None:
    """Show the longest chain of open tasks: it decides when all is done.

    Hours are of work, from now, with agents enough: a task's estimate, else the median of its
    agent type, else one. Tasks outside that those of the filters wait for count too.

    Example: taskdb critical-path --under E04-login --all
    """
    with target.connect() as conn:
        ask = planning.schedule if everything else planning.critical_path
        found = ask(conn, task_ids=_scope(filters, target, conn))
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("Nothing is open.", err=True)
        return
    print_table(
        ["", "key", "status", "hours", "start", "finish", "slack", "", "title"],
        [_planned(row) for row in found],
        one_line=True,
    )
    last = max(row.earliest_finish_hours for row in found if row.in_scope)
    click.echo(f"{last} hours of work, one after the other, at the least.", err=True)


def _planned(row: PlannedTask) -> tuple[object, ...]:
    marks = [mark for mark, holds in (("stuck", row.stuck), ("outside", not row.in_scope)) if holds]
    return (
        row.path_step,
        row.key,
        row.status,
        f"{row.hours}",
        row.earliest_start_hours,
        row.earliest_finish_hours,
        row.slack_hours,
        ", ".join(marks),
        row.title,
    )


@click.command()
@filter_options
@json_option
@with_target
def waves(target: Target, *, filters: Filters, as_json: bool) -> None:
    """Show what can run in parallel, wave by wave, and how many agents it can feed.

    Wave 1 waits for nothing, wave 2 for something of wave 1, and so on.

    Example: taskdb waves --epic E04 --label backend
    """
    with target.connect() as conn:
        found = planning.execution_waves(conn, task_ids=_scope(filters, target, conn))
    if as_json:
        print_json(found)
        return
    print_table(
        ["wave", "agents", "longest", "hours", "stuck", "tasks"],
        [
            (
                row.wave,
                row.task_count,
                row.longest_hours,
                row.total_hours,
                row.stuck_count or "",
                _some(row.keys),
            )
            for row in found
        ],
        one_line=True,
    )
    if not found:
        click.echo("Nothing is open.", err=True)


def _scope(filters: Filters, target: Target, conn: psycopg.Connection[Any]) -> list[UUID] | None:
    """Return the open tasks that the filters choose, None for the whole plan."""
    return filters.task_ids(target, conn) if filters.any else None


def _some(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - KEYS_SHOWN} more" if len(keys) > KEYS_SHOWN else ""
    return " ".join(keys[:KEYS_SHOWN]) + more


@click.command()
@click.option(
    "--days", type=click.IntRange(1, 3650), default=30, show_default=True, help="So far back."
)
@click.option("--agent", metavar="NAME", help="Only what this agent completed.")
@click.option("--type", "agent_type", metavar="TYPE", help="Only what is for agents of this type.")
@json_option
@with_target
def flow(
    target: Target, *, days: int, agent: str | None, agent_type: str | None, as_json: bool
) -> None:
    """Show how long work takes: lead and cycle times, by day, by agent, and what grows old.

    Lead time is from creation to completion, cycle time from the first work on it. All of it is
    from history; tasks whose times run backwards are counted, and left out of the times.

    Example: taskdb flow --days 90 --type backend
    """
    until = datetime.now(UTC)
    since = until - timedelta(days=days)
    with target.connect() as conn:
        figures = flows.summary(conn, since=since, agent=agent, agent_type=agent_type)
        by_day = flows.throughput(
            conn, since=since, until=until, agent=agent, agent_type=agent_type
        )
        by_agent = flows.by_agent(conn, since=since)
        by_type = flows.by_agent_type(conn, since=since)
        statuses = flows.time_in_status(conn, since=since, agent_type=agent_type)
        ageing = flows.ageing(conn, since=since, agent_type=agent_type, limit=10)
        reopenings = flows.reopenings(conn, since=since, limit=10)
    if as_json:
        print_json(
            {
                "summary": figures,
                "throughput": by_day,
                "by_agent": by_agent,
                "by_agent_type": by_type,
                "time_in_status": statuses,
                "ageing": ageing,
                "reopenings": reopenings,
            }
        )
        return
    print_table(["", *FIGURES], [(f"{days} days", *_figures(figures))])
    per_day = figures.done_count / days
    click.echo(f"{per_day:.1f} a day; {sum(day.reopened_count for day in by_day)} reopenings.")
    _section("By agent", ["agent", *FIGURES], [(row.name, *_figures(row)) for row in by_agent])
    _section(
        "By agent type",
        ["type", *FIGURES],
        [(row.name or "any", *_figures(row)) for row in by_type],
    )
    _section(
        "Where it stood",
        ["status", "tasks", "median", "together"],
        [(row.status, row.task_count, span(row.median), span(row.total)) for row in statuses],
    )
    _section(
        "Growing old",
        ["key", "status", "agent", "age", "older than", "title"],
        [
            (
                row.key,
                row.status,
                row.agent,
                span(row.age),
                "" if row.percentile is None else f"{row.percentile:.0f} %",
                row.title,
            )
            for row in ageing
        ],
    )
    _section(
        "Reopened",
        ["key", "from", "to", "agent", "note"],
        [(row.key, row.old_status, row.new_status, row.agent, row.note) for row in reopenings],
    )


FIGURES = ("done", "skewed", "lead", "lead 85 %", "cycle", "cycle 85 %")


def _figures(row: FlowFigures | FlowGroup) -> tuple[object, ...]:
    return (
        row.done_count,
        row.skewed_count or "",
        span(row.lead_time_median),
        span(row.lead_time_p85),
        span(row.cycle_time_median),
        span(row.cycle_time_p85),
    )


def span(span: timedelta | None) -> str:
    """Return *span* in the largest unit of which it has two."""
    if span is None:
        return ""
    for unit, seconds in (("d", 86_400), ("h", 3600), ("min", 60)):
        if span.total_seconds() >= 2 * seconds:
            return f"{span.total_seconds() / seconds:.1f} {unit}"
    return f"{span.total_seconds():.0f} s"


def _section(title: str, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    if rows:
        heading(f"\n{title}")
        print_table(headings, rows)


@click.command()
@filter_options
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Finished and cancelled tasks too, not only open ones.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["mermaid", "dot"]),
    default="mermaid",
    show_default=True,
    help="For Mermaid, or for Graphviz.",
)
@click.option(
    "--by",
    type=click.Choice(["task", "feature"]),
    help=f"What a box is. Default: a feature, if of over {diagrams.LARGE} tasks most have one.",
)
@with_target
def graph(target: Target, *, filters: Filters, everything: bool, kind: str, by: str | None) -> None:
    """Draw what waits for what among open tasks, as text for Mermaid or Graphviz.

    Colours are statuses; the critical path is red and thick; what is dashed lies outside the
    filters, or is a suggestion.

    Example: taskdb graph --near bd-17 --format dot | dot -Tsvg > around.svg
    """
    with target.connect() as conn:
        task_ids = filters.task_ids(target, conn, None if everything else OPEN)
        count = len(task_ids)
        # Features are of an epic: other filters choose tasks within them.
        featured = sum(
            row.task_count
            for row in drawn.feature_nodes(conn, epic=filters.epic, limit=diagrams.MOST)
        )
        # A diagram by feature of a plan that has none would be empty.
        by_feature = by == "feature" or (
            by is None and count > diagrams.LARGE and 2 * featured > count
        )
        if by_feature:
            diagram = diagrams.draw_features(conn, epic=filters.epic)
            left_out = max(count - featured, 0)
        else:
            diagram = diagrams.draw_tasks(conn, task_ids=task_ids, only_open=not everything)
            left_out = max(count - diagrams.MOST, 0)
    text = diagrams.as_dot(diagram) if kind == "dot" else diagrams.as_mermaid(diagram)
    click.echo(text, nl=False)
    if kind == "mermaid" and diagrams.too_large_for_mermaid(diagram, text):
        click.echo(
            f"Mermaid draws {diagrams.MERMAID_EDGES} arrows and {diagrams.MERMAID_CHARACTERS}"
            f" characters at most, unless its page sets maxEdges and maxTextSize; these are"
            f" {len(diagram.edges)} and {len(text)}. --format dot has no such limit;"
            " --epic, --near and --by feature draw less.",
            err=True,
        )
    if not count:
        click.echo("No task is chosen; --all draws finished ones too.", err=True)
    if by_feature and by is None:
        click.echo(f"{count} tasks, drawn by feature; --by task draws each.", err=True)
    if left_out:
        reason = "of no feature" if by_feature else "too many"
        click.echo(f"{left_out} tasks are not in the diagram: {reason}.", err=True)
