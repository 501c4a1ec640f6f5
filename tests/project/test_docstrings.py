"""Docstrings open with an imperative or a noun phrase."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("bench", "examples", "taskdb", "tests", "tools")
CLAUSE = re.compile(
    r"\s*(How|If|That|What|When|Where|Whether|Which|Who|Whom|Whose|Why|Whatever|Whoever)\b"
)


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each docstring, those of attributes included."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant(value=str() as text)):
                yield node.lineno, text


def clauses(source: str) -> list[tuple[int, str]]:
    """Return the docstrings that open with a clause, each by its line and first line."""
    found = docstrings(source)
    return [(line, text.strip().splitlines()[0]) for line, text in found if CLAUSE.match(text)]


@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings_open_with_no_clause(folder: str) -> None:
    paths = sorted((ROOT / folder).rglob("*.py"))

    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in paths
        for line, text in clauses(path.read_text())
    ]
    assert paths
    assert not wrong, "say what it is or does, not what/how/whether:\n" + "\n".join(wrong)


def test_a_clause_is_found_in_any_docstring() -> None:
    source = '''"""What a module does."""
class Whole:
    """Whole of it."""
    kept: bool
    """Whether it is kept."""
    def method(self):
        """
        How it works.
        """
        text = """What a text says."""
'''

    assert clauses(source) == [
        (1, "What a module does."),
        (5, "Whether it is kept."),
        (7, "How it works."),
    ]
