"""A field that may hold a task back, unread, is a hold; one that can't be taken is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from taskdb.exchange import import_plan, read_plan
from taskdb.exchange.plan import PlanTask
from tests.exchange_files import by_key, changed, edges_of, refused, states, write_lines

Conn = psycopg.Connection[Any]
UNREAD = "its {} can't be read"


def beads(folder: Path, *issues: dict[str, Any]) -> Path:
    rows = [{"title": "One", "status": "open", "priority": 2, **issue} for issue in issues]
    return write_lines(folder / "issues.jsonl", *rows)


def taskmaster(folder: Path, *tasks: dict[str, Any]) -> Path:
    path = folder / "tasks.json"
    rows = [{"title": "One", "status": "pending", **task} for task in tasks]
    path.write_text(json.dumps({"tasks": rows}))
    return path


def backlog(folder: Path, *tasks: dict[str, Any]) -> Path:
    (folder / "tasks").mkdir()
    (folder / "config.yml").write_text("project_name: it\n")
    for task in tasks:
        fields = {"title": "One", "status": "To Do", **task}
        lines = [f"{name}: {json.dumps(value)}" for name, value in fields.items()]
        text = "\n".join(["---", *lines, "---", ""])
        (folder / f"tasks/{task['id']} - One.md").write_text(text)
    return folder


def github(folder: Path, *issues: dict[str, Any]) -> Path:
    path = folder / "issues.json"
    path.write_text(json.dumps([{"title": "One", "state": "OPEN", **each} for each in issues]))
    return path


def lines(folder: Path, *rows: dict[str, Any]) -> Path:
    return write_lines(
        folder / "plan.jsonl", *({"title": "One", "status": "open"} | r for r in rows)
    )


def first(kind: str, path: Path) -> PlanTask:
    return read_plan(kind, path).tasks[0]


@pytest.mark.parametrize("value", [{"a": 1}, ["closed"], True, False])
@pytest.mark.parametrize(
    ("kind", "write", "row"),
    [("beads", beads, {"id": "b-1"}), ("taskmaster", taskmaster, {"id": 1})],
)
def test_a_status_that_is_no_text_is_not_an_absent_one(
    tmp_path: Path, kind: str, write: Any, row: dict[str, Any], value: object
) -> None:
    task = first(kind, write(tmp_path, {**row, "status": value}))

    assert (task.status.value, task.blocked_reason) == ("blocked", UNREAD.format("status"))


@pytest.mark.parametrize("value", [["gate"], {"name": "gate"}, 5])
def test_a_type_that_is_no_text_is_a_hold(tmp_path: Path, value: object) -> None:
    for name in ("b", "t", "k", "l"):
        (tmp_path / name).mkdir()

    tasks = [
        first("beads", beads(tmp_path / "b", {"id": "b-1", "issue_type": value})),
        first("taskmaster", taskmaster(tmp_path / "t", {"id": 1, "type": value})),
        first("backlog-md", backlog(tmp_path / "k", {"id": "task-1", "type": value})),
        first("jsonl", lines(tmp_path / "l", {"key": "1", "type": value})),
    ]

    assert [task.status.value for task in tasks] == ["blocked"] * 4


@pytest.mark.parametrize(
    ("kind", "write", "row"),
    [
        ("beads", beads, {"id": "b-1", "dependencies": {"depends_on_id": "b-2"}}),
        ("beads", beads, {"id": "b-1", "dependencies": ["b-2"]}),
        ("beads", beads, {"id": "b-1", "dependencies": [{"depends_on": "b-2", "type": "blocks"}]}),
        ("beads", beads, {"id": "b-1", "dependencies": [{"id": "b-2"}]}),
        ("taskmaster", taskmaster, {"id": 1, "dependencies": "2"}),
        ("taskmaster", taskmaster, {"id": 1, "dependencies": [{"id": 2}]}),
        ("backlog-md", backlog, {"id": "task-1", "dependencies": {"on": "task-2"}}),
        ("backlog-md", backlog, {"id": "task-1", "dependencies": [["task-2"]]}),
    ],
)
def test_dependencies_that_cannot_be_read_are_a_hold_and_named(
    tmp_path: Path, kind: str, write: Any, row: dict[str, Any]
) -> None:
    plan = read_plan(kind, write(tmp_path, row))

    assert plan.tasks[0].blocked_reason == UNREAD.format("dependencies")
    assert len(plan.findings) == 1


def test_shark_dependencies_that_are_no_keys_are_a_hold(tmp_path: Path) -> None:
    common = {"title": "One", "status": "todo"}
    write_lines(
        tmp_path / "tasks.jsonl",
        {"id": 1, "key": "T-1", "depends_on": "T-2, T-3", **common},
        {"id": 2, "key": "T-2", "depends_on": "[3]", **common},
    )

    reasons = [task.blocked_reason for task in read_plan("shark", tmp_path).tasks]

    assert reasons == [UNREAD.format("depends_on")] * 2


def test_a_relation_that_names_no_issue_and_gates_nothing_is_no_hold(tmp_path: Path) -> None:
    row = {"id": "b-1", "dependencies": [{"type": "related"}]}

    assert first("beads", beads(tmp_path, row)).status.value == "pending"


def test_the_word_for_an_edge_of_beads_goes_by_its_letters(tmp_path: Path) -> None:
    words = ("Blocks", "conditional_blocks", "WAITS FOR")
    edges = [{"depends_on_id": f"b-{n}", "type": word} for n, word in enumerate(words, start=2)]
    child = {
        "id": "b-1",
        "dependencies": [*edges, {"depends_on_id": "b-5", "type": "parent_child"}],
    }

    others = [{"id": f"b-{n}"} for n in range(2, 6)]
    plan = read_plan("beads", beads(tmp_path, child, *others, {"id": "b-6", "parent": "b-4"}))

    assert edges_of(plan) == [("b-1", "b-2"), ("b-1", "b-3")]
    assert [(edge.task, edge.depends_on) for edge in plan.waits] == [("b-1", "b-6")]
    assert by_key(plan)["b-1"].parent == "b-5"


@pytest.mark.parametrize("value", ["next week", 4102444800, "31.12.2099"])
def test_a_time_to_wait_for_that_cannot_be_read_is_a_hold(tmp_path: Path, value: object) -> None:
    issue = first("beads", beads(tmp_path, {"id": "b-1", "defer_until": value}))
    row = first("jsonl", lines(tmp_path, {"key": "1", "scheduled_at": value}))

    assert issue.blocked_reason == UNREAD.format("defer_until")
    assert row.blocked_reason == UNREAD.format("scheduled_at")


def test_the_year_1_is_no_time_to_wait_for(tmp_path: Path) -> None:
    row = {"id": "b-1", "defer_until": "0001-01-01T00:00:00Z"}

    assert first("beads", beads(tmp_path, row)).status.value == "pending"


def test_an_archived_issue_without_a_time_that_can_be_read_is_on_hold(tmp_path: Path) -> None:
    path = tmp_path / "linear.csv"
    path.write_text("ID,Team,Title,Status,Parent issue,Archived\nL-1,T,One,Todo,,yesterday\n")

    assert first("linear", path).blocked_reason == UNREAD.format("archived_at")


def test_a_flag_of_jira_that_comes_twice_is_a_hold(tmp_path: Path) -> None:
    name = "Custom field (Flagged)"
    path = tmp_path / "jira.csv"
    path.write_text(f"Issue key,Summary,Status,{name},{name}\nJ-1,One,To Do,Impediment,Legal\n")

    assert first("jira", path).blocked_reason == "Impediment, Legal"


@pytest.mark.parametrize(
    ("name", "value", "held"),
    [
        ("blocked", 1, True),
        ("on_hold", "x", True),
        ("archived", "2026-01-01", True),
        ("blockedBy", ["2"], True),
        ("dependsOn", "2", True),
        ("blocked", 0, False),
        ("blocked", "no", False),
        ("archived", None, False),
        ("blockedBy", [], False),
        ("estimate", 1, False),
    ],
)
def test_a_field_by_the_name_of_a_hold_is_a_flag_in_any_form(
    tmp_path: Path, name: str, value: object, *, held: bool
) -> None:
    task = first("taskmaster", taskmaster(tmp_path, {"id": 1, name: value}))

    assert task.blocked_reason == (name if held else None)


@pytest.mark.parametrize("value", ["1", 2, [1], "on"])
def test_a_flag_of_beads_holds_in_any_form(tmp_path: Path, value: object) -> None:
    assert first("beads", beads(tmp_path, {"id": "b-1", "pinned": value})).no_work == "pinned"


@pytest.mark.parametrize(
    "issue", [{"issue_type": "ga\x00te"}, {"issue_type": "\ud800"}, {"fl\x00ag": True}]
)
def test_a_reason_that_cannot_be_stored_fails_no_import(
    conn: Conn, tmp_path: Path, issue: dict[str, Any]
) -> None:
    import_plan(conn, "beads", beads(tmp_path, {"id": "b-1", **issue}))

    (reason,) = conn.execute("select blocked_reason from full_tasks").fetchone() or ("",)
    assert "\ufffd" in reason


@pytest.mark.parametrize(
    ("blockers", "reason"),
    [
        ({"nodes": [], "totalCount": 2}, "waits for 2 more issues, which the file does not have"),
        ({"totalCount": 1}, "waits for 1 more issue, which the file does not have"),
        ([{"id": "I_x", "state": "OPEN"}], "waits for I_x, which the file does not have"),
        ([None], "waits for an issue without a number, which the file does not have"),
        (9, "waits for 9, which the file does not have"),
    ],
)
def test_a_blocker_that_an_issue_of_github_does_not_name_is_a_hold(
    tmp_path: Path, blockers: object, reason: str
) -> None:
    assert first(
        "github", github(tmp_path, {"number": 1, "blockedBy": blockers})
    ).blocked_reason == (reason)


@pytest.mark.parametrize("blockers", [2, "2", "#2", [2], {"edges": [{"node": {"number": 2}}]}])
def test_a_blocker_of_github_has_many_forms(tmp_path: Path, blockers: object) -> None:
    plan = read_plan(
        "github", github(tmp_path, {"number": 1, "blockedBy": blockers}, {"number": 2})
    )

    assert edges_of(plan) == [("1", "2")]


def test_an_issue_of_another_repository_is_told_by_what_the_file_has(tmp_path: Path) -> None:
    theirs = "https://forge.test/a/other/issues/1"
    elsewhere = {"number": 1, "title": "Theirs", "state": "OPEN", "url": theirs}
    named = {"number": 1, "state": "CLOSED", "repository": {"nameWithOwner": "a/other"}}
    here = {"number": 1, "title": "Ours", "url": "https://forge.test/a/b/issues/1"}

    # Only the titles can tell.
    untold = read_plan(
        "github",
        github(tmp_path, {"number": 1, "title": "Ours"}, {"number": 2, "blockedBy": [elsewhere]}),
    )
    told = read_plan(
        "github",
        github(
            tmp_path,
            here,
            {"number": 2, "blockedBy": [named]},
            {"number": 3, "blockedBy": [elsewhere], "parent": elsewhere},
        ),
    )

    reason = f"waits for {theirs}, which the file does not have"
    assert states(untold) == {"1": ("pending", None), "2": ("blocked", reason)}
    assert [state for state, _ in states(told).values()] == ["pending", "pending", "blocked"]
    assert by_key(told)["3"].parent is None


def test_issues_of_the_rest_interface_are_taken_and_pull_requests_are_no_work(
    tmp_path: Path,
) -> None:
    at = "2026-01-01T00:00:00Z"
    url = "https://api.github.com/repos/a/b/issues/"
    plan = read_plan(
        "github",
        github(
            tmp_path,
            {
                "number": 1,
                "state": "open",
                "url": url + "1",
                "user": {"login": "ann"},
                "type": None,
            },
            {"number": 2, "state": "open", "url": url + "2", "pull_request": {"url": "x"}},
            {"number": 3, "state": "closed", "state_reason": "not_planned", "closed_at": at},
            {"number": 4, "state": "open", "issue_dependencies_summary": {"blocked_by": 1}},
            {"number": 5, "state": "open", "type": {"name": "Gate"}, "created_at": at},
            {"number": 6, "state": "open", "issue_dependencies_summary": {"blocked_by": 0}},
        ),
    )

    assert states(plan) == {
        "1": ("pending", None),
        "2": ("blocked", "pull request"),
        "3": ("cancelled", None),
        "4": ("blocked", "waits for 1 more issue, which the file does not have"),
        "5": ("blocked", "Gate"),
        "6": ("pending", None),
    }
    assert by_key(plan)["1"].created_by == "ann"
    assert by_key(plan)["5"].created_at is not None
    assert by_key(plan)["3"].closed_at is not None


def test_labels_and_assignees_of_any_form_are_kept(tmp_path: Path) -> None:
    for name in ("k", "g"):
        (tmp_path / name).mkdir()
    long = "x" * 300
    people = [{"login": "ann"}, {"login": "bob"}]

    files = backlog(
        tmp_path / "k",
        {"id": "task-1", "labels": "ui, api"},
        {"id": "task-2", "labels": [2024, "ui", long]},
    )
    first_task, second = read_plan("backlog-md", files).tasks
    issue = first(
        "github", github(tmp_path / "g", {"number": 1, "labels": "blocked", "assignees": people})
    )

    assert (first_task.labels, first_task.metadata["labels"]) == (("ui", "api"), ["ui", "api"])
    assert (second.labels, second.metadata["labels"]) == (("2024", "ui"), ["2024", "ui", long])
    assert (issue.labels, issue.blocked_reason) == (("blocked",), "blocked")
    assert issue.metadata["assignees"] == ["ann", "bob"]


def test_files_that_backlog_does_not_read_are_counted(tmp_path: Path) -> None:
    folder = backlog(tmp_path, {"id": "task-1"})
    (folder / "tasks/old").mkdir()
    (folder / "tasks/old/task-2.md").touch()
    (folder / "tasks/task-3.MD").touch()
    (folder / "tasks/.gitkeep").touch()
    (folder / "archive/milestones").mkdir(parents=True)
    (folder / "archive/milestones/m-1.md").touch()
    (folder / "archive/milestones/m-2.md").touch()

    assert read_plan("backlog-md", folder).remarks == [
        "1 file of tasks/old is no task; not taken",
        "1 file of tasks is no task; not taken",
        "2 files of archive/milestones are no tasks; not taken",
    ]


def test_a_task_that_the_file_does_not_have_is_no_dependent_but_a_relation(
    conn: Conn, tmp_path: Path
) -> None:
    path = tmp_path / "plan.csv"
    path.write_text("key,title,status,blocks\n A ,One,open,GONE\n")

    report = import_plan(conn, "csv", path, strict=True)

    row = conn.execute("select key, metadata->'relations'->0->>'key' from full_tasks").fetchone()
    assert row == ("A", "GONE")
    assert report.findings == []


def test_keys_are_refused_with_what_they_are(tmp_path: Path) -> None:
    plan = read_plan("beads", beads(tmp_path, {"id": "b-1"}, {"id": 12}, {"id": " "}))

    assert refused(plan.findings) == [
        "issues.jsonl:2: refused task: its key 12 is not a text",
        "issues.jsonl:3: refused task: has no key",
    ]
    assert changed(plan.findings) == []


def test_counts_of_a_report_name_fields_as_they_are_and_rows_by_their_plurals(
    tmp_path: Path, conn: Conn
) -> None:
    rows = [{"id": "b-1", "notes": "n", "priority": "x"}, {"id": "b-2", "priority": "y"}]

    text = import_plan(conn, "beads", beads(tmp_path, *rows)).as_text()

    assert "  metadata   1 notes\n" in text
    assert "  changed    2: 2 tasks\n" in text


def test_every_column_of_a_table_that_names_blockers_counts(tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"
    rows = ["key,title,status,blocked by,depends on,blocks,blocking", "A,One,open,B,C,D,E"]
    path.write_text("\n".join([*rows, *(f"{key},One,open,,,," for key in "BCDE")]) + "\n")

    plan = read_plan("csv", path)

    assert sorted(edges_of(plan)) == [("A", "B"), ("A", "C"), ("D", "A"), ("E", "A")]
