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
