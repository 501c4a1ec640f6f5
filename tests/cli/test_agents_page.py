"""Statements of docs/agents.md, checked."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from taskdb import cli
from taskdb.database import connect
from taskdb.queries import claims, dependencies, tasks
from tests.command_line import environment

PAGE = (Path(__file__).parents[2] / "docs" / "agents.md").read_text()
LOOP, COMPLETION = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def shell(script: str, folder: Path, url: str) -> subprocess.CompletedProcess[str]:
    more = {"DATABASE_URL": url, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment(more),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_loop_has_ten_lines_and_works_off_the_plan(database_url: str, tmp_path: Path) -> None:
    with connect(database_url) as conn:
        tasks.create(conn, key="T-1", title="Write the parser", description="All of it.")
        tasks.create(conn, key="T 2", title="Write the printer")
        dependencies.add_dependency(conn, task="T 2", depends_on="T-1")

    ran = shell(LOOP, tmp_path, database_url)

    assert len(LOOP.splitlines()) <= 10
    assert ran.returncode == 0
    assert "# T-1 Write the parser" in ran.stdout
    assert ran.stdout.endswith("T 2 is completed.\n")
    assert "Nothing can be claimed now" in ran.stderr
    with connect(database_url) as conn:
        attempts = [*claims.list_for_task(conn, "T-1"), *claims.list_for_task(conn, "T 2")]
    assert [(a.agent, a.outcome, a.progress_pct, a.note) for a in attempts] == [
        ("dev-1", "completed", 50, "merged as 3f2c1ab")
    ] * 2


@pytest.mark.slow
def test_completion_of_bash_is_what_the_page_says(database_url: str, tmp_path: Path) -> None:
    line = COMPLETION.splitlines()[0]

    ran = shell(f"{line}\ncomplete -p taskdb", tmp_path, database_url)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "_taskdb_completion" in ran.stdout


@pytest.mark.parametrize("verb", cli.VERBS)
def test_the_page_has_every_verb(verb: str) -> None:
    assert re.search(rf"^\|.*`{verb} ", PAGE, re.MULTILINE)
