"""`taskdb work`: processes that are stopped, and killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from taskdb.admin import doctor
from taskdb.database import Connection, connect
from taskdb.models import ClaimOutcome, TaskStatus
from taskdb.queries import claims, tasks

PAGE = Path(__file__).parents[2] / "docs" / "workers.md"
PATIENCE = 60.0
HANDLERS = """
import asyncio, pathlib, time

def quick(job):
    return "done"

async def slow(job):
    pathlib.Path(job.claim.key).touch()
    await asyncio.sleep(60)

def wedged(job):
    pathlib.Path(job.claim.key).touch()
    time.sleep(60)
"""


@pytest.fixture
def conn(database_url: str) -> Generator[Connection]:
    with connect(database_url, autocommit=True) as conn:
        yield conn


@contextmanager
def working(folder: Path, url: str, *options: str) -> Generator[subprocess.Popen[str]]:
    (folder / "handlers.py").write_text(HANDLERS)
    command = [sys.executable, "-m", "taskdb", "--url", url, "work", *options]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


def test_worker_works_until_nothing_is_left(
    tmp_path: Path, database_url: str, conn: Connection
) -> None:
    for number in range(3):
        tasks.create(conn, key=f"T-{number}", title="one")

    with working(tmp_path, database_url, "--handler", "handlers:quick", "--once") as process:
        _, told = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0
    assert told.splitlines() == [f"T-{number}  completed" for number in range(3)]


@pytest.mark.slow
def test_sigterm_gives_the_job_back_without_costing_an_attempt(
    tmp_path: Path, database_url: str, conn: Connection
) -> None:
    tasks.create(conn, key="A", title="one")
    options = ["--handler", "handlers:slow", "--drain", "0.1"]

    with working(tmp_path, database_url, *options) as process:
        wait_until((tmp_path / "A").exists)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=PATIENCE)

    assert (process.returncode, told) == (0, "A  released\n")
    task = tasks.get_by_key(conn, "A")
    assert (task.status, task.failed_attempts) == (TaskStatus.PENDING, 0)


def test_killed_worker_leaves_its_task_to_another(
    tmp_path: Path, database_url: str, conn: Connection
) -> None:
    tasks.create(conn, key="A", title="one")
    with working(tmp_path, database_url, "--handler", "handlers:slow", "--lease", "1") as process:
        wait_until((tmp_path / "A").exists)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)
    conn.execute("update tasks set lease_expires_at = now() - interval '1 second'")

    with working(tmp_path, database_url, "--handler", "handlers:quick", "--once") as process:
        process.communicate(timeout=PATIENCE)

    outcomes = [attempt.outcome for attempt in claims.list_for_task(conn, "A")]
    assert outcomes == [ClaimOutcome.LAPSED, ClaimOutcome.COMPLETED]
    assert doctor.run(conn) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("handler", "refusal"),
    [
        ("handlers", "write it as module:function"),
        ("nowhere:f", "no module 'nowhere'"),
        ("handlers:nothing", "has no 'nothing'"),
        ("handlers:time", "not a function"),
    ],
)
def test_handler_that_is_none_is_refused(
    tmp_path: Path, database_url: str, handler: str, refusal: str
) -> None:
    with working(tmp_path, database_url, "--handler", handler) as process:
        _, told = process.communicate(timeout=PATIENCE)

    assert process.returncode == 2
    assert refusal in told


@pytest.mark.slow
def test_examples_of_the_page_run(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.pyright]\ntypeCheckingMode = "strict"\n')
    blocks = re.findall(r"```python\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 2
    for number, block in enumerate(blocks):
        (tmp_path / f"example_{number}.py").write_text(block)
        subprocess.run([sys.executable, "-c", f"import example_{number}"], cwd=tmp_path, check=True)
    for checker in ("mypy --strict .", f"pyright --pythonpath {sys.executable} ."):
        command = [sys.executable, "-m", *checker.split()]
        done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
