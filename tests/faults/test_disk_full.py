"""A full disk, during migration and under load: all or nothing, and it goes on when there is room.

The disk is a tmpfs of the test's own, so these tests take root.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import secrets
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from psycopg import OperationalError, sql

from taskdb import Database, migrations
from taskdb.admin import doctor
from taskdb.database import connect
from taskdb.embedded import Server
from taskdb.errors import DatabaseNotFoundError, MigrationError
from taskdb.models import ClaimOutcome, NewTask
from taskdb.queries import claims, tasks
from taskdb.testing.databases import make_url
from taskdb.worker import Job, Worker
from tests.faults.conftest import execute
from tests.waiting import wait_until
from tests.workers.outcome import settled

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="to mount a disk takes root"),
    pytest.mark.slow,
]

MEGABYTE = 2**20
BACKLOG = 400
# An error of the server, or its end where it has no room for its log.
FULL = (OperationalError, MigrationError, DatabaseNotFoundError)


class SmallServer(Server):
    """A server whose log of changes comes in small pieces, so that it needs room soon."""

    _initdb_options = ("--wal-segsize=1",)


class Disk:
    """A small disk with a server on it; `fill` leaves no room, `clear` makes it again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ballast = folder / "ballast"
        self.server = SmallServer(
            folder / "server",
            database="postgres",
            settings={"max_wal_size": "4MB", "min_wal_size": "2MB", "autovacuum": "off"},
        )

    def fill(self, *, leave: int = 0) -> None:
        """Take all room but *leave* bytes; a server that takes some meanwhile changes nothing."""
        with self.ballast.open("wb", buffering=0) as file:
            while (room := self.room() - leave) > 0:
                try:
                    file.write(bytes(min(room, MEGABYTE)))
                except OSError as full:
                    if full.errno == errno.ENOSPC:
                        return
                    raise

    def room(self) -> int:
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def clear(self) -> None:
        """Make room again; a server that ended for want of it is started."""
        self.ballast.unlink()
        self.server.start()

    def database(self, name: str) -> str:
        execute(self.server.url, sql.SQL("create database {}").format(sql.Identifier(name)))
        execute(self.server.url, sql.SQL("checkpoint"))
        return make_url(self.server.url, dbname=name)


@pytest.fixture
def disk(tmp_path: Path) -> Generator[Disk]:
    options = ["-t", "tmpfs", "-o", "size=96m,mode=0755", "tmpfs", str(tmp_path)]
    subprocess.run(["mount", *options], check=True)
    made = Disk(tmp_path)
    try:
        made.server.start()
        yield made
        made.server.stop()
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)


def is_migrated(url: str) -> bool:
    """Migrate, unless the server is about to end, or to come back, for want of room before."""
    try:
        migrations.up(url)
    except FULL as away:
        print(f"not yet: {away}")
        return False
    return True


@pytest.mark.parametrize("leave", [0, MEGABYTE // 2, 2 * MEGABYTE, 4 * MEGABYTE])
def test_migration_on_a_full_disk_is_done_whole_when_there_is_room(disk: Disk, leave: int) -> None:
    url = disk.database("plans")
    disk.fill(leave=leave)

    with pytest.raises(FULL) as refused:
        migrations.up(url)

    disk.clear()
    print(f"{leave} bytes left: {refused.value}")
    # Each migration is there as a whole or not at all, and the next run does what is missing.
    wait_until(lambda: is_migrated(url))
    assert migrations.up(url) == []
    with connect(url) as conn:
        assert doctor.run(conn) == []
        tasks.create(conn, key="A", title="one")
        assert claims.claim_next(conn, agent="a") is not None


class Load:
    """Writers and workers on a server; it notes what was acknowledged, and what was refused."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.over = threading.Event()
        self.written = threading.Event()
        self.acknowledged: list[str] = []
        self.refused: list[Exception] = []
        self.done: Counter[str] = Counter()

    def write(self) -> None:
        # So long that the disk is full soon.
        text = secrets.token_hex(50_000)
        with Database(self.url, pool_min=1, pool_max=1) as database:
            for number in itertools.count():
                key = f"T-{number}"
                try:
                    database.retrying(
                        lambda conn, key=key: tasks.create(  # type: ignore[misc]
                            conn, key=key, title="one", description=text
                        )
                    )
                except (OperationalError, DatabaseNotFoundError) as refused:
                    self.refused.append(refused)
                    time.sleep(0.05)
                else:
                    self.acknowledged.append(key)
                if self.over.is_set():
                    return

    def work(self) -> None:
        asyncio.run(self._work())

    async def _work(self) -> None:
        async def handle(job: Job) -> None:
            self.done[job.claim.key] += 1

        def end(worker: Worker) -> None:
            if self.written.is_set():
                worker.stop()

        await Worker(Database(self.url), handle, agent="w", concurrency=3, on_idle=end).run()


def test_full_disk_under_load_loses_nothing_and_work_goes_on(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("taskdb.worker.line._LONGEST_PAUSE", 0.2)
    url = disk.database("plans")
    migrations.up(url)
    # So much that the history of its completions needs room.
    with connect(url) as conn:
        tasks.create_many(conn, [NewTask(key=f"B-{n}", title="one") for n in range(BACKLOG)])
    load = Load(url)
    with ThreadPoolExecutor(2) as threads:
        writing, working = threads.submit(load.write), threads.submit(load.work)
        try:
            wait_until(lambda: len(load.done) >= 20)
            disk.fill()
            wait_until(lambda: load.refused and "the server is away" in caplog.text)
            disk.clear()
            wait_until(lambda: len(load.done) > BACKLOG)
        finally:
            load.over.set()
            wait([writing])
            load.written.set()
        for each in (writing, working):
            each.result()

    assert any(isinstance(refused, FULL) for refused in load.refused)
    with connect(url) as conn:
        there = {row[0] for row in conn.execute("select key from tasks").fetchall()}
    assert set(load.acknowledged) <= there
    assert load.done == Counter(there)
    assert settled(url) == Counter({ClaimOutcome.COMPLETED: len(there)})
