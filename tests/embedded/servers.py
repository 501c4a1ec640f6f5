"""Copies of a server that was made once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from taskdb.embedded import Server

ROOT = Path(__file__).parents[2]
STARTER = "import sys; from taskdb.embedded import Server; print(Server(sys.argv[1]).start())"
IS_ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not IS_ROOT, reason="a second user takes root")


def copy(made: Path, directory: Path) -> Server:
    """Return a server in a copy of the folder *made* that its owner trusts."""
    subprocess.run(["cp", "-a", made, directory], check=True)
    server = Server(directory)
    server.adopt()
    return server


def kept(server: Server) -> int:
    with psycopg.connect(server.url) as conn:
        row = conn.execute("select n from kept").fetchone()
    assert row is not None
    return int(row[0])


def pid_of(server: Server) -> int:
    pid = server.status().pid
    assert pid is not None
    return pid


def starter(directory: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", STARTER, str(directory)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=ROOT)
