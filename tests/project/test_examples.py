"""The scripts in examples/ do what they say, in the order of their README, on one database."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from taskdb.testing.databases import Databases

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(script: str, url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / script)],
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )


def printed(script: str, url: str) -> str:
    done = run(script, url)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module")
def url(databases: Databases, template: str) -> Generator[str]:
    """A database in which create_plan.py ran, and then update_status.py."""
    url = databases.clone(template)
    assert printed("create_plan.py", url) == "E90: 4 tasks, 3 dependencies\n"
    assert printed("list_tasks.py", url) == (
        "pending: accounts form\npending, for frontend: form\nall, three at a time: 4\n"
    )
    assert printed("update_status.py", url).splitlines() == [
        "refused: task accounts cannot go from completed to in_progress",
        "title: Table of accounts",
        "1. pending: no note",
        "2. in_progress: no note",
        "3. completed: with an index on the name",
        "hashes: pending",
    ]
    yield url
    databases.drop(url)


@pytest.mark.slow
def test_plan_is_made_once(url: str) -> None:
    again = run("create_plan.py", url)

    assert again.returncode == 1
    assert "IntegrityError: key 'E90' must be unique" in again.stderr


@pytest.mark.slow
def test_lists_follow_the_statuses(url: str) -> None:
    assert printed("list_tasks.py", url).splitlines()[0] == "pending: form hashes"


@pytest.mark.slow
def test_progress_is_calculated_of_features_and_epic(url: str) -> None:
    assert printed("progress.py", url).splitlines() == [
        "E90-F01: 1 of 2, 50.00 %",
        "E90-F02: 0 of 2, 0.00 %",
        "E90: 25.00 %, by tasks 25.00 %",
        "E90-F01 now keeps 50.00 % in progress_pct",
    ]


@pytest.mark.slow
def test_export_has_the_whole_epic(url: str) -> None:
    epic = json.loads(printed("export_json.py", url))

    assert epic["key"] == "E90"
    first, second = epic["features"]
    assert [task["key"] for task in first["tasks"]] == ["accounts", "hashes"]
    assert [task["status"] for task in first["tasks"]] == ["completed", "pending"]
    assert [task["depends_on"] for task in second["tasks"]] == [[], ["form", "hashes"]]
    assert second["tasks"][0]["agent_type"] == "frontend"


def test_readme_lists_every_script() -> None:
    listed = re.findall(r"^\| `(\w+\.py)` \|", (EXAMPLES / "README.md").read_text(), re.MULTILINE)

    assert sorted(listed) == sorted(path.name for path in EXAMPLES.glob("*.py"))
