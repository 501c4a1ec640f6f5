"""A server that was made once, and a copy of it in a folder of the test's own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest

from taskdb.embedded import Server
from tests.embedded.servers import copy


@pytest.fixture(scope="module")
def base() -> Generator[Path]:
    """A folder that every account can reach, in memory where there is some."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 1 << 30
    folder = Path(tempfile.mkdtemp(dir=memory if roomy else "/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def made(base: Path) -> Path:
    """The folder of a server that was started once, and stopped."""
    server = Server(base / "made")
    server.start()
    with psycopg.connect(server.url) as conn:
        conn.execute("create table kept as select 42 as n")
    server.stop()
    return server.directory


@pytest.fixture
def folder(base: Path) -> Generator[Path]:
    """A folder of the test's own; any server in it is ended afterwards."""
    path = Path(tempfile.mkdtemp(dir=base))
    path.chmod(0o755)
    yield path
    for lock in path.rglob("lock"):
        Server(lock.parent).stop()
    shutil.rmtree(path)


@pytest.fixture
def server(folder: Path, made: Path) -> Server:
    """A stopped server with a table in it."""
    return copy(made, folder / ".taskdb")
