"""Docstrings and comments open with an imperative or a noun phrase."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("bench", "examples", "taskdb", "tests", "tools")
CLAUSE = re.compile(
    r"\s*(How|If|That|What|When|Where|Whether|Which|Who|Whom|Whose|Why|Whatever|Whoever)\b"
)
# A comment may begin with a condition, since a sentence follows; but not with a fragment.
FRAGMENT = re.compile(
    r"\s*\(?(How|That|What|Whether|Which|Who|Whom|Whose|Why|Whatever|Whoever"
    r"|Those|Of|Only what|And|But|Or|Nor)\b"
)
OPENS = re.compile(rf"(?:{FRAGMENT.pattern})|(?:{CLAUSE.pattern})")
COMMENT_ON = re.compile(r"^comment on [^;']+? is\s+'((?:[^']|'')*)'", re.MULTILINE)
PARENTHESIS = re.compile(r"\([A-Z][^()]*[.]\)")


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each docstring, those of attributes included."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node.lineno, node.value.value


def clauses(source: str) -> list[tuple[int, str]]:
    """Return the docstrings that open with a clause, each by its line and first line."""
    found = docstrings(source)
    return [(line, text.strip().splitlines()[0]) for line, text in found if CLAUSE.match(text)]


def python_comments(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each comment, a block of lines as one."""
    block, first, last = "", 0, 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        line, column = token.start
        alone = not token.line[:column].strip()
        text = token.string.lstrip("#:").strip()
        if alone and text and line == last + 1:
            block, last = f"{block} {text}", line
            continue
        if block:
            yield first, block
        block, first, last = text, line, line if alone and text else 0
    if block:
        yield first, block


def sql_comments(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each paragraph of comments in SQL."""
    block, first = "", 0
    for line, code in enumerate([*source.splitlines(), ""], 1):
        comment = re.match(r"\s*--\s+(?!name:|plan:|if\b|end if\b)(.+)", code)
        if comment is None:
            if block:
                yield first, block
            block = ""
        elif block:
            block = f"{block} {comment[1]}"
        else:
            block, first = comment[1], line


def fragments(comments: Iterator[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return the comments that open with a clause, or have a sentence in parentheses."""
    return [
        (line, text) for line, text in comments if FRAGMENT.match(text) or PARENTHESIS.search(text)
    ]


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


@pytest.mark.parametrize("folder", FOLDERS)
def test_python_comments_open_with_no_clause(folder: str) -> None:
    paths = sorted((ROOT / folder).rglob("*.py"))

    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in paths
        for line, text in fragments(python_comments(path.read_text()))
    ]
    assert paths
    assert not wrong, "a comment is a sentence or a noun phrase:\n" + "\n".join(wrong)


def test_sql_comments_open_with_no_clause() -> None:
    paths = sorted((ROOT / "sql").rglob("*.sql"))

    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in paths
        for line, text in fragments(sql_comments(path.read_text()))
    ]
    assert paths
    assert not wrong, "a comment is a sentence or a noun phrase:\n" + "\n".join(wrong)


def test_comments_of_objects_open_with_no_clause() -> None:
    paths = sorted((ROOT / "sql").rglob("*.sql"))

    texts = [(path, text) for path in paths for text in COMMENT_ON.findall(path.read_text())]
    wrong = [f"{path.relative_to(ROOT)}: {text}" for path, text in texts if OPENS.match(text)]
    assert len(texts) > 400
    assert not wrong, "say what the object is, not what/how/whether/when:\n" + "\n".join(wrong)


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


def test_a_fragment_is_found_in_any_paragraph_of_comments() -> None:
    source = """\
-- name: find
-- What is found,
-- and how.
--
-- A paragraph. (An afterthought.)
-- plan: tasks_pkey
select id  -- which one
from tasks
-- Of each task, one row; when there is one.
where true;
"""

    assert fragments(sql_comments(source)) == [
        (2, "What is found, and how."),
        (5, "A paragraph. (An afterthought.)"),
        (9, "Of each task, one row; when there is one."),
    ]


def test_a_fragment_is_found_in_any_block_of_python_comments() -> None:
    source = """\
# A heading
#
# What follows it,
# in two lines.
LIMIT = 3  # Of one file.
SECTION = 4  # A section.
# (An afterthought.)
"""

    assert fragments(python_comments(source)) == [
        (3, "What follows it, in two lines."),
        (5, "Of one file."),
        (7, "(An afterthought.)"),
    ]
