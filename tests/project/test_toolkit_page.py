"""docs/toolkit.md does what it says: its example is extracted and run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "toolkit.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"(?:--|#) ([\w/]+\.(?:sql|py))\n")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files that the page names in the first line of a block, as a project."""
    for _, block in BLOCK.findall(PAGE.read_text()):
        if named := FILE.match(block):
            path = tmp_path / named.group(1)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block)
    return tmp_path


@pytest.mark.slow
def test_the_example_prints_what_the_page_says(project: Path, empty_database_url: str) -> None:
    blocks = BLOCK.findall(PAGE.read_text())
    printed = next(block for language, block in blocks if language == "text")

    done = subprocess.run(
        [sys.executable, "-W", "error", "main.py"],
        cwd=project,
        env={**os.environ, "SHOP_URL": empty_database_url},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == (printed, "")


@pytest.mark.slow
def test_the_example_can_be_checked_and_verified_as_the_page_says(
    project: Path, empty_database_url: str
) -> None:
    environment = {**os.environ, "SHOP_URL": empty_database_url, "DATABASE_URL": empty_database_url}

    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    assert run("main.py")[0] == 0
    page = PAGE.read_text()
    for line in re.findall(r"^taskdb (.+?)(?:  +#.*)?$", page, re.MULTILINE):
        status, said = run("-m", "taskdb", *line.split())
        assert status == 0, said

    assert (
        "query add, one row at most" in (project / "shop/sql/expectations/orders.txt").read_text()
    )
    assert run("start.py") == (0, "all queries fit\n")
    assert "contract: 1 finding\n" in run("-m", "taskdb", "check", "--package", "crew.board")[1]
    assert run("service.py") == (0, "writer-1 T-1\n")
    with psycopg.connect(empty_database_url) as conn:
        conn.execute("alter table orders rename column total to sum")
    status, said = run("start.py")
    assert status == 1
    assert re.search(
        r"sql/orders\.sql:4:\d+: orders\.add \(shop/orders\.py:\d+\): .*total", said
    ), said
    assert run("-m", "taskdb", "check", "--package", "shop.orders")[0] == 1


def test_the_example_has_about_twenty_lines(project: Path) -> None:
    lines = (project / "shop" / "orders.py").read_text().splitlines()

    assert len([line for line in lines if line.strip()]) <= 20
