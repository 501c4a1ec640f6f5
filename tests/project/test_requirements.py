"""docs/requirements.md names nothing that is not there, and leaves no typed function out."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.project.references import defined, missing

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "requirements.md"
ROW = re.compile(r"^\| (?P<item>.+?) \| (?P<served>.+?) \| (?P<test>.+?) \|$")
REFERENCE = re.compile(r"`([\w./-]+\.(?:py|sql|md|jsonl)|Makefile)(?:::([\w.]+))?`")
# The areas that services call; the other modules serve the command line and the checks.
AREAS = [
    "epics",
    "features",
    "tasks",
    "dependencies",
    "claims",
    "history",
    "subtasks",
    "files",
    "planning",
    "graph",
    "workflows",
    "executions",
    "externals",
    "flow",
    "projects",
    "modifications",
    "templates",
    "specs",
    "implementation_tasks",
    "design",
    "sessions",
    "research",
    "conversations",
    "documents",
    "agent_errors",
]
# Told by the friendlier function beside them, or made for display.
UNNAMED = {
    "tasks.copy_tasks",
    "tasks.copy_details",
    "tasks.transaction_time",
    "tasks.known_ids",
    "tasks.count_ready",
    "tasks.count_by_status",
    "dependencies.copy_dependencies",
    "claims.list_for_task",
    "claims.list_live",
    "workflows.insert_workflow",
    "workflows.copy_steps",
    "workflows.copy_needs",
    "workflows.step_ids",
    "specs.create_with_task_list",
    "implementation_tasks.split_phases",
    "design.change_job_status",
    "design.find_outputs",
}


def rows() -> list[tuple[str, str, str]]:
    matches = (ROW.match(line) for line in PAGE.read_text().splitlines())
    found = [(match["item"], match["served"], match["test"]) for match in matches if match]
    return [row for row in found if row[0] not in ("item", "---")]


@pytest.mark.parametrize(("item", "served", "test"), rows())
def test_what_a_row_names_is_there(item: str, served: str, test: str) -> None:
    absent = [
        "::".join(filter(None, reference))
        for reference in REFERENCE.findall(served + test)
        if missing(*reference)
    ]

    assert absent == []


@pytest.mark.parametrize(("item", "served", "test"), rows())
def test_row_is_served_or_planned_or_refused_for_a_reason(
    item: str, served: str, test: str
) -> None:
    later = re.fullmatch(r"issue \d+", served)
    refused = re.match(r"not(:| for) \S.{20,}", served)
    references = [file for file, _ in REFERENCE.findall(test)]

    assert later or refused or REFERENCE.search(served) or served.startswith("otherwise: ")
    assert all(file.startswith("tests/") for file in references)
    if not later and not refused:
        assert references, "what is served has its test"


def test_every_code_span_that_looks_like_a_file_is_followed() -> None:
    spans = re.findall(r"`([^`]*(?:/|::)[^`]*)`", "\n".join("".join(row) for row in rows()))

    assert [span for span in spans if not REFERENCE.fullmatch(f"`{span}`")] == []


def test_every_typed_function_has_its_row() -> None:
    text = PAGE.read_text()
    functions = {
        f"{area}.{name}"
        for area in AREAS
        for name in defined(ROOT / "taskdb" / "queries" / f"{area}.py")
        if name.islower() and not name.startswith("_")
    }

    absent = {
        name
        for name in functions - UNNAMED
        if f"taskdb/queries/{name.replace('.', '.py::')}`" not in text
    }

    assert absent == set()
    assert functions >= UNNAMED


def test_every_document_has_its_chapter() -> None:
    chapters = re.findall(r"^## Document (\d)", PAGE.read_text(), re.MULTILINE)

    assert sorted(chapters) == ["1", "2", "3", "4", "5"]


def test_bars_of_document_2_are_set() -> None:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]

    assert tool["coverage"]["report"]["fail_under"] >= 80
    assert tool["pytest"]["ini_options"]["filterwarnings"] == ["error"]
    assert {"D1", "FIX", "PL"} <= set(tool["ruff"]["lint"]["select"])
    assert tool["mypy"]["strict"]


def test_what_is_not_there_is_missed() -> None:
    assert missing("taskdb/nothing.py", "")
    assert missing("taskdb/queries/tasks.py", "nothing")
    assert missing("taskdb/database/pool.py", "Database.nothing")
    assert missing("sql/tables/tasks.sql", "tasks_by_stat")
    assert missing("Makefile", "nothing")
    assert not missing("taskdb/database/pool.py", "Database.health")
    assert len(rows()) > 100
