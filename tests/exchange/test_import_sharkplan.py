"""A shark plan folder: epics, features, tasks with their specifications, and what is refused."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from taskdb.admin import doctor
from taskdb.errors import ValidationError
from taskdb.exchange import ImportRefusedError, Report, detect, import_plan, read_plan
from taskdb.exchange.frontmatter import FieldsError, parse_fields
from taskdb.exchange.specfile import render_spec
from taskdb.models.types import SpecType, TaskStatus
from taskdb.queries import epics, features, files, implementation_tasks, specs, tasks
from tests.command_line import Caller
from tests.exchange_files import DATA, needs_data

Connection = psycopg.Connection[Any]

REAL = (DATA / "shark" / "plan").resolve()
FIELDS = """\
---
key: T-E04-F01-002
task_key: T-E04-F01-009
title: Second
status: in_development
epic: E04
feature: /docs/plan/E04-login/E04-F01-forms
agent: backend
assigned_agent: ann
priority: 2
created_at: 2025-12-29T20:21:05Z
depends_on: [T-E04-F01-001, T-E99-F01-001, 7]
estimated_time: 90 min
labels: [a, 1.10]
---

The body.
"""
PLAN = {
    "README.md": "# All plans\n",
    "E04-login/epic.md": "# Epic: Login\n",
    "E04-login/scope.md": "No title.\r\n",
    "E04-login/E04-F01-forms/prd.md": (
        "# PRD: Forms\n## Phase 1\nT-E04-F01-001\n## Phase 2\nT-E04-F01-002 and T-E04-F01-0010\n"
    ),
    "E04-login/E04-F01-forms/02-design.md": "# Design\n",
    "E04-login/E04-F01-forms/tasks/README.md": "# The tasks\n",
    "E04-login/E04-F01-forms/tasks/T-E04-F01-001.md": (
        "---\ntask_key: T-E04-F01-001\nstatus: todo\ncreated: 2025-12-17\n---\n# Task: First\n"
    ),
    "E04-login/E04-F01-forms/tasks/T-E04-F01-001-QA-REPORT.md": "All\r\nwell",
    "E04-login/E04-F01-forms/tasks/T-E04-F01-002-second.md": FIELDS,
    "E04-login/E04-F02-links/feature.md": "---\ntitle: Links\nstatus: active\n---\n",
    "E04-login/E04-F02-links/tasks/T-E04-F02-001.md": "---\nstatus: completed\n---\nDone.\n",
}


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    return write(tmp_path / "plan", PLAN)


def write(folder: Path, contents: dict[str, str | bytes] | dict[str, str]) -> Path:
    for name, content in contents.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def lines(report: Report) -> list[str]:
    return [finding.as_text() for finding in report.findings]


def count_rows(conn: Connection) -> dict[str, int]:
    tables = ("epics", "features", "tasks", "technical_specs", "implementation_tasks", "task_files")
    return {
        table: conn.execute(f"select count(*) from {table}").fetchone()[0]  # type: ignore[index]
        for table in tables
    }


# Real plans


@pytest.mark.slow
@needs_data
def test_real_plans_arrive_whole_and_a_second_time_change_nothing(conn: Connection) -> None:
    """Each of the 109 files is a task, a file of a task, or a specification, to the byte."""
    report = import_plan(conn, detect(REAL), REAL)
    before = count_rows(conn)
    again = import_plan(conn, "shark-plan", REAL)

    assert report.taken == {
        "epics": 2,
        "features": 10,
        "tasks": 49,
        "dependencies": 11,
        "specs": 39,
        "implementation tasks": 49,
        "files": 21,
        "history from moments": 2,
    }
    assert again.taken == {}
    # Rows of history come with their task, and are no entries of the file.
    assert again.unchanged == {
        kind: count for kind, count in report.taken.items() if kind != "history from moments"
    }
    assert count_rows(conn) == before
    assert lines(again) == lines(report)
    # 27 tasks and 4 reports whose two keys disagree: as the manifest of the files says.
    assert len(report.changed) == 31
    assert report.refused == []
    described = [tasks.get_by_key(conn, key=row.key) for row in tasks.list_tasks(conn, limit=100)]
    taken = {Path(task.file_path or "") for task in described}
    for task in described:
        for file in files.list_files(conn, task=task.key):
            place = REAL / file.path
            kept = files.get(conn, task=task.key, path=file.path)
            assert kept.content.encode() == place.read_bytes()
            taken.add(place)
        assert (task.description or "") in Path(task.file_path or "").read_text()
    for summary in specs.list_specs(conn, limit=100):
        place = Path(summary.file_path or "")
        spec = specs.get_by_key(conn, key=summary.key)
        assert render_spec(spec).encode() == place.read_bytes()
        taken.add(place)
    assert taken == set(REAL.rglob("*.md"))
    assert [task.key for task in described if task.status is TaskStatus.COMPLETED] == [
        "T-E06-F05-004"
    ]
    assert doctor.run(conn) == []


@pytest.mark.slow
@needs_data
def test_strict_refuses_a_real_plan_whose_keys_disagree(conn: Connection) -> None:
    with pytest.raises(ImportRefusedError, match="31 rows to change and 0 to refuse"):
        import_plan(conn, "shark-plan", REAL, strict=True)

    assert set(count_rows(conn).values()) == {0}


# A small plan


def test_rows_get_what_their_files_say(conn: Connection, plan: Path) -> None:
    report = import_plan(conn, "shark-plan", plan)

    assert epics.get_by_key(conn, key="E04").title == "Login"
    assert features.get_by_key(conn, key="E04-F01").title == "Forms"
    links = features.get_by_key(conn, key="E04-F02")
    assert (links.title, links.status) == ("Links", "active")
    first = tasks.get_by_key(conn, key="T-E04-F01-001")
    assert (first.title, first.description) == ("First", "# Task: First")
    second = tasks.get_by_key(conn, key="T-E04-F01-002")
    assert (second.title, second.description) == ("Second", "The body.")
    assert (second.status, second.priority, second.agent_type) == ("in_progress", 2, "backend")
    assert (second.estimated_hours, second.created_at.year) == (Decimal("1.50"), 2025)
    assert second.metadata is not None
    assert second.metadata["labels"] == ["a", "1.10"]
    assert second.metadata["source"]["assignee"] == "ann"
    assert [line.partition(": ")[2] for line in lines(report)] == [
        "changed task T-E04-F01-002: its task_key is T-E04-F01-009; its key counts",
        "refused dependency T-E04-F01-002: depends_on names 7, not a key",
        "changed task T-E04-F02-001: has no title; its key is used instead",
        "refused dependency T-E04-F01-002: on T-E99-F01-001 (depends_on): "
        "T-E99-F01-001 is no task of this file",
    ]
    assert doctor.run(conn) == []


def test_tasks_are_parts_of_their_features_specification(conn: Connection, plan: Path) -> None:
    import_plan(conn, "shark-plan", plan)

    prd = specs.get_by_roadmap_item(conn, roadmap_item_id="E04-F01")
    parts = implementation_tasks.list_tasks(conn, spec=prd.key)
    assert (prd.title, prd.spec_type) == ("PRD: Forms", SpecType.HIERARCHICAL)
    assert {part.key: part.scope for part in parts} == {
        "T-E04-F01-001": "Phase 1",
        "T-E04-F01-002": "Phase 2",
    }
    assert implementation_tasks.get(conn, key="T-E04-F02-001").scope == "T-E04-F02-001"
    assert len(specs.list_specs(conn, roadmap_item_id="E04-F01")) == 3
    assert len(specs.list_specs(conn, roadmap_item_id="E04")) == 2
    report = files.list_files(conn, task="T-E04-F01-001")[0]
    kept = files.get(conn, task="T-E04-F01-001", path=report.path)
    assert (kept.content, kept.content_type) == ("All\r\nwell", "text/markdown")


def test_what_was_added_since_arrives_and_the_rest_stays(conn: Connection, plan: Path) -> None:
    import_plan(conn, "shark-plan", plan)
    folder = plan / "E04-login" / "E04-F02-links" / "tasks"
    write(folder, {"T-E04-F02-001-REVIEW.md": "Good", "T-E04-F02-002.md": "---\nstatus: todo\n---"})

    again = import_plan(conn, "shark-plan", plan)

    assert again.taken == {"tasks": 1, "implementation tasks": 1, "files": 1}
    assert again.unchanged["specs"] == 7


def test_prefix_and_reset(conn: Connection, plan: Path) -> None:
    import_plan(conn, "shark-plan", plan, prefix="web-", reset=True)

    second = tasks.get_by_key(conn, key="web-T-E04-F01-002")
    assert second.status is TaskStatus.BLOCKED
    assert second.started_at is None
    assert implementation_tasks.get(conn, key=second.key).scope == "Phase 2"
    assert tasks.get_by_key(conn, key="web-T-E04-F02-001").status is TaskStatus.PENDING


BROKEN: dict[str, tuple[str | bytes, str]] = {
    "notes.txt": ("x", "notes.txt: refused file: is not a Markdown file (.md)"),
    "E04-login/latin.md": (
        b"one\ntw\xf6",
        "E04-login/latin.md:2:3: refused file: must be UTF-8: byte 0xf6 at offset 6 is not",
    ),
    "E04-again/epic.md": (
        "# Again",
        "E04-login/epic.md: refused epic E04: its key stands at E04-again/epic.md already; "
        "nothing in its folder is taken",
    ),
    "E04-login/E05-F01-x/prd.md": (
        "x",
        "E04-login/E05-F01-x: refused folder E05-F01: is a feature's folder, and not one of E04",
    ),
    "E04-login/E04-F03-bare/tasks/T-E04-F03-009-QA.md": (
        "x",
        "E04-login/E04-F03-bare/tasks/T-E04-F03-009-QA.md: changed file T-E04-F03-009: "
        "no file describes T-E04-F03-009; it is a specification of E04-F03",
    ),
    "E04-login/E04-F01-forms/tasks/T-E04-F01-003.md": (
        "---\nkey: T-E04-F01-001\nstatus: todo\n---\n",
        "E04-login/E04-F01-forms/tasks/T-E04-F01-003.md: refused task T-E04-F01-001: its key "
        "stands at E04-login/E04-F01-forms/tasks/T-E04-F01-001.md already",
    ),
    "E04-login/E04-F01-forms/tasks/T-E04-F01-004.md": (
        "---\nstatus: @todo\n---\n",
        "E04-login/E04-F01-forms/tasks/T-E04-F01-004.md:2:9: refused file: its front matter is not "
        "YAML: found character '@' that cannot start any token",
    ),
    "E04-login/E04-F01-forms/tasks/T-E04-F01-005.md": (
        "---\nstatus: done?\nfeature: E04-F02\nestimated_time: soon\n---\n",
        "E04-login/E04-F01-forms/tasks/T-E04-F01-005.md: changed task T-E04-F01-005: "
        "its feature is E04-F02; it is in the folder of E04-F01, and that counts",
    ),
    "E04-login/E04-F01-forms/tasks/T-E04-F01-006.md": (
        "# Six",
        "E04-login/E04-F01-forms/tasks/T-E04-F01-006.md: changed task T-E04-F01-006: "
        "is named by 0 phases of E04-login/E04-F01-forms/prd.md, and tied to none",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_taken_as_it_is_is_named(plan: Path, name: str) -> None:
    content, wanted = BROKEN[name]
    write(plan, {name: content})

    found = [finding.as_text() for finding in read_plan("shark-plan", plan).findings]

    assert wanted in found


def test_a_link_to_a_folder_is_not_followed_nor_what_is_no_file_read(plan: Path) -> None:
    (plan / "E04-login" / "loop").symlink_to(plan)
    os.mkfifo(plan / "E04-login" / "pipe.md")
    (plan / "E04-login" / "gone.md").symlink_to(plan / "nowhere")

    found = [finding.as_text() for finding in read_plan("shark-plan", plan).findings]

    assert [line for line in found if "/tasks/" not in line] == [
        "E04-login/gone.md: refused file: is not a Markdown file (.md)",
        "E04-login/loop: refused folder: is a link to a folder",
        "E04-login/pipe.md: refused file: is not a Markdown file (.md)",
    ]


def test_a_key_of_someone_elses_leaves_the_file_with_its_task(conn: Connection, plan: Path) -> None:
    tasks.create(conn, key="T-E04-F01-001", title="Someone else's")

    report = import_plan(conn, "shark-plan", plan)

    refused = [finding.what for finding in report.refused if finding.key == "T-E04-F01-001"]
    assert refused == ["task", "file"]
    assert files.list_files(conn, task="T-E04-F01-001") == []
    prd = specs.get_by_roadmap_item(conn, roadmap_item_id="E04-F01")
    parts = implementation_tasks.list_tasks(conn, spec=prd.key)
    assert [part.key for part in parts] == ["T-E04-F01-002"]


def test_an_epics_own_folder_is_a_plan_and_others_are_not(plan: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert detect(plan / "E04-login") == "shark-plan"
    assert len(read_plan("shark-plan", plan / "E04-login").tasks) == 3
    with pytest.raises(ValidationError, match="without folders of epics"):
        detect(tmp_path / "empty")
    with pytest.raises(ValidationError, match="is no folder of epics"):
        read_plan("shark-plan", tmp_path / "empty")


def test_the_command_line_imports_a_plan_folder(
    capsys: pytest.CaptureFixture[str], database_url: str, plan: Path
) -> None:
    taskdb = Caller(capsys, database_url)

    report = taskdb("import", "shark-plan", plan)

    assert report.status == 0
    assert "1 epic, 2 features, 3 tasks, 1 dependency, 1 claim, 7 specs" in report.out
    assert taskdb("spec", "show", "SPEC-7").out == "# All plans\n"


# Fields


def test_fields_are_what_their_letters_say() -> None:
    twice: list[str] = []

    fields = parse_fields(
        "on: 2025-12-17\nversion: 27.10\nn: 7\nhex: 0x1F\nold: 010\nyes: yes\ntrue: true\n"
        "none: ~\nempty:\nlist: [1, {a: b}]\nn: 8\n",
        twice.append,
    )

    assert fields == {
        "on": "2025-12-17",
        "version": "27.10",
        "n": 8,
        "hex": "0x1F",
        "old": "010",
        "yes": "yes",
        "true": True,
        "none": None,
        "empty": None,
        "list": [1, {"a": "b"}],
    }
    assert twice == ["names n more than once; the last one counts"]


@pytest.mark.parametrize(
    ("text", "rule", "place"),
    [
        ("a: [1\nb: 2", "is not YAML: expected ',' or ']'", (2, 2)),
        ("- a\n", "must be fields, name: value", (1, 1)),
        ("a: &x [1]\nb: [*x, *x]\n", "uses an alias; write the value out", (1, 4)),
        ("? [a]\n: b\n", "has a name that is no text", (1, 3)),
        ("a: \x07", "is not YAML: unacceptable character #x0007", (1, 1)),
        ("a: " + "[" * 5000, "is nested too deeply", (1, 1)),
    ],
)
def test_faults_of_fields_have_their_places(text: str, rule: str, place: tuple[int, int]) -> None:
    with pytest.raises(FieldsError) as refused:
        parse_fields(text, print)

    assert refused.value.rule.startswith(rule)
    assert (refused.value.line, refused.value.column) == place
