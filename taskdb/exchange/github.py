"""Reads GitHub's issues, as ``gh issue list --json ...`` prints them.

An issue has no status but open and closed: a label that says so (blocked, on hold, deferred)
puts an open one on hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from taskdb.errors import ValidationError
from taskdb.exchange.files import Files
from taskdb.exchange.jsonfiles import JsonObject, read_value
from taskdb.exchange.options import ReadOptions
from taskdb.exchange.plan import RELATIONS, Plan
from taskdb.exchange.records import Layout, take_records
from taskdb.exchange.rows import is_dict, is_list
from taskdb.exchange.shaping import hold
from taskdb.exchange.words import HOLD, status_of

__all__ = ["KIND", "read"]

KIND: Final = "github"
OPEN: Final = "OPEN"
CLOSED: Final = "CLOSED"
SCOPE: Final = re.compile("[:/]")
LAYOUT: Final = Layout(
    {
        "key": ("number",),
        "title": ("title",),
        "description": ("body",),
        "status": ("state",),
        "type": ("issueType",),
        "labels": ("labels",),
        "parent": ("parent",),
        "blocked_by": ("blockedBy",),
        "blocks": ("blocking",),
        "assignee": ("assignees",),
        "created_by": ("author",),
        "created_at": ("createdAt",),
        "updated_at": ("updatedAt",),
        "completed_at": ("closedAt",),
        "resolution": ("stateReason",),
    }
)
# Said by other fields too, or nothing about the work.
DROPPED: Final = ("closed", "isPinned", "subIssues", "subIssuesSummary", "reactionGroups")
FIELDS: Final = (
    "number,title,body,state,stateReason,labels,assignees,author,createdAt,updatedAt,closedAt,"
    "blockedBy,parent,comments"
)


def read(path: Path, options: ReadOptions) -> Plan:
    """Return the plan in the file *path*; the keys are the numbers of the issues.

    Raises ValidationError if the file is not what `gh` prints.
    """
    plan = Plan(KIND, str(path), (RELATIONS, "labels", "comments"))
    issues = read_value(path, plan.findings, Files(path, options.largest))
    if not is_list(issues) or not all(isinstance(each, JsonObject) for each in issues):
        raise ValidationError(
            "plan",
            "must be a list of issues",
            where=f"{path}:1",
            hint=f"Write it with gh issue list --state all --limit 9999 --json {FIELDS}",
        )
    take_records(plan, _rows(issues, path.name), LAYOUT, options)
    for task in plan.tasks:
        for label in task.labels:
            # The last part counts: "status: blocked".
            if HOLD in (status_of(label), status_of(SCOPE.split(label)[-1])):
                hold(task, label)
    return plan


def _rows(issues: list[JsonObject], name: str) -> Iterator[tuple[JsonObject, str]]:
    here = {str(issue.get("number")) for issue in issues}
    parents = {
        str(_named(each, "number")): issue.get("number")
        for issue in issues
        for each in _nodes(issue.get("subIssues"))
    }
    for issue in issues:
        values = JsonObject({k: v for k, v in issue.items() if k not in DROPPED}, issue.line)
        values["author"] = _named(values.get("author"), "login")
        values["issueType"] = _named(values.get("issueType"), "name")
        parent = _named(values.get("parent"), "number")
        values["parent"] = parent or parents.get(str(issue.get("number")))
        if "state" not in issue and isinstance(issue.get("closed"), bool):
            values["state"] = CLOSED if issue["closed"] else OPEN
        logins = [_named(each, "login") for each in _nodes(values.get("assignees"))]
        values["assignees"] = next(iter(logins), None)
        values["labels"] = _nodes(values.get("labels"))
        values["blockedBy"] = [
            _place(each, issue)
            for each in _nodes(values.get("blockedBy"))
            if str(_named(each, "number")) in here or not _is_closed(each)
        ]
        values["blocking"] = [_place(each, issue) for each in _nodes(values.get("blocking"))]
        yield values, f"{name}:{issue.line}"


def _nodes(value: Any) -> list[Any]:
    """Return the elements of a list, which may be the nodes of a connection."""
    nodes = value.get("nodes") if is_dict(value) else value
    return nodes if is_list(nodes) else []


def _is_closed(value: Any) -> bool:
    return str(_named(value, "state")).upper() == CLOSED


def _named(value: Any, name: str) -> Any:
    """Return a field of an object, or a plain value itself."""
    return value.get(name) if is_dict(value) else value


def _place(value: Any, issue: JsonObject) -> Any:
    """Return the number of an issue; of one in another repository its address."""
    here, there = str(issue.get("url") or ""), str(_named(value, "url") or "")
    if here and there and here.rpartition("/")[0] != there.rpartition("/")[0]:
        return there
    return _named(value, "number")
