"""A throwaway server leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from taskdb.embedded import Server, throwaway
from taskdb.embedded.temporary import _sweep
from tests.embedded.servers import ROOT
from tests.waiting import wait_until


@pytest.mark.slow
def test_throwaway_server_is_gone_with_its_files() -> None:
    with throwaway() as server:
        with psycopg.connect(server.url) as conn:
            assert conn.execute("show fsync").fetchone() == ("off",)
        assert server.directory.exists()

    assert not server.directory.exists()
    assert not server.status().running


@pytest.mark.slow
def test_throwaway_server_dies_with_the_process_that_started_it() -> None:
    command = (
        "from taskdb.embedded import throwaway; import time\n"
        "with throwaway() as server: print(server.directory, flush=True); time.sleep(60)"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", command], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with owner:
        assert owner.stdout is not None
        server = Server(owner.stdout.readline().strip())
        assert server.status().running
        owner.kill()

    wait_until(lambda: not server.status().running)
    shutil.rmtree(server.directory)


def test_remains_of_killed_throwaway_servers_are_swept_later(folder: Path) -> None:
    old, fresh, living = (folder / f"taskdb-throwaway-{name}" for name in ("old", "new", "living"))
    for directory in (old, fresh, living):
        directory.mkdir()
    Server(living)._prepare()
    lock = Server(living)._take_lock()
    assert lock is not None
    Server(old)._prepare()
    for directory in (old, living):
        os.utime(directory, (0, 0))

    _sweep(folder)

    os.close(lock)
    assert (old.exists(), fresh.exists(), living.exists()) == (False, True, True)
