"""A backup of beads' tables: issues, dependencies, labels, comments and events, each JSON Lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from taskdb.exchange.files import Files
from taskdb.exchange.jsonfiles import read_lines
from taskdb.exchange.jsonvalues import JsonObject, parse_json
from taskdb.exchange.options import ReadOptions
from taskdb.exchange.plan import Plan, PlanHistory
from taskdb.exchange.rows import Row
from taskdb.exchange.shaping import UNKNOWN_AGENT
from taskdb.exchange.words import HOLD, status_of
from taskdb.models.jsontypes import is_dict, is_list
from taskdb.models.types import TaskStatus

__all__ = ["assemble", "is_backup"]

ISSUES: Final = "issues"
# The tables whose rows belong to an issue, and the name under which a line has them.
TABLES: Final = ("dependencies", "labels", "comments", "events")
# The empty values of a field; a priority of 0 is the most urgent one.
EMPTY: Final = (None, "", 0, "{}", "[]")
KEPT: Final = frozenset({"id", "priority", "title", "status"})
# Columns that hold JSON as a text.
JSON_COLUMNS: Final = ("metadata", "waiters")
# The events that are changes of status, and the status where the event does not name one.
CHANGES: Final = {
    "created": TaskStatus.PENDING,
    "claimed": TaskStatus.IN_PROGRESS,
    "closed": TaskStatus.COMPLETED,
    "reopened": TaskStatus.PENDING,
    "status_changed": None,
}


def is_backup(folder: Path) -> bool:
    """Return whether *folder* holds the tables of a backup."""
    tables = [(folder / f"{table}.jsonl").is_file() for table in (ISSUES, *TABLES)]
    return tables[0] and any(tables[1:])


def assemble(folder: Path, files: Files, plan: Plan, options: ReadOptions) -> Iterator[JsonObject]:
    """Yield the issues of a backup as the lines of a file: each with what belongs to it.

    Changes of status go to the plan's history. Rows of issues that are not in the backup (beads
    keeps those of deleted ones) are counted in a remark.
    """
    issues = list(read_lines(folder / f"{ISSUES}.jsonl", plan.findings, files))
    # The last issue of an id counts, as in a file of lines.
    by_id = {raw: values for values in issues if isinstance(raw := values.get("id"), str)}
    gone: Counter[str] = Counter()
    for table in TABLES:
        path = folder / f"{table}.jsonl"
        if not path.is_file():
            continue
        for values in read_lines(path, plan.findings, files):
            issue = by_id.get(str(values.get("issue_id")))
            if issue is None:
                gone[table] += 1
                continue
            if not is_list(issue.get(table)):
                issue[table] = []
            if table == "labels":
                issue[table].append(values.get("label"))
            elif table != "events" or not _is_change(values, plan, options, path.name):
                issue[table].append(_without_owner(table, values))
    plan.remarks += [
        f"{count} rows of {table} belong to issues that the backup does not have; left out"
        for table, count in gone.items()
    ]
    for values in issues:
        for name in [name for name, value in values.items() if _is_empty(name, value)]:
            del values[name]
        for name in JSON_COLUMNS:
            if isinstance(values.get(name), str):
                values[name] = _parsed(values[name])
        yield values


def _is_empty(name: str, value: Any) -> bool:
    return name not in KEPT and (value in EMPTY or value == [])


def _without_owner(table: str, values: JsonObject) -> JsonObject:
    dropped = {"issue_id", "id"} if table == "events" else {"issue_id"}
    kept = {name: value for name, value in values.items() if name not in dropped and value}
    return values if table == "dependencies" else JsonObject(kept, values.line)


def _is_change(values: JsonObject, plan: Plan, options: ReadOptions, name: str) -> bool:
    """Take an event that is a change of status into the history."""
    kind = values.get("event_type")
    if not isinstance(kind, str) or kind not in CHANGES:
        return False
    row = Row(values, f"{name}:{values.line}", "event", plan.findings, options.zone)
    at = row.time("created_at")
    before, after = _parsed(row.take("old_value")), _parsed(row.take("new_value"))
    new = _status(after) or CHANGES[kind]
    if at is None or new is None:
        return False
    note = after if kind == "closed" and isinstance(after, str) else row.text("comment")
    plan.history.append(
        PlanHistory(
            f"{options.prefix}{values['issue_id']}",
            _status(before),
            new,
            row.name("actor") or UNKNOWN_AGENT,
            at,
            note,
        )
    )
    return True


def _status(value: Any) -> TaskStatus | None:
    word = value.get("status") if is_dict(value) else None
    return (status_of(word) or HOLD) if isinstance(word, str) and word else None


def _parsed(value: Any) -> Any:
    """Return the JSON that stands in a text, or the text."""
    if not isinstance(value, str):
        return value
    try:
        return parse_json(value, lambda _: None)
    except ValueError:
        return value
