"""No word that a reader does not know becomes work; a clean file of each tracker passes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from taskdb.errors import ValidationError
from taskdb.exchange import KINDS, ReadOptions, import_plan, read_plan
from taskdb.exchange.plan import PlanTask
from tests.command_line import Caller
from tests.exchange_files import by_key, edges_of, states, write_lines

Conn = psycopg.Connection[Any]
ENDED = "2026-01-04T12:00:00Z"
# Writes a file with one task and returns its path.
Write = Callable[..., Path]


def _named(fields: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in fields.items()}


def beads(folder: Path, **fields: Any) -> Path:
    names = {"type": "issue_type", "ended": "closed_at"}
    said = _named(fields, names)
    row = {"id": "b-1", "title": "One", "status": "open", "priority": 2, **said}
    return write_lines(folder / "issues.jsonl", row)


def taskmaster(folder: Path, **fields: Any) -> Path:
    names = {"ended": "completedAt"}
    said = _named(fields, names)
    path = folder / "tasks.json"
    path.write_text(
        json.dumps({"master": {"tasks": [{"id": 1, "title": "One", "status": "pending", **said}]}})
    )
    return path


def shark(folder: Path, **fields: Any) -> Path:
    names = {"ended": "completed_at"}
    said = _named(fields, names)
    row = {"id": 1, "key": "T-1", "title": "One", "status": "todo", **said}
    write_lines(folder / "tasks.jsonl", row)
    return folder


def backlog(folder: Path, **fields: Any) -> Path:
    names = {"ended": "completed_date"}
    said = {"id": "task-1", "title": "One", "status": "To Do"}
    said |= _named(fields, names)
    (folder / "tasks").mkdir()
    (folder / "config.yml").write_text("project_name: it\n")
    lines = [f"{name}: {json.dumps(value)}" for name, value in said.items()]
    (folder / "tasks/task-1 - One.md").write_text("\n".join(["---", *lines, "---", ""]))
    return folder


def github(folder: Path, **fields: Any) -> Path:
    names = {"status": "state", "ended": "closedAt"}
    said = _named(fields, names)
    if "type" in said:
        said["issueType"] = {"name": said.pop("type")}
    path = folder / "issues.json"
    path.write_text(json.dumps([{"number": 1, "title": "One", "state": "OPEN", **said}]))
    return path


def _table(
    path: Path, names: dict[str, str], usual: dict[str, str], fields: dict[str, Any]
) -> Path:
    said = usual | _named(fields, names)
    path.write_text("\n".join([",".join(said), ",".join(map(str, said.values()))]) + "\n")
    return path


def linear(folder: Path, **fields: Any) -> Path:
    names = {"status": "Status", "ended": "Completed"}
    usual = {"ID": "L-1", "Team": "T", "Title": "One", "Status": "Todo", "Parent issue": ""}
    return _table(folder / "linear.csv", names, usual, fields)


def jira(folder: Path, **fields: Any) -> Path:
    names = {"status": "Status", "ended": "Resolved", "type": "Issue Type"}
    usual = {"Issue key": "J-1", "Summary": "One", "Status": "To Do"}
    return _table(folder / "jira.csv", names, usual, fields)


def table(folder: Path, **fields: Any) -> Path:
    usual = {"key": "C-1", "title": "One", "status": "open"}
    return _table(folder / "plan.csv", {"ended": "completed_at"}, usual, fields)


def lines(folder: Path, **fields: Any) -> Path:
    names = {"ended": "completed_at"}
    said = _named(fields, names)
    row = {"key": "C-1", "title": "One", "status": "open", **said}
    return write_lines(folder / "plan.jsonl", row)


EVERY: dict[str, Write] = {
    "beads": beads,
    "taskmaster": taskmaster,
    "shark": shark,
    "backlog-md": backlog,
    "github": github,
    "linear": linear,
    "jira": jira,
    "csv": table,
    "jsonl": lines,
}
every = pytest.mark.parametrize("kind", EVERY)


def only(kind: str, path: Path, **options: Any) -> PlanTask:
    plan = read_plan(kind, path, options=ReadOptions(**options))
    (task,) = plan.tasks
    return task


@every
@pytest.mark.parametrize("word", ["Zombie", "ready?", "in limbo", "OPEN-ISH", "Ĳ"])
def test_an_unknown_status_is_a_hold_and_the_reason(tmp_path: Path, kind: str, word: str) -> None:
    task = only(kind, EVERY[kind](tmp_path, status=word))

    assert (task.status.value, task.blocked_reason) == ("blocked", word)


@every
def test_an_unknown_status_with_a_time_of_closing_is_closed(tmp_path: Path, kind: str) -> None:
    task = only(kind, EVERY[kind](tmp_path, status="Zombie", ended=ENDED))

    assert (task.status.value, task.blocked_reason) == ("completed", None)
    assert task.completed_at == datetime(2026, 1, 4, 12, tzinfo=UTC)


@every
@pytest.mark.parametrize("value", [True, "true", "Yes"])
def test_an_unknown_flag_is_a_hold_and_the_reason(tmp_path: Path, kind: str, value: object) -> None:
    task = only(kind, EVERY[kind](tmp_path, frozen=value))

    assert (task.status.value, task.blocked_reason) == ("blocked", "frozen")


@pytest.mark.parametrize("kind", [kind for kind in EVERY if kind != "linear"])
@pytest.mark.parametrize("word", ["gate", "Message", "molecule"])
def test_an_unknown_type_is_a_hold_and_the_reason(tmp_path: Path, kind: str, word: str) -> None:
    task = only(kind, EVERY[kind](tmp_path, type=word))

    assert (task.status.value, task.blocked_reason) == ("blocked", word)


@pytest.mark.parametrize("kind", [kind for kind in EVERY if kind != "linear"])
@pytest.mark.parametrize("word", ["Task", "bug", "New Feature"])
def test_a_known_type_is_work(tmp_path: Path, kind: str, word: str) -> None:
    assert only(kind, EVERY[kind](tmp_path, type=word)).status.value == "pending"


@every
def test_a_closed_task_needs_no_hold(tmp_path: Path, kind: str) -> None:
    words = {"github": "CLOSED", "beads": "closed"}
    path = EVERY[kind](tmp_path, status=words.get(kind, "done"), frozen=True)

    plan = read_plan(kind, path)

    assert [task.status.value for task in plan.tasks] == ["completed"]
    assert not len(plan.findings)


@every
def test_what_is_no_work_stays_on_hold_after_a_reset(conn: Conn, tmp_path: Path, kind: str) -> None:
    import_plan(conn, kind, EVERY[kind](tmp_path, frozen=True), reset=True)

    assert conn.execute("select count(*) from ready_tasks").fetchone() == (0,)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_a_wrong_path_is_told_which_kinds_exist(tmp_path: Path, kind: str, name: str) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(ValidationError) as refusal:
        read_plan(kind, tmp_path / name)

    assert "Name a shark folder" in str(refusal.value)
    assert refusal.value.where is not None


def test_a_flagged_issue_of_jira_is_on_hold(tmp_path: Path) -> None:
    path = tmp_path / "jira.csv"
    path.write_text("Issue key,Summary,Status,Custom field (Flagged)\nJ-1,A,To Do,Impediment\n")

    assert only("jira", path).blocked_reason == "Impediment"


def test_links_of_jira_by_other_words_are_named_and_taken(tmp_path: Path) -> None:
    path = tmp_path / "jira.csv"
    path.write_text(
        "Issue key,Summary,Status,Inward issue link (Depends),Outward issue link (Depends)\n"
        "J-1,A,To Do,J-2,\nJ-2,B,To Do,X-9,J-1\n"
    )

    (remark,) = read_plan("jira", path).remarks
    taken = read_plan("jira", path, options=ReadOptions(edges={"depends": "requires"}))

    assert remark.startswith("1 edge of type Depends and 1 of inward Depends hold nothing back")
    assert "Depends: J-2 -> J-1" in remark
    assert edges_of(taken) == [("J-2", "J-1")]


def test_a_word_for_an_edge_that_the_file_does_not_have_is_named(tmp_path: Path) -> None:
    path = beads(tmp_path)

    plan = read_plan("beads", path, options=ReadOptions(edges={"needs": "requires"}))

    assert plan.remarks == ["no relation of the file is of type needs"]


@pytest.mark.parametrize("said", ["depends-on", "Depends On", "depends_on"])
def test_the_word_for_an_edge_goes_by_its_letters(tmp_path: Path, said: str) -> None:
    edge = {"depends_on_id": "b-2", "type": "depends-on"}
    one = {"id": "b-1", "title": "One", "status": "open", "dependencies": [edge]}
    path = write_lines(tmp_path / "issues.jsonl", one, {"id": "b-2", "title": "Two"})

    plan = read_plan("beads", path, options=ReadOptions(edges={said: "requires"}))

    assert edges_of(plan) == [("b-1", "b-2")]


def test_what_holds_by_a_hold_is_no_edge_that_holds_nothing_back(tmp_path: Path) -> None:
    edge = {"depends_on_id": "external:other:b-9", "type": "blocks"}
    plan = read_plan("beads", beads(tmp_path, dependencies=[edge]))

    assert states(plan) == {"b-1": ("blocked", "waits for external:other:b-9")}
    assert plan.remarks == []


def test_children_of_a_parent_that_is_blocked_by_nothing_are_on_hold_with_it(
    conn: Conn, tmp_path: Path
) -> None:
    below = [{"depends_on_id": "p", "type": "parent-child"}]
    path = write_lines(
        tmp_path / "issues.jsonl",
        {"id": "p", "title": "P", "status": "blocked"},
        {"id": "p.1", "title": "C", "status": "open", "dependencies": below},
    )

    import_plan(conn, "beads", path)

    rows = conn.execute("select key, blocked_reason from tasks order by key").fetchall()
    assert rows == [("p", "blocked in beads"), ("p.1", "its parent p is blocked")]


def test_an_archived_issue_of_linear_is_archived(tmp_path: Path) -> None:
    task = only("linear", linear(tmp_path, Archived=ENDED))

    assert (task.status.value, task.closed_at) == ("archived", datetime(2026, 1, 4, 12, tzinfo=UTC))


def test_github_says_parents_at_either_end_and_the_state_by_either_name(tmp_path: Path) -> None:
    path = tmp_path / "issues.json"
    issues = [
        {"number": 1, "title": "Whole", "closed": False, "subIssues": [{"number": 2}]},
        {"number": 2, "title": "Part", "closed": True},
        {"number": 3, "title": "Held", "state": "OPEN", "labels": [{"name": "status: blocked"}]},
    ]
    path.write_text(json.dumps(issues))

    plan = read_plan("github", path)

    assert states(plan) == {
        "1": ("pending", None),
        "2": ("completed", None),
        "3": ("blocked", "status: blocked"),
    }
    assert by_key(plan)["2"].parent == "1"


def test_a_backlog_without_open_tasks_is_read(tmp_path: Path) -> None:
    (tmp_path / "backlog/completed").mkdir(parents=True)
    (tmp_path / "backlog.config.yml").write_text("project_name: it\n")
    path = tmp_path / "backlog/completed/task-1 - One.md"
    path.write_text("---\nid: task-1\ntitle: One\nstatus: Done\n---\n")

    assert only("backlog-md", tmp_path).status.value == "completed"


def test_the_reason_of_a_hold_keeps_the_word(tmp_path: Path) -> None:
    task = only("shark", shark(tmp_path, status="zombie", blocked_reason="no key"))

    assert task.blocked_reason == "zombie: no key"


# Moments without a zone


@pytest.mark.parametrize(
    ("zone", "hour"), [(None, 12), ("Europe/Berlin", 11), ("America/New_York", 17)]
)
@pytest.mark.parametrize("kind", ["csv", "jsonl", "jira", "linear", "backlog-md", "shark"])
def test_a_moment_without_a_zone_is_of_the_one_that_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, zone: str | None, hour: int
) -> None:
    monkeypatch.setitem(os.environ, "TZ", "Asia/Tokyo")
    ended = "2026-01-04 12:00"

    task = only(
        kind,
        EVERY[kind](tmp_path, status="Done", ended=ended),
        **({"zone": ZoneInfo(zone)} if zone else {}),
    )

    assert task.completed_at == datetime(2026, 1, 4, hour, tzinfo=UTC)


def test_the_zone_is_named_on_the_command_line(
    database_url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    taskdb = Caller(capsys, database_url)
    path = table(tmp_path, scheduled_at="2099-07-01 12:00")

    wrong = taskdb("import", "csv", path, "--zone", "Mars/Olympus")
    taskdb("import", "csv", path, "--zone", "Europe/Berlin")
    taskdb("export", "--format", "csv", "-o", tmp_path / "out.csv")

    assert wrong.status == 2
    assert "'Mars/Olympus' is no time zone; name one such as Europe/Berlin" in wrong.err
    assert "2099-07-01T10:00:00+00:00" in (tmp_path / "out.csv").read_text()


# Clean files, as the trackers write them

JIRA = (
    "Summary,Issue key,Issue id,Issue Type,Status,Project key,Priority,Resolution,Assignee,"
    "Reporter,Creator,Created,Updated,Resolved,Due date,Labels,Labels,"
    "Inward issue link (Blocks),Outward issue link (Blocks),Outward issue link (Relates),"
    "Parent,Status Category,Custom field (Rank),Custom field (Flagged),Custom field (Story Points)"
)
LINEAR = (
    "ID,Team,Title,Description,Status,Estimate,Priority,Project ID,Project,Creator,Assignee,"
    "Labels,Cycle Number,Created,Updated,Started,Triaged,Completed,Canceled,Archived,Due Date,"
    "Parent issue,SLA Status,UUID,Related to,Blocked by,Duplicate of"
)
SPOKEN = "Tue Sep 01 2026 10:00:00 GMT+0000 (GMT+00:00)"


def clean_jira(folder: Path) -> Path:
    path = folder / "jira.csv"
    path.write_text(
        f"{JIRA}\n"
        "One,J-1,11,Story,To Do,J,Medium,,ann,bob,bob,01/Sep/26 9:00 AM,02/Sep/26 9:00 AM,,,ui,api"
        ",,J-2,J-3,,To Do,0|i0,,3.0\n"
        "Two,J-2,12,Sub-task,In Progress,J,High,,ann,bob,bob,01/Sep/26 9:00 AM,02/Sep/26 9:00 AM,,"
        ",,,J-1,,,11,In Progress,0|i1,,\n"
        "Three,J-3,13,Bug,Done,J,Low,Done,ann,bob,bob,01/Sep/26 9:00 AM,02/Sep/26 9:00 AM,"
        "02/Sep/26 9:00 AM,,,,,,,,Done,0|i2,,\n"
    )
    return path


def clean_linear(folder: Path) -> Path:
    path = folder / "linear.csv"
    path.write_text(
        f"{LINEAR}\n"
        f"L-1,T,One,,Backlog,3,No priority,,,e@x,,ui,,{SPOKEN},{SPOKEN},,,,,,,,,u1,,,\n"
        f"L-2,T,Two,,In Review,,Urgent,,,e@x,a@x,,2,{SPOKEN},{SPOKEN},{SPOKEN},,,,,,L-1,,u2,"
        "L-1,L-1,\n"
        f"L-3,T,Three,,Duplicate,,Low,,,e@x,,,,{SPOKEN},{SPOKEN},,,,{SPOKEN},,,,,u3,,,L-1\n"
        f"L-4,T,Four,,Done,,High,,,e@x,a@x,,,{SPOKEN},{SPOKEN},{SPOKEN},,{SPOKEN},,{SPOKEN},,,,"
        "u4,,,\n"
    )
    return path


def clean_github(folder: Path) -> Path:
    path = folder / "issues.json"
    usual = {"createdAt": "2026-09-01T00:00:00Z", "updatedAt": ENDED, "isPinned": True}
    author = {"id": "U", "is_bot": False, "login": "ann", "name": "Ann"}
    issues = [
        {
            **usual,
            "number": 1,
            "title": "One",
            "body": "",
            "state": "OPEN",
            "stateReason": "",
            "author": author,
            "assignees": [author],
            "labels": [{"id": "L", "name": "bug", "color": "red", "description": ""}],
            "milestone": {"number": 1, "title": "v1"},
            "comments": [{"id": "C", "author": {"login": "bob"}, "body": "x"}],
            "closed": False,
            "closedAt": None,
            "blocking": {"nodes": [{"number": 2, "state": "OPEN"}], "totalCount": 1},
        },
        {
            **usual,
            "number": 2,
            "title": "Two",
            "state": "OPEN",
            "stateReason": "REOPENED",
            "blockedBy": {"nodes": [{"number": 1, "state": "OPEN"}], "totalCount": 1},
            "issueType": {"name": "Task"},
        },
        {
            **usual,
            "number": 3,
            "title": "Three",
            "state": "CLOSED",
            "stateReason": "NOT_PLANNED",
            "closedAt": "2026-09-02T00:00:00Z",
            "updatedAt": "2026-09-02T00:00:00Z",
        },
    ]
    path.write_text(json.dumps(issues))
    return path


def clean_backlog(folder: Path) -> Path:
    (folder / "backlog/tasks").mkdir(parents=True)
    (folder / "backlog/drafts").mkdir()
    (folder / "backlog/config.yml").write_text('project_name: "it"\nstatuses: ["To Do", "Done"]\n')
    (folder / "backlog/tasks/task-1 - One.md").write_text(
        "---\nid: task-1\ntitle: 'One: first'\nstatus: To Do\nassignee:\n  - '@ann'\n"
        "reporter: '@bob'\ncreated_date: '2026-09-01 09:00'\nupdated_date: '2026-09-02 09:00'\n"
        "labels:\n  - ui\nmilestone: v1\ndependencies:\n  - task-1.1\npriority: high\n"
        "ordinal: 1000\ntype: feature\n---\n\n## Description\n\n<!-- SECTION:DESCRIPTION:BEGIN -->"
        "\nWhat\n<!-- SECTION:DESCRIPTION:END -->\n\n## Acceptance Criteria\n<!-- AC:BEGIN -->\n"
        "- [x] #1 It\n<!-- AC:END -->\n"
    )
    (folder / "backlog/tasks/task-1.1 - Part.md").write_text(
        "---\nid: task-1.1\ntitle: Part\nstatus: Done\nassignee: []\n"
        "created_date: '2026-09-01'\nlabels: []\ndependencies: []\nparent_task_id: task-1\n---\n"
    )
    (folder / "backlog/drafts/draft-1 - Two.md").write_text(
        "---\nid: draft-1\ntitle: Two\nstatus: Draft\nassignee: []\ncreated_date: '2026-09-01'\n"
        "labels: []\ndependencies: []\n---\n"
    )
    return folder


def clean_taskmaster(folder: Path) -> Path:
    path = folder / "tasks.json"
    part: dict[str, Any] = {
        "id": 1,
        "title": "Part",
        "description": "",
        "status": "pending",
        "dependencies": [],
    }
    task: dict[str, Any] = {
        "id": 1,
        "title": "One",
        "description": "What",
        "details": "How",
        "testStrategy": "Try",
        "priority": "high",
        "dependencies": [],
        "status": "in-progress",
        "subtasks": [part, {**part, "id": 2, "dependencies": ["1.1"], "parentId": "1"}],
        "complexity": 7,
        "recommendedSubtasks": 4,
        "expansionPrompt": "More",
        "updatedAt": ENDED,
    }
    metadata = {"created": ENDED, "updated": ENDED, "description": "Tasks for master context"}
    document: dict[str, Any] = {"master": {"tasks": [task], "metadata": metadata}}
    path.write_text(json.dumps(document | {"next": {"tasks": [], "metadata": metadata}}))
    return path


@pytest.mark.parametrize(
    ("kind", "write"),
    [
        ("jira", clean_jira),
        ("linear", clean_linear),
        ("github", clean_github),
        ("backlog-md", clean_backlog),
        ("taskmaster", clean_taskmaster),
    ],
)
def test_a_clean_file_passes_strictly(
    conn: Conn, tmp_path: Path, kind: str, write: Callable[[Path], Path]
) -> None:
    report = import_plan(conn, kind, write(tmp_path), strict=True)

    assert report.taken["tasks"] >= 3
    assert report.findings == []
