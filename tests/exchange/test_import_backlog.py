"""The reader of Backlog.md folders, on small ones made by hand and on a real one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from taskdb.errors import ValidationError
from taskdb.exchange import ReadOptions, detect, import_plan, read_plan
from taskdb.exchange.backlogmd import FOLDERS
from tests.exchange_files import DATA, by_key, changed, needs_data, refused, states, stats

Write = Callable[..., None]
REAL = DATA / "backlog-md" / "2025-07-16"
KIND = "backlog-md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "backlog"
    (place / "tasks").mkdir(parents=True)
    (place / "config.yml").write_text('project_name: "Ours"\n')
    return place


@pytest.fixture
def write(folder: Path) -> Write:
    """Write a task: its fields, as they are to stand there, and its text."""

    def write(name: str, fields: str, body: str = "", place: str = "tasks") -> None:
        path = folder / place / f"{name} - A title.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"---\n{fields.strip()}\n---\n\n{body}")

    return write


def task(number: str, more: str = "", status: str = "To Do") -> str:
    return f"id: {number}\ntitle: Task {number}\nstatus: {status}\n{more}"


def test_fields_and_sections_find_their_places(folder: Path, write: Write) -> None:
    write("task-1", task("task-1"))
    write(
        "back-4.10",
        """
id: back-4.10
title: "Whole: of it"
status: In Progress
assignee:
  - '@ann'
reporter: '@bob'
created_date: '2025-07-12 10:30'
updated_date: 2025-07-13
labels: [cli, "p:1"]
dependencies: [TASK-1]
parent_task_id: task-1
priority: high
ordinal: 2000
milestone: m-1
""",
        """
## Description

<!-- SECTION:DESCRIPTION:BEGIN -->
What it is.
<!-- SECTION:DESCRIPTION:END -->

## Acceptance Criteria
<!-- AC:BEGIN -->
- [x] #1 It works
- [ ] #2 It lasts
<!-- AC:END -->

## Implementation Plan

First this.

## Notes

Then that.
""",
    )

    plan = read_plan(KIND, folder)

    tasks = by_key(plan)
    whole = tasks["back-4.10"]
    assert (whole.title, whole.description, whole.priority) == ("Whole: of it", "What it is.", 3)
    assert whole.requirements == {"acceptance_criteria": "- [x] #1 It works\n- [ ] #2 It lasts"}
    assert whole.context == {"implementation_plan": "First this."}
    assert whole.metadata["implementation_notes"] == "Then that."
    assert whole.metadata["milestone"] == "m-1"
    assert (whole.labels, whole.execution_order) == (("cli", "p:1"), 2000)
    assert (whole.parent, whole.created_by) == ("task-1", "@bob")
    assert whole.created_at == datetime(2025, 7, 12, 10, 30, tzinfo=UTC)
    assert whole.claim is not None
    assert whole.claim.agent == "@ann"
    assert [(edge.task, edge.depends_on) for edge in plan.edges] == [("back-4.10", "task-1")]
    assert not len(plan.findings)


def test_folders_say_what_is_over_given_up_or_not_decided(folder: Path, write: Write) -> None:
    write("task-1", task("task-1", status="Done"), place="completed")
    write("task-2", task("task-2"), place="completed")
    write("task-3", task("task-3"), place="archive/tasks")
    write("task-4", task("task-4"), place="drafts")
    write("task-5", task("task-5", status="Draft"))
    write("task-6", task("task-6", status="Won't Do"))
    write("task-7", task("task-7", status="Parked"))
    (folder / "tasks" / "readme.md").write_text("# Not a task")

    plan = read_plan(KIND, folder)

    assert states(plan) == {
        "task-1": ("completed", None),
        "task-2": ("completed", None),
        "task-3": ("archived", None),
        "task-4": ("blocked", "draft"),
        "task-5": ("blocked", "Draft"),
        "task-6": ("cancelled", None),
        "task-7": ("blocked", "Parked"),
    }
    assert len(changed(plan.findings)) == 1


def test_names_without_quotes_are_read_as_the_tool_reads_them(folder: Path, write: Write) -> None:
    write("task-1", task("task-1", "assignee: @ann\nreporter: @bob", "In Progress"))
    write("task-2", task("task-2", "assignee: [@ann, 'eve']", "In Progress"))
    write("task-3", task("task-3", "labels: [unclosed"))

    plan = read_plan(KIND, folder)

    claims = [task.claim.agent for task in plan.tasks if task.claim]
    assert claims == ["@ann", "@ann"]
    assert [finding.where for finding in plan.findings] == [
        "tasks/task-1 - A title.md:5:11",
        "tasks/task-2 - A title.md:5:12",
        "tasks/task-3 - A title.md:6:1",
    ]
    assert len(changed(plan.findings)) == 2
    assert "its front matter is not YAML" in refused(plan.findings)[0]


def test_of_tasks_with_one_id_the_first_folder_counts(folder: Path, write: Write) -> None:
    write("task-1", "id: TASK-1\ntitle: old\nstatus: To Do", place="archive/tasks")
    write("task-1", "id: task-1\ntitle: new\nstatus: To Do")

    plan = read_plan(KIND, folder)
    renamed = read_plan(KIND, folder, options=ReadOptions(rename_duplicates=True))

    assert [task.title for task in plan.tasks] == ["new"]
    assert "its id stands at tasks/task-1 - A title.md already" in refused(plan.findings)[0]
    assert [task.key for task in renamed.tasks] == ["task-1", "TASK-1~2"]


def test_a_link_that_leaves_the_folder_is_refused(folder: Path, write: Write) -> None:
    write("task-1", task("task-1"))
    outside = folder.parent / "secret.md"
    outside.write_text("---\n" + task("task-2") + "\n---\n")
    (folder / "tasks" / "task-2 - A title.md").symlink_to(outside)

    plan = read_plan(KIND, folder)

    assert [task.key for task in plan.tasks] == ["task-1"]
    assert "is a link that leaves the folder" in refused(plan.findings)[0]


def test_a_folder_that_is_too_large_is_refused_whole(folder: Path, write: Write) -> None:
    for number in range(3):
        write(f"task-{number}", task(f"task-{number}"), "x" * 100)

    with pytest.raises(ValidationError, match="path is too large"):
        read_plan(KIND, folder, options=ReadOptions(largest=300))


def test_the_folder_of_a_project_will_do(folder: Path, write: Write) -> None:
    write("task-1", task("task-1"))

    assert detect(folder) == detect(folder.parent) == KIND
    assert len(read_plan(KIND, folder.parent).tasks) == 1


def test_the_file_at_the_root_of_a_project_names_its_folder(
    tmp_path: Path, folder: Path, write: Write
) -> None:
    write("task-1", task("task-1"))
    (folder / "config.yml").unlink()
    (tmp_path / "docs").mkdir()
    folder.rename(tmp_path / "docs/plan")
    config = tmp_path / "backlog.config.yml"
    config.write_text("project_name: it\nbacklog_directory: docs/plan\n")

    assert detect(tmp_path) == KIND
    assert [each.key for each in read_plan(KIND, tmp_path).tasks] == ["task-1"]


@pytest.mark.parametrize("named", ["..", "/etc", "docs: [", "[docs]", "nothing"])
def test_a_folder_outside_of_the_project_is_none_of_it(tmp_path: Path, named: str) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "tasks").mkdir()
    (project / "backlog.config.yml").write_text(f"backlog_directory: {named}\n")

    with pytest.raises(ValidationError, match=r"path is no Backlog\.md folder"):
        read_plan(KIND, project)


def test_ids_that_the_tool_now_writes_in_capitals_are_the_same_tasks(
    conn: psycopg.Connection[Any], folder: Path, write: Write
) -> None:
    write("task-1", task("task-1"))
    write("task-2", task("task-2", "dependencies: [task-1]\nparent_task_id: task-1\n"))
    import_plan(conn, KIND, folder)
    write("task-1", task("TASK-1", status="Done"))
    write("task-2", task("TASK-2", "dependencies: [TASK-1]\nparent_task_id: TASK-1\n"))
    write("task-3", task("TASK-3", "dependencies: [TASK-2]\n"))

    report = import_plan(conn, KIND, folder, prune=True)

    assert [change.field for change in report.changes if change.key == "task-2"] == ["title"]
    keys = conn.execute("select key, status from tasks order by key").fetchall()
    assert keys == [("TASK-3", "blocked"), ("task-1", "completed"), ("task-2", "pending")]


def test_any_other_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"path is no Backlog\.md folder"):
        read_plan(KIND, tmp_path)


@pytest.mark.slow
@needs_data
def test_a_real_folder_agrees_with_figures_that_other_code_worked_out(
    conn: psycopg.Connection[Any],
) -> None:
    known = stats()["backlog-md/2025-07-16"]
    files = [path for folder in FOLDERS for path in (REAL / folder).glob("*.md")]
    heads = [path.read_text().partition("\n---")[0] for path in files]
    words = Counter(
        match[1] for head in heads if (match := re.search(r"^status: [\"']?([\w' ]+)", head, re.M))
    )

    report = import_plan(conn, detect(REAL), REAL)

    # The figures leave out files whose names lack quotes; the tool itself, and taskdb, read them.
    twice = [finding for finding in report.refused if "its id stands at" in finding.reason]
    assert report.taken["tasks"] + len(twice) == words.total() >= known["tasks"]
    assert {str(finding.key) for finding in twice} >= set(known["dup_ids"])
    invalid = [line for line in report.changed if "its front matter is not YAML" in line.reason]
    assert len(invalid) >= known["invalid_yaml"]
    assert all(re.search(r"\.md:\d+:\d+$", finding.where) for finding in invalid)
    assert report.taken["dependencies"] >= known["graph"]["edges"]
    found = Counter(
        dict(
            conn.execute(
                "select metadata -> 'source' ->> 'status', count(*) from task_details group by 1"
            ).fetchall()
        )
    )
    assert (words - found).total() == len(twice)
    ready = conn.execute(
        "select distinct task.metadata -> 'source' ->> 'status', "
        "task.metadata -> 'source' ->> 'folder' "
        "from full_tasks as task inner join ready_tasks using (id) where task.status = 'pending'"
    ).fetchall()
    assert ready == [("To Do", "tasks")]


def test_front_matter_may_begin_with_a_comment_or_an_empty_line(folder: Path, write: Write) -> None:
    for number, head in enumerate(("# ours", "", "  # a: b\n\n#", "'a': b"), start=1):
        path = folder / "tasks" / f"task-{number} - A title.md"
        path.write_text(f"---\n{head}\n{task(f'task-{number}')}---\n\n## Description\n\nIt.\n")
    plan = read_plan(KIND, folder)

    assert [each.key for each in plan.tasks] == [f"task-{number}" for number in range(1, 5)]
    assert {each.description for each in plan.tasks} == {"It."}


def test_a_place_between_two_others_is_taken_without_its_fraction(
    folder: Path, write: Write
) -> None:
    write("task-1", task("task-1", "ordinal: 62.5\n"))
    write("task-2", task("task-2", "ordinal: 6.2.5\n"))

    plan = read_plan(KIND, folder)

    one, two = plan.tasks
    assert (one.execution_order, one.metadata["source"]["ordinal"]) == (62, "62.5")
    assert two.execution_order is None
    assert [finding.key for finding in plan.findings.rows] == ["task-2"]
