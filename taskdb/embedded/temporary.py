"""Servers for tests: fast, without durability, gone with the process that started them."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Final

from taskdb.embedded.account import Account
from taskdb.embedded.server import Server

__all__ = ["THROWAWAY_SETTINGS", "throwaway"]

MEMORY = Path("/dev/shm")
MEMORY_NEEDED: Final = 4 << 30

# Speed for data that nobody will miss. Deadlocks are found sooner, for tests that make them.
THROWAWAY_SETTINGS: Final = {
    # Cost estimates without statistics are high: to compile took longer than to run, by far.
    "jit": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "1GB",
    "max_connections": "200",
    "deadlock_timeout": "200ms",
}


class _Throwaway(Server):
    """A server without durability that dies with the process that started it."""

    _initdb_options = ("--no-sync",)
    _child: subprocess.Popen[str] | None = None

    def _spawn(self, account: Account, command: Sequence[str], log: int, lock: int) -> None:
        setpriv = shutil.which("setpriv")
        leash = [setpriv, "--pdeathsig", "QUIT", "--"] if setpriv else []
        self._child = account.popen([*leash, *command], output=log, keep=[lock])

    def stop(self) -> bool:
        stopped = super().stop()
        if self._child is not None:
            self._child.wait()
            self._child = None
        return stopped


@contextlib.contextmanager
def throwaway(
    *, binaries: Path | None = None, settings: Mapping[str, str] | None = None
) -> Generator[Server]:
    """Run a server for tests, fast and forgetful; it and its files are gone at the end.

    It lives in memory where there is room, and dies with the thread that started it, also when
    that is killed. `url` names the database `postgres`.
    """
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_NEEDED
    base = MEMORY if in_memory else Path(tempfile.gettempdir())
    _sweep(base)
    directory = Path(tempfile.mkdtemp(prefix="taskdb-throwaway-", dir=base))
    options = {**THROWAWAY_SETTINGS, **(settings or {})}
    server = _Throwaway(directory, binaries=binaries, database="postgres", settings=options)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory)


def _sweep(base: Path) -> None:
    """Remove what throwaway servers left whose process was killed an hour ago or earlier.

    Links, and folders of other users, are nobody's remains: they stay.
    """
    for directory in base.glob("taskdb-throwaway-*"):
        with contextlib.suppress(FileNotFoundError):  # Another process was faster.
            found = directory.lstat()
            ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
            old = found.st_mtime < time.time() - 3600
            if ours and old and not Server(directory).status().running:
                shutil.rmtree(directory)
