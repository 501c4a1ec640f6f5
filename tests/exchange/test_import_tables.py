"""The readers of GitHub, Linear, Jira and of any table, on small files made by hand."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from taskdb.errors import ValidationError
from taskdb.exchange import ReadOptions, detect, read_plan
from taskdb.models.types import TaskStatus
from tests.exchange_files import by_key, changed, edges_of, refused, states

Write = Callable[..., Path]

LINEAR = (
    "ID,Team,Title,Description,Status,Estimate,Priority,Project ID,Project,Creator,Assignee,"
    "Labels,Cycle Number,Cycle Name,Cycle Start,Cycle End,Created,Updated,Started,Triaged,"
    "Completed,Canceled,Archived,Due Date,Parent issue,Initiatives,Project Milestone ID,"
    "Project Milestone,SLA Status,UUID,Time in status (minutes),Related to,Blocked by,Duplicate of"
)
JIRA = (
    "Summary,Issue key,Issue id,Issue Type,Status,Project key,Priority,Resolution,Assignee,"
    "Reporter,Creator,Created,Updated,Resolved,Labels,Labels,Outward issue link (Blocks),"
    "Outward issue link (Blocks),Inward issue link (Blocks),Inward issue link (Relates),"
    "Parent,Parent key,Status Category"
)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file with a header and rows of the columns that a test names."""

    def write(name: str, header: str, *rows: dict[str, str]) -> Path:
        path = tmp_path / name
        columns = header.split(",")
        lines = [header]
        for row in rows:
            left = dict(row)
            fields = [left.pop(column, "") for column in columns]
            lines.append(",".join(f'"{field.replace(chr(34), chr(34) * 2)}"' for field in fields))
            assert not left
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


def test_an_export_of_linear_is_taken(write: Write) -> None:
    path = write(
        "export.csv",
        LINEAR,
        {
            "ID": "ENG-1",
            "Team": "Engineering",
            "Title": "Rebuild",
            "Description": "Line one\nline two",
            "Status": "In Progress",
            "Priority": "Urgent",
            "Labels": "agent, seo",
            "Assignee": "ann@acme.test",
            "Creator": "bob@acme.test",
            "Created": "Wed May 13 2026 11:21:41 GMT+0200 (GMT+02:00)",
            "Started": "2026-05-14T09:00:00Z",
            "Blocked by": "ENG-2, ENG-3",
            "Related to": "ENG-3",
        },
        {"ID": "ENG-2", "Title": "Two", "Status": "Todo", "Parent issue": "ENG-3"},
        {"ID": "ENG-3", "Title": "Three", "Status": "Backlog", "Priority": "No priority"},
        {
            "ID": "ENG-4",
            "Title": "Four",
            "Status": "Shipped",
            "Completed": "2026-05-20T09:00:00Z",
        },
        {"ID": "ENG-5", "Title": "Five", "Status": "Dropped", "Canceled": "2026-05-20T09:00:00Z"},
        {"ID": "ENG-6", "Title": "Six", "Status": "Duplicate", "Duplicate of": "ENG-1"},
        {"ID": "ENG-7", "Title": "Seven", "Status": "Triage"},
        {"ID": "ENG-8", "Title": "Eight", "Status": "Waiting for legal"},
    )

    assert detect(path) == "linear"
    plan = read_plan("linear", path)

    assert states(plan) == {
        "ENG-1": ("in_progress", None),
        "ENG-2": ("pending", None),
        "ENG-3": ("pending", None),
        "ENG-4": ("completed", None),
        "ENG-5": ("cancelled", None),
        "ENG-6": ("cancelled", None),
        "ENG-7": ("blocked", "Triage"),
        "ENG-8": ("blocked", "Waiting for legal"),
    }
    assert edges_of(plan) == [("ENG-1", "ENG-2"), ("ENG-1", "ENG-3")]
    first, second = plan.tasks[:2]
    assert (first.priority, first.labels, first.created_by) == (
        1,
        ("agent", "seo"),
        "bob@acme.test",
    )
    assert first.created_at == datetime(2026, 5, 13, 9, 21, 41, tzinfo=UTC)
    assert first.metadata["relations"] == [{"type": "related", "key": "ENG-3"}]
    assert second.parent == "ENG-3"
    assert changed(plan.findings) == [
        "export.csv:10: changed task ENG-8: its status 'Waiting for legal' is unknown; "
        "it is on hold, for the reason 'Waiting for legal'"
    ]


def test_an_export_of_jira_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "jira.csv"
    path.write_text(
        f"{JIRA}\n"
        "One,A-1,10001,Story,In Review,A,High,,ann,bob,bob,05/Sep/26 11:00 AM,,,ui,api,A-2,A-3,"
        ",A-4,,,In Progress\n"
        "Two,A-2,10002,Sub-task,To Do,A,Lowest,,,bob,bob,05/Sep/26 1:00 PM,,,,,,,B-9,,10001,,"
        "To Do\n"
        "Three,A-3,10003,Bug,Shipped,A,Medium,Done,,bob,bob,,,06/Sep/26 2:00 PM,,,,,,,,,Done\n"
        "Four,A-4,10004,Task,Done,A,Medium,Won't Do,,bob,bob,,,06/Sep/26 2:00 PM,,,,,,,,,Done\n"
        "Five,A-5,10005,Risk,To Do,A,Medium,,,bob,bob,,,,,,,,,,,A-1,To Do\n"
    )

    assert detect(path) == "jira"
    plan = read_plan("jira", path)

    assert states(plan) == {
        "A-1": ("in_review", None),
        "A-2": ("blocked", "waits for B-9, which the file does not have"),
        "A-3": ("completed", None),
        "A-4": ("cancelled", None),
        "A-5": ("blocked", "Risk"),
    }
    # A task that another blocks waits for it.
    assert edges_of(plan) == [("A-2", "A-1"), ("A-3", "A-1")]
    tasks = by_key(plan)
    assert tasks["A-1"].labels == ("ui", "api")
    assert (tasks["A-2"].parent, tasks["A-5"].parent) == ("A-1", "A-1")
    assert tasks["A-2"].created_at == datetime(2026, 9, 5, 13, tzinfo=UTC)
    assert tasks["A-3"].completed_at == datetime(2026, 9, 6, 14, tzinfo=UTC)
    assert (tasks["A-1"].priority, tasks["A-2"].priority) == (3, 10)
    assert tasks["A-4"].metadata["relations"] == [{"type": "Relates", "key": "A-1"}]


def github(*issues: dict[str, Any]) -> str:
    return json.dumps([{"title": "An issue", "state": "OPEN", **issue} for issue in issues])


def test_issues_of_github_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "issues.json"
    here, there = "https://forge.test/a/b/issues", "https://forge.test/a/c/issues"
    path.write_text(
        github(
            {
                "number": 1,
                "body": "What",
                "labels": [{"name": "ui", "color": "fff"}],
                "assignees": [{"login": "ann"}],
                "author": {"login": "bob"},
                "createdAt": "2026-01-01T00:00:00Z",
                "isPinned": True,
                "issueType": {"name": "Bug"},
                "url": f"{here}/1",
            },
            {
                "number": 2,
                "url": f"{here}/2",
                "blockedBy": {
                    "nodes": [
                        {"number": 1, "state": "OPEN", "url": f"{here}/1"},
                        {"number": 90, "state": "CLOSED", "url": f"{here}/90"},
                    ]
                },
                "parent": {"number": 1},
            },
            {"number": 3, "blockedBy": [{"number": 91, "state": "OPEN"}]},
            {"number": 4, "state": "CLOSED", "closedAt": "2026-01-02T00:00:00Z", "closed": True},
            {"number": 5, "state": "CLOSED", "stateReason": "NOT_PLANNED"},
            {"number": 6, "labels": [{"name": "on hold"}]},
            {"number": 7, "issueType": {"name": "Idea"}},
            {
                "number": 8,
                "url": f"{here}/8",
                "blockedBy": [{"number": 1, "state": "OPEN", "url": f"{there}/1"}],
            },
        )
    )

    assert detect(path) == "github"
    plan = read_plan("github", path)

    assert states(plan) == {
        "1": ("pending", None),
        "2": ("pending", None),
        "3": ("blocked", "waits for 91, which the file does not have"),
        "4": ("completed", None),
        "5": ("cancelled", None),
        "6": ("blocked", "on hold"),
        "7": ("blocked", "Idea"),
        "8": ("blocked", f"waits for {there}/1, which the file does not have"),
    }
    assert edges_of(plan) == [("2", "1")]
    assert by_key(plan)["2"].parent == "1"
    assert (plan.tasks[0].labels, plan.tasks[0].created_by) == (("ui",), "bob")


def test_json_that_is_no_list_of_issues_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "issues.json"
    path.write_text('{"number": 1}')

    with pytest.raises(ValidationError, match=r"must be a list of issues.*gh issue list"):
        read_plan("github", path)


def test_any_table_is_taken_by_the_names_of_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"
    path.write_text(
        "\ufeffNo;What;Where it stands;After;Tags;Cost\n"
        '1;"Tables; and keys";todo;;"a,b";7\n'
        "2;Views;todo;1;;\n"
        "3;Later;perhaps;1,2;;\n",
        encoding="utf-8",
    )
    columns = {
        "key": "No",
        "title": "What",
        "status": "Where it stands",
        "blocked_by": "After",
        "labels": "Tags",
    }

    plan = read_plan("csv", path, options=ReadOptions(prefix="p-", columns=columns))

    assert states(plan) == {
        "p-1": ("pending", None),
        "p-2": ("pending", None),
        "p-3": ("blocked", "perhaps"),
    }
    assert edges_of(plan) == [("p-2", "p-1"), ("p-3", "p-1"), ("p-3", "p-2")]
    assert plan.tasks[0].title == "Tables; and keys"
    assert plan.tasks[0].metadata["Cost"] == "7"


def test_json_lines_are_taken_by_the_names_of_their_fields(tmp_path: Path) -> None:
    path = tmp_path / "plan.jsonl"
    path.write_text(
        '{"id": 1, "title": "One", "status": "done", "completed_at": "2026-01-01"}\n'
        '{"id": 2, "title": "Two", "depends_on": [1], "status": "open", "tags": ["x"]}\n'
        '{"id": 3, "title": "Three", "status": "open", "frozen": true}\n'
    )

    plan = read_plan("jsonl", path)

    assert states(plan) == {
        "1": ("completed", None),
        "2": ("pending", None),
        "3": ("blocked", "frozen"),
    }
    assert edges_of(plan) == [("2", "1")]
    assert plan.tasks[1].labels == ("x",)


def test_names_of_columns_are_known_in_any_spelling(tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"
    path.write_text(
        "Id,Title,State,Depends-On,parentId,Completed At,Id.\n"
        "1,One,done,,,2026-01-01,x\n2,Two,open,1,1,,\n"
    )

    plan = read_plan("csv", path)

    assert edges_of(plan) == [("2", "1")]
    assert [(link.task, link.parent) for link in plan.parents] == [("2", "1")]
    assert plan.tasks[0].completed_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert plan.tasks[0].metadata["Id."] == "x"


def test_an_open_issue_with_a_time_of_cancellation_is_on_hold(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text("ID,Title,Status,Canceled\nE-1,One,Todo,2026-01-01\nE-2,Two,Gone,2026-01-01\n")

    plan = read_plan("linear", path)

    assert states(plan) == {
        "E-1": ("blocked", "cancelled at 2026-01-01T00:00:00+00:00"),
        "E-2": ("cancelled", None),
    }
    assert changed(plan.findings) == [
        "export.csv:2: changed task E-1: has a time of cancellation, but is pending; it is on hold"
    ]


@pytest.mark.parametrize(
    ("other", "created"),
    [("9/17/26 11:00 PM", "2026-09-05"), ("17/9/26 23:00", "2026-05-09"), ("9/6/26 11:00", None)],
)
def test_a_moment_shows_the_order_of_days_and_months(
    tmp_path: Path, other: str, created: str | None
) -> None:
    path = tmp_path / "jira.csv"
    path.write_text(
        "Issue key,Summary,Status,Created,Resolved\n"
        f"P-1,One,Done,9/5/26 9:30,{other}\nP-2,Two,Open,05/Sep/26 9:30 AM,\n"
    )

    plan = read_plan("jira", path)

    one, two = plan.tasks
    assert (one.created_at and one.created_at.isoformat()) == (
        created and f"{created}T09:30:00+00:00"
    )
    assert two.created_at == datetime(2026, 9, 5, 9, 30, tzinfo=UTC)
    if created is not None:
        assert one.completed_at == datetime(2026, 9, 17, 23, tzinfo=UTC)
        assert plan.findings.rows == []
        assert plan.remarks[-1].endswith(f"first, as in {other}")


def test_a_row_without_a_status_is_on_hold(tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"
    path.write_text("key,title\n1,One\n")

    plan = read_plan("csv", path)

    assert states(plan) == {"1": ("blocked", "no status")}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"colour": "No"}, "columns must name fields of a task, and not 'colour'"),
        ({"title": "Name"}, "columns names 'Name', which no row has.*The file has key, title"),
    ],
)
def test_a_column_that_is_not_there_is_refused(
    tmp_path: Path, columns: dict[str, str], message: str
) -> None:
    path = tmp_path / "plan.csv"
    path.write_text("key,title\n1,One\n")

    with pytest.raises(ValidationError, match=message):
        read_plan("csv", path, options=ReadOptions(columns=columns))


@pytest.mark.parametrize(
    ("text", "where"), [('key,title\n1,One\n2,"Two\n', 3), ('key,title\n1,"a"b\n', 2)]
)
def test_csv_that_is_broken_is_refused_with_its_line(tmp_path: Path, text: str, where: int) -> None:
    path = tmp_path / "plan.csv"
    path.write_text(text)

    with pytest.raises(ValidationError, match="plan is not CSV") as refusal:
        read_plan("csv", path)

    assert refusal.value.where == f"{path}:{where}"


def test_rows_that_are_no_tasks_are_refused_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"
    path.write_text("key,title,status\n1,One,todo\n,Two,todo\n1,Three,todo\n2,Four,todo,more\n,,\n")

    plan = read_plan("csv", path)

    assert [task.key for task in plan.tasks] == ["1"]
    assert refused(plan.findings) == [
        "plan.csv:3: refused task: has no key",
        "plan.csv:4: refused task 1: its key stands at plan.csv:2 already",
        "plan.csv:5: refused line: has 4 fields, and there are 3 columns",
    ]


def test_standard_input_is_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO(b'{"id": "bd-1", "title": "One"}\n{"id": 2}\n')
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(content))

    plan = read_plan("beads", "-")

    assert (plan.path, [task.key for task in plan.tasks]) == ("-", ["bd-1"])
    assert refused(plan.findings) == ["-:2: refused task: its key 2 is not a text"]


def test_a_file_that_is_too_large_is_refused_and_the_limit_can_be_lifted(tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"
    path.write_text("key,title\n1,One\n")

    with pytest.raises(ValidationError, match=r"path is too large.*--no-size-limit"):
        read_plan("csv", path, options=ReadOptions(largest=15))

    assert read_plan("csv", path, options=ReadOptions(largest=None)).tasks[0].key == "1"


def test_a_path_that_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="path is not a regular file"):
        read_plan("csv", tmp_path)


def test_a_path_of_another_kind_is_told_which(tmp_path: Path) -> None:
    path = tmp_path / "issues.json"
    path.write_text('{"tasks": []}')

    with pytest.raises(ValidationError, match=r"must be a list.*plan of the kind taskmaster"):
        read_plan("github", path)


def test_odd_values_of_issues_are_no_fault_of_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "issues.json"
    path.write_text(
        github(
            {"number": {"a": 1}},
            {"number": 1, "blockedBy": [{"number": [2]}, None, 3], "labels": {"nodes": None}},
            {"number": 2.5, "assignees": "ann", "issueType": 7, "parent": [1], "state": None},
        )
    )

    plan = read_plan("github", path)

    assert [task.key for task in plan.tasks] == ["1", "2.5"]
    assert plan.tasks[0].status is plan.tasks[1].status is TaskStatus.BLOCKED
    assert "its key {'a': 1} is not a text" in refused(plan.findings)[0]


def test_columns_that_come_twice_where_one_is_meant_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "jira.csv"
    path.write_text(
        "Issue key,Issue id,Issue id,Summary,Status,Status,Parent,Parent\n"
        "A-1,1,2,One,To Do,Done,1,2\n"
    )

    plan = read_plan("jira", path)

    assert states(plan) == {"A-1": ("blocked", "its status can't be read")}
    assert "is not a text; left out" in changed(plan.findings)[0]


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;\r"])
def test_a_first_line_of_excels_names_the_delimiter(tmp_path: Path, first: str) -> None:
    path = tmp_path / "plan.csv"
    path.write_text(f"{first}\nkey;title,,;status\nA-1;One;open\n;;\nA-2;Two;done;x\n")
    plan = read_plan("csv", path, options=ReadOptions(columns={"title": "title,,"}))

    assert [(each.where, each.title) for each in plan.tasks] == [("plan.csv:3", "One")]
    assert refused(plan.findings) == [
        "plan.csv:5: refused line: has 4 fields, and there are 3 columns"
    ]


def test_an_export_with_excels_first_line_is_known_as_that_of_its_tracker(tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"
    path.write_text("sep=,\n" + JIRA + "\n")

    assert detect(path) == "jira"
