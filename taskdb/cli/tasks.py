"""For people: what can be done now, why something cannot, which tasks there are."""

from __future__ import annotations

from dataclasses import replace

import click

from taskdb.cli.common import (
    Target,
    json_option,
    print_json,
    print_table,
    with_target,
)
from taskdb.cli.filters import OPEN, Filters, filter_options
from taskdb.cli.taskview import known_task, reason_rows
from taskdb.models.search import MATCH_BEGINS, MATCH_ENDS
from taskdb.models.types import TaskStatus
from taskdb.queries import dependencies, selection, tasks
from taskdb.queries import search as find
from taskdb.text import clean

__all__ = ["list_", "ready", "search", "stuck", "why"]


@click.command()
@click.option("--agent", metavar="NAME", help="Only what this agent may claim.")
@filter_options
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most.")
@json_option
@with_target
def ready(
    target: Target, *, agent: str | None, filters: Filters, limit: int, as_json: bool
) -> None:
    """List what can be claimed now, the most urgent first.

    With --type, what agents of this type may claim: tasks for them, and those for all.

    Example: taskdb ready --type backend --label api --limit 5
    """
    agent_type = filters.agent_type
    within = replace(filters, agent_type=None)
    with target.connect() as conn:
        total = tasks.count_ready(conn)
        if within.any:
            task_ids = within.task_ids(target, conn)
            found = selection.ready_among(
                conn, task_ids=task_ids, agent=agent, agent_type=agent_type, limit=limit
            )
        else:
            found = tasks.list_ready(conn, agent=agent, agent_type=agent_type, limit=limit)
    if as_json:
        print_json(found)
        return
    print_table(
        ["key", "priority", "type", "reserved for", "title"],
        [
            (row.key, row.effective_priority, row.agent_type, row.assigned_agent, row.title)
            for row in found
        ],
        one_line=True,
    )
    if not found:
        click.echo(
            "Nothing can be claimed now; `taskdb why KEY` shows what blocks a task.", err=True
        )
    elif len(found) == limit < total:
        click.echo(f"{limit} of {total} that are ready; --limit shows more.", err=True)


@click.command("tasks")
@filter_options
@click.option(
    "--status",
    "statuses",
    type=click.Choice([status.value for status in TaskStatus]),
    multiple=True,
    help="In this status; may be repeated. Default: open ones.",
)
@click.option("--all", "everything", is_flag=True, help="In any status.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most.")
@json_option
@with_target
def list_(
    target: Target,
    *,
    filters: Filters,
    statuses: tuple[str, ...],
    everything: bool,
    limit: int,
    as_json: bool,
) -> None:
    """List tasks, what comes first before what waits for it; open ones, unless you say more.

    Example: taskdb tasks --under E04-login --status blocked
    """
    chosen = tuple(map(TaskStatus, statuses)) or OPEN
    with target.connect() as conn:
        task_ids = filters.task_ids(target, conn, None if everything else chosen)
        found = selection.list_among(conn, task_ids=task_ids, limit=limit) if task_ids else []
    if as_json:
        print_json(found)
        return
    print_table(
        ["key", "status", "priority", "type", "title"],
        [(row.key, row.status, row.effective_priority, row.agent_type, row.title) for row in found],
        one_line=True,
    )
    if len(found) < len(task_ids):
        click.echo(f"{len(found)} of {len(task_ids)} tasks; --limit shows more.", err=True)
    elif not found:
        click.echo("No task is chosen; --all looks at finished ones too.", err=True)


@click.command()
@click.argument("key")
@click.option("--agent", metavar="NAME", help="As this agent sees it.")
@click.option("--type", "agent_type", metavar="TYPE", help="As agents of this type see it.")
@json_option
@with_target
def why(
    target: Target, *, key: str, agent: str | None, agent_type: str | None, as_json: bool
) -> None:
    """Say why a task cannot be claimed now.

    One line for each reason; "dead" marks those that will not go away by themselves.

    Example: taskdb why T-E01-F01-002 --workspace demo
    """
    with target.connect() as conn:
        found = known_task(target, conn, key)
        reasons = dependencies.why_not_ready(conn, key=key, agent=agent, agent_type=agent_type)
    if as_json:
        print_json(reasons)
        return
    if not reasons:
        reserved = f", by {found.assigned_agent} only" if found.assigned_agent else ""
        click.echo(f"{clean(key)} can be claimed now{clean(reserved)}.")
        return
    click.echo(f"{clean(key)} ({found.status}) can't be claimed now:")
    print_table(["", "reason", "detail"], reason_rows(reasons))


@click.command()
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most.")
@json_option
@with_target
def stuck(target: Target, *, limit: int, as_json: bool) -> None:
    """List tasks that can never start, as what they wait for has failed or was given up.

    Example: taskdb stuck --limit 5
    """
    with target.connect() as conn:
        found = dependencies.list_stuck(conn, limit=limit)
    if as_json:
        print_json(found)
        return
    print_table(
        ["key", "priority", "waits in vain for", "title"],
        [
            (row.key, row.effective_priority, ", ".join(row.dead_blockers), row.title)
            for row in found
        ],
        one_line=True,
    )
    if not found:
        click.echo("Every task that waits can start some day.", err=True)


# No short option, so that -word is a word.
@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("words", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most.")
@json_option
@with_target
def search(target: Target, *, words: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Find tasks by their words, the best match first.

    "in quotes" is a phrase, -word leaves out, or is either, and begin* is a beginning.

    Example: taskdb search lexer '"nested comments"'
    """
    with target.connect() as conn:
        found = find.find_tasks(conn, words=" ".join(words), limit=limit)
    if as_json:
        print_json(found)
        return
    print_table(
        ["key", "status", "title", "excerpt"],
        [(row.key, row.status, row.title, _without_marks(row.excerpt)) for row in found],
        beneath=True,
    )
    if not found:
        click.echo("No task has these words.", err=True)


def _without_marks(excerpt: str | None) -> str:
    return (excerpt or "").replace(MATCH_BEGINS, "").replace(MATCH_ENDS, "").replace("\n", " ")
