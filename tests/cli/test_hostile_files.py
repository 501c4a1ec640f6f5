"""Hostile titles in what is written for other programs: tables, boards, pages, tools, terminals."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from mcp.types import CallToolResult, TextContent

from taskdb.database import connect
from taskdb.exchange import import_plan
from taskdb.exchange.csvwriter import export_csv
from taskdb.exchange.formulas import guarded, unguarded
from taskdb.queries import tasks
from taskdb.verbs.tools import server
from tests.command_line import Caller
from tests.hostile import FORGED, TAIL, TITLE, Planned, faults, planned
from tests.warm import run_on_terminal

__all__ = ["planned"]

FORMULAS = [
    "=cmd|' /C calc'!A0",
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\uff1dcmd|' /C calc'!A0",
    "'=1",
    "''=1",
    "'quoted' and =1",
]


@pytest.mark.parametrize("cell", [*FORMULAS, "\t=1", "\r=1", "", "'", "plain", "a=1"])
def test_a_guarded_cell_is_no_formula_and_comes_back(cell: str) -> None:
    assert not guarded(cell).startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d"))
    assert unguarded(guarded(cell)) == cell


@pytest.mark.slow
def test_formulas_are_text_in_a_table_and_come_back_as_they_were(
    database_url: str, empty_workspace: str, tmp_path: Path
) -> None:
    with connect(database_url) as conn:
        for number, text in enumerate(FORMULAS):
            tasks.create(conn, key=f"F-{number}", title=text, description=text, labels=[text])
    file = tmp_path / "plan.csv"
    with connect(database_url, autocommit=True) as conn, file.open("wb") as out:
        export_csv(conn, out)
    cells = [cell for row in csv.reader(io.StringIO(file.read_text())) for cell in row]
    with connect(empty_workspace) as conn:
        import_plan(conn, "csv", file)
        found = {task.title: tasks.get(conn, task.id) for task in tasks.list_tasks(conn)}

    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))] == []
    assert set(found) == set(FORMULAS)
    assert all(task.description == title for title, task in found.items())


@pytest.fixture
def empty_workspace(databases: Any, template: str) -> Any:
    url = databases.clone(template)
    yield url
    databases.drop(url)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["beads", "taskmaster", "csv", "markdown", "taskdb"])
def test_a_terminal_is_not_steered_by_an_exported_file(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    planned: Planned,
    kind: str,
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    printed = Caller(capsys, planned.url)("export", "--format", kind)

    assert printed.status == 0, printed.err
    assert "FORGED" in printed.out
    # A cell of a table may have several lines, which its quotes hold together.
    found = faults(printed.out)
    assert [each for each in found if kind != "csv" or not each.startswith("FORGED")] == []


@pytest.mark.slow
def test_a_board_holds_titles_as_text(
    capsys: pytest.CaptureFixture[str], planned: Planned, tmp_path: Path
) -> None:
    Caller(capsys, planned.url)("export", "--format", "markdown", "-o", tmp_path / "board.md")
    board = (tmp_path / "board.md").read_text()

    assert faults(board) == []
    assert all(line.startswith(("## ", "- `")) for line in board.split("\n") if line)
    inline = [part for block in MarkdownIt().parse(board) for part in block.children or ()]
    assert {part.type for part in inline} <= {"text", "code_inline", "text_special"}


@pytest.mark.parametrize("kind", ["beads", "taskmaster"])
def test_exported_files_hold_titles_as_text(
    capsys: pytest.CaptureFixture[str], planned: Planned, tmp_path: Path, kind: str
) -> None:
    Caller(capsys, planned.url)("export", "--format", kind, "-o", tmp_path / "out")
    text = (tmp_path / "out").read_text()

    documents = (
        [json.loads(line) for line in text.split("\n") if line] if kind == "beads" else [text]
    )
    assert any(json.dumps(TITLE)[1:-1] in json.dumps(each) for each in documents) or kind != "beads"
    assert FORGED not in [line.strip() for line in text.split("\n")]


class Elements(HTMLParser):
    """Counts the elements of a page, and those of their attributes that run something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.counted: Counter[str] = Counter()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counted[tag] += 1
        self.counted.update(f"{tag} {name}" for name, _ in attrs if name.startswith("on"))


@pytest.mark.slow
def test_a_page_has_the_elements_of_an_empty_plans_page(
    capsys: pytest.CaptureFixture[str],
    planned: Planned,
    database_url: str,
    tmp_path: Path,
) -> None:
    Caller(capsys, planned.url)("report", "--output", tmp_path / "hostile.html")
    Caller(capsys, database_url)("report", "--output", tmp_path / "empty.html")
    hostile, empty = (
        Elements((tmp_path / f"{name}.html").read_text()).counted for name in ("hostile", "empty")
    )

    assert hostile == empty


async def test_tools_answer_with_lines_of_their_own(planned: Planned) -> None:
    tools = server(lambda: connect(planned.url))
    answer = await tools.call_tool("brief", {"key": f"before{TAIL}"})
    assert isinstance(answer, CallToolResult)
    [content] = answer.content
    assert isinstance(content, TextContent)
    text = json.loads(content.text)["text"]

    assert "FORGED" in text
    assert faults("\n".join(text.splitlines())) == []


@pytest.mark.parametrize("call", [("task", f"T{TAIL}"), ("tasks", "--all"), ("brief", f"T{TAIL}")])
def test_a_terminal_is_not_steered(planned: Planned, call: tuple[str, ...]) -> None:
    screen = run_on_terminal("--url", planned.url, *call, folder=planned.folder)

    assert screen.status == 0
    assert "<img" in screen.sent
    assert faults(screen.text) == []
    assert "\x1b[2J" not in screen.sent
    assert "\x1b]0;" not in screen.sent
