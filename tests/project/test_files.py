"""Files: short enough to read at one sitting, and marked if a command writes them."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
FOLDERS = ("bench", "examples", "taskdb", "tests", "tools")
MOST_LINES = 500
MEDIAN_LINES = 100
GENERATED = re.compile(r"^(\S+) linguist-generated$", re.MULTILINE)


def test_no_python_file_has_more_than_500_lines() -> None:
    lengths = {
        path.relative_to(ROOT): len(path.read_text().splitlines())
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
    }

    assert len(lengths) > 500
    assert {path: lines for path, lines in lengths.items() if lines > MOST_LINES} == {}


def test_half_of_the_modules_have_fewer_than_100_lines() -> None:
    lengths = [len(path.read_text().splitlines()) for path in (ROOT / "taskdb").rglob("*.py")]

    assert median(lengths) < MEDIAN_LINES


def test_every_file_that_a_command_writes_is_marked_as_generated() -> None:
    synchronous = [
        path.with_name(path.name.replace("_async", "")).relative_to(ROOT)
        for path in (ROOT / "taskdb").rglob("*_async.py")
    ]
    pages = [
        path.relative_to(ROOT)
        for path in (ROOT / "docs").glob("*.md")
        if "\nMade by `make docs`" in path.read_text()
    ]

    marked = {Path(name) for name in GENERATED.findall((ROOT / ".gitattributes").read_text())}

    assert len(synchronous) > 4
    assert len(pages) == 3
    assert marked >= {*synchronous, *pages}


def test_queries_of_claims_stay_one_short_file() -> None:
    assert len((ROOT / "sql/queries/claims.sql").read_text().splitlines()) <= 450
