"""For people: what can be done now, why something cannot, all about a task, and finding it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime

import click
import psycopg
from rich.text import Text

from taskdb.cli.common import (
    Target,
    heading,
    json_option,
    naming,
    print_json,
    print_table,
    stdout,
    with_target,
)
from taskdb.models.dependencies import Obstacle
from taskdb.models.search import MATCH_BEGINS, MATCH_ENDS
from taskdb.models.tasks import Task
from taskdb.queries import claims, dependencies, history, tasks
from taskdb.queries import search as find
from taskdb.text import clean

__all__ = ["ready", "search", "task", "why"]

WRITTEN = "%Y-%m-%d %H:%M:%S"


@click.command()
@click.option("--agent", metavar="NAME", help="Only what this agent may claim.")
@click.option("--type", "agent_type", metavar="TYPE", help="Only what agents of this type may.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most.")
@json_option
@with_target
def ready(
    target: Target, *, agent: str | None, agent_type: str | None, limit: int, as_json: bool
) -> None:
    """List what can be claimed now, the most urgent first.

    Example: taskdb ready --type backend --limit 5
    """
    with target.connect() as conn:
        found = tasks.list_ready(conn, agent=agent, agent_type=agent_type, limit=limit)
        total = tasks.count_ready(conn)
    if as_json:
        print_json(found)
        return
    print_table(
        ["key", "priority", "type", "reserved for", "title"],
        [
            (row.key, row.effective_priority, row.agent_type, row.assigned_agent, row.title)
            for row in found
        ],
    )
    if not found:
        click.echo("Nothing can be claimed now; `taskdb why KEY` says what holds a task.", err=True)
    elif len(found) == limit < total:
        click.echo(f"{limit} of {total} that are ready; --limit shows more.", err=True)


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

    One line for each obstacle; "dead" marks those that will not go away by themselves.

    Example: taskdb why T-E01-F01-002 --workspace demo
    """
    with target.connect() as conn:
        found = _task(target, conn, key)
        obstacles = dependencies.why_not_ready(conn, key=key, agent=agent, agent_type=agent_type)
    if as_json:
        print_json(obstacles)
        return
    if not obstacles:
        reserved = f", by {found.assigned_agent} only" if found.assigned_agent else ""
        click.echo(f"{clean(key)} can be claimed now{clean(reserved)}.")
        return
    click.echo(f"{clean(key)} ({found.status}) can't be claimed now:")
    print_table(["", "reason", "detail"], _obstacle_rows(obstacles))


def _task(target: Target, conn: psycopg.Connection, key: str) -> Task:
    with naming(target, "task", key, listing="search WORDS"):
        return tasks.get_by_key(conn, key=key)


def _obstacle_rows(obstacles: Sequence[Obstacle]) -> list[tuple[str, str, str]]:
    return [("dead" if row.dead else "", row.reason, row.detail or "") for row in obstacles]


@click.command()
@click.argument("key")
@json_option
@with_target
def task(target: Target, *, key: str, as_json: bool) -> None:
    """Show a task with its dependencies, its claims and its history.

    Example: taskdb task T-E01-F01-002 --workspace demo
    """
    with target.connect() as conn, conn.transaction():
        found = _task(target, conn, key)
        if as_json:
            print_json(_everything(conn, found))
        else:
            _show(conn, found)


def _everything(conn: psycopg.Connection, found: Task) -> dict[str, object]:
    return {
        **dataclasses.asdict(found),
        "depends_on": dependencies.dependencies_of(conn, key=found.key),
        "dependents": dependencies.dependents_of(conn, key=found.key),
        "obstacles": dependencies.why_not_ready(conn, key=found.key),
        "claims": claims.list_for_task(conn, key=found.key),
        "history": history.list_for_task(conn, key=found.key),
    }


def _show(conn: psycopg.Connection, found: Task) -> None:
    heading(f"{found.key}  {found.title}")
    rows: list[tuple[str, object]] = [
        ("status", found.status),
        ("priority", found.priority),
        ("agent type", found.agent_type),
        ("reserved for", found.assigned_agent),
        ("estimated hours", found.estimated_hours),
        ("not before", _moment(found.scheduled_at)),
        ("started", _moment(found.started_at)),
        ("completed", _moment(found.completed_at)),
        ("file", found.file_path),
        ("error", found.error_message),
    ]
    for name, value in rows:
        if value is not None:
            click.echo(f"  {name:16}{clean(value)}")
    if found.description:
        stdout().print(Text("\n".join(map(clean, found.description.splitlines()))))
    _section(
        "Waits for",
        ["key", "status", "edge", "open", "title"],
        [
            (
                edge.key,
                edge.status,
                edge.dependency_type,
                "" if edge.satisfied else "open",
                edge.title,
            )
            for edge in dependencies.dependencies_of(conn, key=found.key)
        ],
    )
    _section(
        "Waited for by",
        ["key", "status", "edge", "title"],
        [
            (edge.key, edge.status, edge.dependency_type, edge.title)
            for edge in dependencies.dependents_of(conn, key=found.key)
        ],
    )
    _section(
        "Why it can't be claimed now",
        ["", "reason", "detail"],
        _obstacle_rows(dependencies.why_not_ready(conn, key=found.key)),
    )
    _section(
        "Claims",
        ["token", "agent", "claimed", "until", "outcome", "note"],
        [
            (
                claim.token,
                claim.agent,
                _moment(claim.claimed_at),
                _moment(claim.ended_at or claim.lease_expires_at),
                claim.outcome or "live",
                claim.note,
            )
            for claim in claims.list_for_task(conn, key=found.key)
        ],
    )
    _section(
        "History",
        ["when", "from", "to", "agent", "", "note"],
        [
            (
                _moment(entry.created_at),
                entry.old_status,
                entry.new_status,
                entry.agent,
                "forced" if entry.forced else "imported" if entry.source else "",
                entry.note,
            )
            for entry in history.list_for_task(conn, key=found.key)
        ],
    )


def _section(title: str, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    if rows:
        heading(f"\n{title}")
        print_table(headings, rows)


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone():{WRITTEN}}"


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
