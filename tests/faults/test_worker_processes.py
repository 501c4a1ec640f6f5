"""Worker processes that are stopped, killed and ended in the middle of a job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from taskdb.database import Connection, connect
from taskdb.models import ClaimOutcome
from taskdb.queries import claims, tasks
from tests.waiting import PATIENCE, wait_until
from tests.workers.outcome import settled

pytestmark = pytest.mark.slow

# Each line of the log is a job that was begun: its process and its key.
HANDLERS = """
import asyncio, os, pathlib

def note(job):
    with open("begun", "a") as log:
        log.write(f"{os.getpid()} {job.claim.key}\\n")

async def brief(job):
    note(job)
    await asyncio.sleep(0.02)
    return "done"

async def held(job):
    note(job)
    while not pathlib.Path("go").exists():
        await asyncio.sleep(0.01)
    return "done at last"
"""


@pytest.fixture
def watch(url: str) -> Generator[Connection]:
    with connect(url, autocommit=True) as conn:
        yield conn


@contextmanager
def working(
    folder: Path, url: str, handler: str, *options: str
) -> Generator[subprocess.Popen[str]]:
    (folder / "handlers.py").write_text(HANDLERS)
    command = [sys.executable, "-m", "taskdb", "--url", url, "work"]
    process = subprocess.Popen(
        [*command, "--handler", f"handlers:{handler}", *options],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def begun(folder: Path) -> list[list[str]]:
    log = folder / "begun"
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


def outcomes(watch: Connection, key: str) -> list[ClaimOutcome | None]:
    return [attempt.outcome for attempt in claims.list_for_task(watch, key)]


def test_worker_that_stood_still_beyond_its_lease_changes_nothing_afterwards(
    tmp_path: Path, url: str, watch: Connection
) -> None:
    tasks.create(watch, key="A", title="one")
    with working(tmp_path, url, "held", "--agent", "sleeper", "--once") as process:
        wait_until(lambda: begun(tmp_path))
        process.send_signal(signal.SIGSTOP)
        watch.execute("update tasks set lease_expires_at = now() - interval '1 second'")
        taken = claims.claim_next(watch, agent="other")
        assert taken is not None
        # Its handler ends at once when the process goes on, and its result is refused.
        (tmp_path / "go").touch()
        process.send_signal(signal.SIGCONT)
        _, told = process.communicate(timeout=PATIENCE)

    assert told == "A  lost\n"
    assert outcomes(watch, "A") == [ClaimOutcome.LAPSED, None]
    claims.complete(watch, task_id=taken.task_id, token=taken.token)
    assert settled(url)[ClaimOutcome.LAPSED] == 1
    notes = watch.execute(
        "select agent, note from task_history where new_status = 'completed'"
    ).fetchall()
    assert notes == [("other", None)]


def test_worker_that_stood_still_for_less_than_its_lease_goes_on(
    tmp_path: Path, url: str, watch: Connection
) -> None:
    tasks.create(watch, key="A", title="one")
    with working(tmp_path, url, "held", "--agent", "sleeper", "--once") as process:
        wait_until(lambda: begun(tmp_path))
        process.send_signal(signal.SIGSTOP)
        assert claims.claim_next(watch, agent="other") is None
        (tmp_path / "go").touch()
        process.send_signal(signal.SIGCONT)
        _, told = process.communicate(timeout=PATIENCE)

    assert told == "A  completed\n"
    assert settled(url) == {ClaimOutcome.COMPLETED: 1}


def test_fleet_whose_members_are_killed_and_ended_does_every_task(
    tmp_path: Path, url: str, watch: Connection
) -> None:
    """Four processes: one is killed, one told to end, one stopped for a while."""
    keys = [f"T-{number}" for number in range(200)]
    for key in keys:
        tasks.create(watch, key=key, title="one")

    with ExitStack() as stack:
        fleet = [
            stack.enter_context(working(tmp_path, url, "brief", "--concurrency", "2", "--once"))
            for _ in range(4)
        ]
        wait_until(lambda: len({pid for pid, _ in begun(tmp_path)}) == len(fleet))
        killed, ended, stopped, _ = fleet
        killed.kill()
        ended.terminate()
        os.kill(stopped.pid, signal.SIGSTOP)
        killed.wait(PATIENCE)
        ended.communicate(timeout=PATIENCE)
        assert ended.returncode == 0
        # All claims that are left lapse: those of the dead, of the one that stands still, and
        # those of the one that works on, which it holds no more.
        watch.execute(
            "update tasks set lease_expires_at = now() - interval '1 second'"
            " where status = 'in_progress'"
        )
        os.kill(stopped.pid, signal.SIGCONT)
        for process in fleet[2:]:
            process.communicate(timeout=PATIENCE)

    found = settled(url)
    assert found[ClaimOutcome.LAPSED] <= 6
    repeated = len(begun(tmp_path)) - len(keys)
    assert repeated <= found[ClaimOutcome.LAPSED] + found[ClaimOutcome.RELEASED]
