"""Reads GitHub's issues, as ``gh issue list --json ...`` or its REST interface gives them.

An issue has no status but open and closed: a label, or the column of a board, that says so
(blocked, on hold, wontfix) puts an open one on hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from taskdb.errors import ValidationError
from taskdb.exchange.files import Files
from taskdb.exchange.jsonfiles import read_value
from taskdb.exchange.jsonvalues import JsonObject
from taskdb.exchange.options import ReadOptions
from taskdb.exchange.plan import RELATIONS, Plan
from taskdb.exchange.records import Layout, take_records
from taskdb.exchange.shaping import hold, not_work
from taskdb.exchange.words import HOLD, status_of
from taskdb.models.jsontypes import is_dict, is_list
from taskdb.models.types import TaskStatus

__all__ = ["KIND", "read"]

KIND: Final = "github"
OPEN: Final = "OPEN"
CLOSED: Final = "CLOSED"
SCOPE: Final = re.compile("[:/]")
ADDRESS: Final = re.compile("([^/]+/[^/]+)/issues/[0-9]+")
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
        "assignee": ("assignee",),
        "created_by": ("author",),
        "created_at": ("createdAt", "created_at"),
        "updated_at": ("updatedAt", "updated_at"),
        "completed_at": ("closedAt", "closed_at"),
        "resolution": ("stateReason", "state_reason"),
    },
    # The conversation is, and not the work.
    harmless=frozenset({"locked"}),
)
# Where an issue says in which column of each project's board it is.
BOARDS: Final = "projectItems"
# Nobody begins an open issue with such a label, or in such a column.
NO_WORK: Final = frozenset({HOLD, TaskStatus.CANCELLED, TaskStatus.ARCHIVED})
# An issue in such a column is done, or waits for somebody's answer.
OVER: Final = NO_WORK | {TaskStatus.IN_REVIEW, TaskStatus.COMPLETED}
# In other fields too, or nothing about the work.
CONNECTION: Final = frozenset({"nodes", "totalCount"})
# Where the REST interface, which lists pull requests too, says that one is none.
PULL_REQUEST: Final = "pull_request"
NOT_NAMED: Final = "an issue without a number"
DROPPED: Final = ("closed", "isPinned", "subIssues", "subIssuesSummary", "reactionGroups")
FIELDS: Final = (
    "number,url,title,body,state,stateReason,labels,assignees,author,createdAt,updatedAt,closedAt,"
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
        columns = _columns(task.metadata.get(BOARDS))
        for word in dict.fromkeys((*task.labels, *columns)):
            # The last part counts: "status: blocked".
            found = (status_of(word), status_of(SCOPE.split(word)[-1]))
            if not (OVER if word in columns else NO_WORK).isdisjoint(found):
                hold(task, word)
        if PULL_REQUEST in task.metadata:
            not_work(task, "pull request")
    return plan


class _Places:
    """Tells an issue of the file from one of another repository that has the same number."""

    def __init__(self, issues: list[JsonObject]) -> None:
        self.repository = next(filter(None, map(_repository, issues)), None)
        self.titles = {str(issue.get("number")): issue.get("title") for issue in issues}

    def place(self, value: Any) -> Any:
        """Return the number of an issue; of one in another repository its address."""
        number = _named(value, "number")
        if not is_dict(value):
            return number.removeprefix("#") if isinstance(number, str) else number or NOT_NAMED
        there = _repository(value)
        if self.repository is None:
            # The issues do not say where they are; their titles do.
            title, same = value.get("title"), self.titles.get(str(number))
            elsewhere = title is not None and same is not None and title != same
        else:
            elsewhere = there is not None and there != self.repository
        if elsewhere:
            return value.get("url") or f"{there}#{number}"
        return number or value.get("url") or value.get("id") or NOT_NAMED


def _repository(value: Any) -> str | None:
    """Return the owner and name of the repository of an issue, as far as it says so."""
    named = _named(_named(value, "repository"), "nameWithOwner")
    match = ADDRESS.search(str(_named(value, "url") or ""))
    found = named if isinstance(named, str) else match and match[1]
    return found.casefold() if found else None


def _rows(issues: list[JsonObject], name: str) -> Iterator[tuple[JsonObject, str]]:
    places = _Places(issues)
    here = {str(issue.get("number")) for issue in issues}
    parents = {
        str(places.place(each)): issue.get("number")
        for issue in issues
        for each in _nodes(issue.get("subIssues"))
    }
    for issue in issues:
        values = JsonObject({k: v for k, v in issue.items() if k not in DROPPED}, issue.line)
        values["author"] = _named(values.get("author") or values.pop("user", None), "login")
        kind = values.get("issueType") or values.pop("type", None)
        values["issueType"] = _named(kind, "name")
        parent = values.get("parent")
        values["parent"] = places.place(parent) if parent else parents.get(str(issue.get("number")))
        if "state" not in issue and isinstance(issue.get("closed"), bool):
            values["state"] = CLOSED if issue["closed"] else OPEN
        logins = [_named(each, "login") for each in _nodes(values.get("assignees"))]
        values["assignee"] = next(iter(logins), None)
        values["assignees"] = logins if len(logins) > 1 else None
        values["labels"] = _nodes(values.get("labels"))
        values["blockedBy"] = [
            place
            for each in _nodes(values.get("blockedBy"))
            if str(place := places.place(each)) in here or not _is_closed(each)
        ]
        values["blockedBy"] += _unlisted(issue)
        values["blocking"] = [places.place(each) for each in _nodes(values.get("blocking"))]
        yield values, f"{name}:{issue.line}"


def _nodes(value: Any) -> list[Any]:
    """Return the elements of a list, or of a connection; any other value is one element."""
    if is_dict(value) and is_list(value.get("edges")):
        return [_named(edge, "node") for edge in value["edges"]]
    if is_dict(value) and not CONNECTION.isdisjoint(value):
        value = value.get("nodes")
    return value if is_list(value) else [] if value is None else [value]


def _columns(items: Any) -> list[str]:
    """Return the names of the columns in which an issue is."""
    names = [_named(_named(item, "status"), "name") for item in _nodes(items)]
    return [name for name in names if isinstance(name, str)]


def _is_closed(value: Any) -> bool:
    return str(_named(value, "state")).upper() == CLOSED


def _named(value: Any, name: str) -> Any:
    """Return a field of an object, or a plain value itself."""
    return value.get(name) if is_dict(value) else value


def _unlisted(issue: Mapping[str, Any]) -> list[str]:
    """Return what to wait for besides the listed blockers, where more of them are counted."""
    listed = issue.get("blockedBy")
    total = listed.get("totalCount") if is_dict(listed) else None
    if listed is None:
        # The REST interface counts the open ones, and lists none.
        total = _named(issue.get("issue_dependencies_summary"), "blocked_by")
    rest = total - len(_nodes(listed)) if isinstance(total, int) else 0
    return [f"{rest} more {'issue' if rest == 1 else 'issues'}"] if rest > 0 else []
