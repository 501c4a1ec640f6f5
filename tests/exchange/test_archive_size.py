"""100,000 tasks go out and come back in little memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from taskdb.admin import seed
from taskdb.database import connect
from taskdb.testing.databases import Databases
from tests.command_line import command, environment

pytestmark = pytest.mark.large
MIB = 1024
PEAK = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)
"""


@pytest.fixture
def other_url(databases: Databases, template: str) -> Generator[str]:
    url = databases.clone(template)
    yield url
    databases.drop(url)


def peak(*arguments: str | Path, folder: Path) -> float:
    """Run the command line in a process of its own, and return its peak of memory in MiB."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *command(*arguments)],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout.splitlines()[-1]) / MIB


def test_100_000_tasks_take_at_most_200_mib_each_way(
    database_url: str, other_url: str, tmp_path: Path
) -> None:
    with connect(database_url) as conn:
        for _ in seed.steps(conn, tasks=100_000):
            pass

    out = peak("--url", database_url, "export", "-o", "plan.taskdb", folder=tmp_path)
    back = peak("--url", other_url, "import", "taskdb", "plan.taskdb", folder=tmp_path)

    size = (tmp_path / "plan.taskdb").stat().st_size / MIB / MIB
    print(f"file {size:.0f} MiB; export {out:.0f} MiB, import {back:.0f} MiB at the peak")
    assert out <= 200
    assert back <= 200
