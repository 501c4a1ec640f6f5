"""Columns of the CSV exports of Linear and Jira, and of any other table of tasks."""

from __future__ import annotations

import re
from typing import Final

from taskdb.exchange.records import Layout

__all__ = ["CSV", "JIRA", "LAYOUTS", "LINEAR"]

LINEAR: Final = "linear"
JIRA: Final = "jira"
CSV: Final = "csv"
# Where Jira has relations by other words than Blocks.
LINKS: Final = re.compile(
    r"(?:Outward|(?P<inward>Inward)) (?:issue|work item|work) link \((?P<word>.+)\)", re.IGNORECASE
)
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
            "type": ("type", "issue type"),
            "priority": ("priority",),
            "labels": ("labels", "label", "tags"),
            "parent": ("parent", "parent id", "parent key", "parent issue"),
            "blocked_by": ("blocked by", "is blocked by", "depends on", "dependencies"),
            "blocks": ("blocks", "blocking"),
            "assignee": ("assignee", "owner"),
            "created_by": ("created by", "creator", "author", "reporter"),
            "created_at": ("created at", "created"),
            "started_at": ("started at", "started"),
            "updated_at": ("updated at", "updated"),
            "completed_at": ("completed at", "completed", "closed at"),
            "cancelled_at": ("cancelled at", "canceled at"),
            "closed_by": ("closed by", "completed by", "resolved by"),
        }
    ),
}
