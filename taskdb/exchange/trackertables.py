"""Reads the CSV exports of Linear and Jira, and any CSV or JSON Lines with named columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from taskdb.exchange.csvfiles import read_rows
from taskdb.exchange.files import Files
from taskdb.exchange.jsonfiles import JsonObject, read_lines
from taskdb.exchange.options import ReadOptions
from taskdb.exchange.plan import RELATIONS, Plan
from taskdb.exchange.records import Layout, take_records

__all__ = ["CSV", "JIRA", "JSON_LINES", "LINEAR", "READERS", "kind_of_header"]

LINEAR: Final = "linear"
JIRA: Final = "jira"
CSV: Final = "csv"
JSON_LINES: Final = "jsonl"
# Where Jira has relations by other words than Blocks.
LINKS: Final = re.compile(
    r"(?:Outward|(?P<inward>Inward)) (?:issue|work item|work) link \((?P<word>.+)\)", re.IGNORECASE
)
# Where Jira has the number of an issue.
NUMBERS: Final = ("Issue id", "Work item id")

LAYOUTS: Final = {
    LINEAR: Layout(
        {
            "key": ("ID",),
            "title": ("Title",),
            "description": ("Description",),
            "status": ("Status",),
            "priority": ("Priority",),
            "labels": ("Labels",),
            "parent": ("Parent issue",),
            "blocked_by": ("Blocked by",),
            "blocks": ("Blocks", "Blocking"),
            "related": ("Related to",),
            "duplicate_of": ("Duplicate of",),
            "assignee": ("Assignee",),
            "created_by": ("Creator",),
            "created_at": ("Created",),
            "started_at": ("Started",),
            "updated_at": ("Updated",),
            "completed_at": ("Completed",),
            "cancelled_at": ("Canceled",),
            "archived_at": ("Archived",),
        }
    ),
    JIRA: Layout(
        {
            "key": ("Issue key", "Work item key", "Key"),
            "title": ("Summary",),
            "description": ("Description",),
            "status": ("Status",),
            "type": ("Issue Type", "Work type", "Work item type"),
            "priority": ("Priority",),
            "labels": ("Labels",),
            # The column Parent holds the number of the issue, not its key.
            "parent": ("Parent key", "Epic Link", "Custom field (Epic Link)"),
            "blocked_by": (
                "Inward issue link (Blocks)",
                "Inward work item link (Blocks)",
                "Inward work link (Blocks)",
            ),
            "blocks": (
                "Outward issue link (Blocks)",
                "Outward work item link (Blocks)",
                "Outward work link (Blocks)",
            ),
            "assignee": ("Assignee",),
            "created_by": ("Creator", "Reporter"),
            "created_at": ("Created",),
            "updated_at": ("Updated",),
            "completed_at": ("Resolved",),
            "resolution": ("Resolution",),
            "category": ("Status Category",),
            "flagged": ("Custom field (Flagged)", "Flagged"),
        },
        links=LINKS,
    ),
    CSV: Layout(
        {
            "key": ("key", "id", "identifier", "issue key", "number"),
            "title": ("title", "summary", "name"),
            "description": ("description", "body", "details"),
            "status": ("status", "state"),
            "type": ("type", "issue_type", "issue type"),
            "priority": ("priority",),
            "labels": ("labels", "label", "tags"),
            "parent": ("parent", "parent_id", "parent key", "parent issue"),
            "blocked_by": ("blocked_by", "blocked by", "depends_on", "depends on", "dependencies"),
            "blocks": ("blocks", "blocking"),
            "assignee": ("assignee", "owner"),
            "created_by": ("created_by", "created by", "creator", "author", "reporter"),
            "created_at": ("created_at", "created", "createdAt"),
            "started_at": ("started_at", "started"),
            "updated_at": ("updated_at", "updated", "updatedAt"),
            "completed_at": ("completed_at", "completed", "closed_at", "closedAt"),
            "cancelled_at": ("cancelled_at", "canceled_at"),
            "closed_by": ("closed_by", "closed by", "completed_by", "resolved_by", "closedBy"),
        }
    ),
}


def kind_of_header(names: Iterable[str]) -> str | None:
    """Return the tracker whose export has these columns, or None if it is no known one."""
    there = {name.strip().casefold() for name in names}
    if {"id", "team", "title", "status", "parent issue"} <= there:
        return LINEAR
    keys = {name.casefold() for name in LAYOUTS[JIRA].columns["key"][:2]}
    return JIRA if "summary" in there and keys & there else None


def _read(kind: str, path: Path, options: ReadOptions) -> Plan:
    plan = Plan(kind, str(path), (RELATIONS, "labels"))
    files = Files(path, options.largest)
    lines = read_lines if kind == JSON_LINES else read_rows
    rows = ((values, f"{path.name}:{values.line}") for values in lines(path, plan.findings, files))
    take_records(plan, _with_parent_keys(rows, kind), LAYOUTS.get(kind, LAYOUTS[CSV]), options)
    return plan


def _with_parent_keys(
    rows: Iterable[tuple[JsonObject, str]], kind: str
) -> Iterator[tuple[JsonObject, str]]:
    """Give each row of Jira the key of its parent, which an export may name by its number."""
    if kind != JIRA:
        yield from rows
        return
    taken = list(rows)
    keys = {str(values.get(number)): _key(values) for values, _ in taken for number in NUMBERS}
    for values, where in taken:
        parent = values.get("Parent id") or values.get("Parent")
        if parent is not None and "Parent key" not in values:
            values["Parent key"] = keys.get(str(parent), parent)
        yield values, where


def _key(values: JsonObject) -> object:
    return next((values[name] for name in LAYOUTS[JIRA].columns["key"] if name in values), None)


READERS: Final = {kind: partial(_read, kind) for kind in (LINEAR, JIRA, CSV, JSON_LINES)}
