"""Servers for the tests: a container's where Docker answers, else one that copies fast.

Run as a program it lends a throwaway server to a command::

    python -m tests.servers [--binaries DIR] COMMAND ...      # with TASKDB_TEST_URL set
"""

from __future__ import annotations

import contextlib
import gc
import os
import secrets
import subprocess
import sys
import warnings
from collections.abc import Generator, MutableMapping
from pathlib import Path

from taskdb.embedded import throwaway

IMAGE = "postgres:18-alpine"
FAST = "postgres -c fsync=off -c full_page_writes=off -c synchronous_commit=off"


def forget_settings(environment: MutableMapping[str, str]) -> None:
    """Take out of *environment* what would name a database, or change how one is reached."""
    for name in list(environment):
        if name.startswith(("PG", "DB_")) or name in {"DATABASE_URL", "TASKDB_WORKSPACE"}:
            del environment[name]


def docker_answers() -> bool:
    """Tell whether a Docker engine answers where testcontainers would look for it."""
    from docker.errors import DockerException
    from testcontainers.core.docker_client import DockerClient

    with warnings.catch_warnings():
        # Refused, Docker's client leaves its socket to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            DockerClient(timeout=2).client.close()  # It asked for the engine's version.
            answered = True
        except DockerException:
            answered = False
        gc.collect()
    return answered


@contextlib.contextmanager
def container() -> Generator[str]:
    from testcontainers.community.postgres import PostgresContainer

    postgres = PostgresContainer(
        IMAGE, username="test", password=secrets.token_hex(8), dbname="test", driver=None
    )
    with postgres.with_command(FAST).with_tmpfs_mount("/var/lib/postgresql"):
        yield postgres.get_connection_url()


@contextlib.contextmanager
def embedded() -> Generator[str]:
    """A throwaway server that lets the kernel copy a template's files, a thousand times a run."""
    with throwaway(settings={"file_copy_method": "clone"}) as server:
        yield server.url


def main(arguments: list[str]) -> int:
    binaries = None
    if arguments[:1] == ["--binaries"]:
        binaries, arguments = Path(arguments[1]), arguments[2:]
    with throwaway(binaries=binaries) as server:
        environment = {**os.environ, "TASKDB_TEST_URL": server.url}
        return subprocess.run(arguments, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
