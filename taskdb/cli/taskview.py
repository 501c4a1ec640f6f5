"""`taskdb task`: all about one task, and all that was imported with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import click
import orjson
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
from taskdb.models.dependencies import BlockingReason
from taskdb.models.jsontypes import is_dict, is_list
from taskdb.models.tasks import Task
from taskdb.queries import claims, dependencies, features, files, history, subtasks, tasks
from taskdb.text import clean

__all__ = ["known_task", "reason_rows", "task"]

Connection = psycopg.Connection[Any]

WRITTEN: Final = "%Y-%m-%d %H:%M:%S"
# Metadata with a section of its own.
OWN_SECTIONS: Final = ("source", "labels", "comments", "relations")


def known_task(target: Target, conn: Connection, key: str) -> Task:
    """Return a task; raise NotFoundError, which says how to find it, if there is none."""
    with naming(target, "task", key, listing="search WORDS"):
        return tasks.get_by_key(conn, key=key)


def reason_rows(reasons: Sequence[BlockingReason]) -> list[tuple[str, str, str]]:
    """Return what holds a task back, as the rows of a table."""
    return [("dead" if row.dead else "", row.reason, row.detail or "") for row in reasons]


@click.command()
@click.argument("key")
@json_option
@with_target
def task(target: Target, *, key: str, as_json: bool) -> None:
    """Show all about a task: what it is, its place, its dependencies, its claims, its history.

    What an import brought is there too: criteria, labels, comments, other relations, and the
    edges that were refused.

    Example: taskdb task T-E01-F01-002 --workspace demo
    """
    with target.connect() as conn, conn.transaction():
        found = known_task(target, conn, key)
        if as_json:
            print_json(_everything(conn, found))
        else:
            _show(conn, found)


def _everything(conn: Connection, found: Task) -> dict[str, object]:
    parent = tasks.get(conn, found.parent_id) if found.parent_id else None
    return {
        **dataclasses.asdict(found),
        "parent": parent and {"key": parent.key, "title": parent.title},
        "children": [row for row in tasks.hierarchy(conn, key=found.key, levels=1) if row.depth],
        "checklist": subtasks.list_subtasks(conn, task=found.key),
        "files": files.list_files(conn, task=found.key),
        "depends_on": dependencies.dependencies_of(conn, key=found.key),
        "dependents": dependencies.dependents_of(conn, key=found.key),
        "blocking_reasons": dependencies.why_not_ready(conn, key=found.key),
        "claims": claims.list_for_task(conn, key=found.key),
        "history": history.list_for_task(conn, key=found.key),
    }


def _show(conn: Connection, found: Task) -> None:
    metadata = found.metadata or {}
    heading(f"{found.key}  {found.title}")
    for name, value in (*_columns(conn, found), *_source(metadata)):
        if value not in (None, ""):
            click.echo(f"  {name:16}{clean(value)}")
    if found.description:
        _paragraph(found.description)
    for name, value in {**(found.requirements or {}), **(found.context or {})}.items():
        heading(f"\n{name.replace('_', ' ').capitalize()}")
        _paragraph(_written(value))
    _relatives(conn, found)
    _work(conn, found)
    _imported(metadata)
    _section(
        "History",
        ["when", "from", "to", "agent", "login role", "", "note"],
        [
            (
                _moment(entry.created_at),
                entry.old_status,
                entry.new_status,
                entry.agent,
                entry.login_role,
                "forced" if entry.forced else "imported" if entry.source else "",
                entry.note,
            )
            for entry in history.list_for_task(conn, key=found.key)
        ],
    )


def _columns(conn: Connection, found: Task) -> list[tuple[str, object]]:
    feature = features.get(conn, found.feature_id) if found.feature_id else None
    priority = str(found.priority)
    if found.effective_priority != found.priority:
        priority += f", inherits {found.effective_priority}"
    return [
        ("status", found.status),
        ("on hold", found.blocked_reason),
        ("priority", priority),
        ("feature", feature and f"{feature.key}  {feature.title}"),
        ("agent type", found.agent_type),
        ("reserved for", found.assigned_agent),
        ("labels", ", ".join(found.labels)),
        ("complexity", found.complexity_score),
        ("estimated hours", found.estimated_hours),
        ("actual hours", found.actual_hours),
        ("not before", _moment(found.scheduled_at)),
        ("created", _moment(found.created_at)),
        ("created by", found.created_by),
        ("started", _moment(found.started_at)),
        ("blocked", _moment(found.blocked_at)),
        ("completed", _moment(found.completed_at)),
        ("updated", _moment(found.updated_at)),
        ("file", found.file_path),
        ("error", found.error_message),
    ]


def _source(metadata: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Return where a task was imported from, and its own words there."""
    source = metadata.get("source")
    if not is_dict(source):
        return []
    words = {name: value for name, value in source.items() if name not in ("kind", "file", "at")}
    given = ", ".join(f"{name} {_written(value)}" for name, value in words.items())
    return [
        ("imported from", f"{source.get('kind')} {source.get('file')}, {source.get('at')}"),
        ("it said", given),
    ]


def _relatives(conn: Connection, found: Task) -> None:
    parent = tasks.get(conn, found.parent_id) if found.parent_id else None
    _section(
        "Part of",
        ["key", "status", "title"],
        [(parent.key, parent.status, parent.title)] if parent else [],
    )
    _section(
        "Parts",
        ["key", "status", "title"],
        [
            (row.key, row.status, row.title)
            for row in tasks.hierarchy(conn, key=found.key, levels=1)
            if row.depth
        ],
    )
    _section(
        "Checklist",
        ["status", "title"],
        [(row.status, row.title) for row in subtasks.list_subtasks(conn, task=found.key)],
    )
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


def _work(conn: Connection, found: Task) -> None:
    _section(
        "Why it can't be claimed now",
        ["", "reason", "detail"],
        reason_rows(dependencies.why_not_ready(conn, key=found.key)),
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
        "Files",
        ["path", "bytes"],
        [(row.path, row.size_bytes) for row in files.list_files(conn, task=found.key)],
    )


def _imported(metadata: Mapping[str, Any]) -> None:
    """Show what has no column: relations, refused edges, comments, and all the rest."""
    relations = _objects(metadata, "relations")
    _section(
        "Other relations",
        ["relation", "key", "refused"],
        [(row.get("type"), row.get("key"), row.get("refused")) for row in relations],
    )
    for comment in _objects(metadata, "comments"):
        author = comment.get("author") or comment.get("user")
        if is_dict(author):
            author = author.get("login")
        when = comment.get("created_at") or comment.get("createdAt") or ""
        heading(f"\nComment by {_written(author or 'nobody')}  {_written(when)}".rstrip())
        _paragraph(_written(comment.get("text") or comment.get("body") or comment))
    rest = {name: value for name, value in metadata.items() if name not in OWN_SECTIONS}
    _section("More", ["field", "value"], [(name, _written(each)) for name, each in rest.items()])


def _objects(metadata: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    listed = metadata.get(name)
    return [each for each in listed if is_dict(each)] if is_list(listed) else []


def _written(value: object) -> str:
    """Return a text as it is, and anything else as JSON."""
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


def _paragraph(text: str) -> None:
    """Print a text of several lines, indented: none of them can pass for a heading."""
    stdout().print(Text("\n".join(f"  {clean(line)}".rstrip() for line in text.splitlines())))


def _section(title: str, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    if rows:
        heading(f"\n{title}")
        print_table(headings, rows)


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone():{WRITTEN}}"
