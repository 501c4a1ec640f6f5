"""Allowed imports between the parts: the toolkit at the bottom, the command line at the top."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "taskdb"

# Each floor imports from those before it. What stands on one floor does not know the others there.
FLOORS = [
    {"places", "text"},
    {"query"},
    {"constraints"},
    {"errors"},
    {"models"},
    {"queries"},
    {"database", "embedded"},
    {"events", "workspaces", "migrations", "exchange", "verbs"},
    {"worker", "testing"},
    {"admin", "report", "health", "otel"},
    {"retention", "demo"},
    {"cli"},
    {"__init__", "__main__"},
]
FLOOR = {part: number for number, parts in enumerate(FLOORS) for part in parts}


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """Yield the parts of taskdb that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.ImportFrom(module="taskdb"):
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=str(name)) if name.startswith("taskdb."):
                yield name.split(".")[1]
            case ast.Import():
                names = [alias.name.split(".") for alias in node.names]
                yield from (name[1] for name in names if name[0] == "taskdb" and len(name) > 1)


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def test_every_import_points_down() -> None:
    upward = [
        f"{path.relative_to(PACKAGE)} imports {other}"
        for path in modules()
        if part_of(path) != "__init__"
        for other in imported(path)
        if other != part_of(path) and FLOOR[other] >= FLOOR[part_of(path)]
    ]

    assert upward == []


def test_few_modules_stand_at_the_top() -> None:
    assert {part_of(path) for path in modules()} == FLOOR.keys()
    assert len(list(PACKAGE.glob("*.py"))) <= 8


def test_no_two_public_classes_share_a_name() -> None:
    names = Counter(
        node.name
        for path in modules()
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )

    assert [name for name, count in names.items() if count > 1] == []


def loaded_by(code: str) -> list[str]:
    """The modules of taskdb that a new interpreter has after *code*."""
    code += "\nimport sys; print(*sorted(m for m in sys.modules if m.split('.')[0] == 'taskdb'))"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd="/"
    )
    return done.stdout.split()


@pytest.mark.slow
@pytest.mark.parametrize("code", ["import taskdb.query", "from taskdb.query import verify"])
def test_the_toolkit_loads_nothing_of_the_task_database(code: str) -> None:
    loaded = loaded_by(code)

    allowed = {"taskdb", "taskdb.places", "taskdb.query"}
    assert [name for name in loaded if name not in allowed and ".query." not in name] == []
    assert len(loaded) <= 29


@pytest.mark.slow
def test_an_area_loads_no_other() -> None:
    loaded = loaded_by("from taskdb.queries import claims")

    assert "taskdb.queries.workflows" not in loaded
    assert "taskdb.queries.admin" not in loaded


def test_a_command_on_tasks_loads_no_importer() -> None:
    loaded = loaded_by("from taskdb.cli import tasks, verbs")

    assert [name for name in loaded if name.startswith("taskdb.exchange")] == []
