"""The whole bench on one server: `make bench`, or `python -m bench`.

It starts a server of its own, set up as the embedded one, in a folder beside the user's, and
removes it in the end. With `--own` only psycopg, taskdb and pgbench are measured, which need no
library that `make setup` does not install.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from bench import WORKSPACE, Table, claiming, machine, reading
from bench.pgbench import Pgbench
from taskdb import migrations
from taskdb.embedded import Server

FOLDER: Final = Path(".taskdb-bench")
OTHERS: Final = ["aiosql", "SQLAlchemy", "asyncpg", "procrastinate", "pgqueuer", "uvloop"]


@contextmanager
def server() -> Iterator[str]:
    """Run a server as durable as the embedded one; its folder is new, and gone at the end."""
    served = Server(FOLDER)
    _remove(served)  # What a bench left that was killed.
    try:
        yield served.start()
    finally:
        _remove(served)


def _remove(served: Server) -> None:
    if served.directory.exists():
        served.stop()
        shutil.rmtree(served.directory)


def report(
    url: str, *, own: bool, jobs: int = 5000, seconds: float = 2, rounds: int = 3
) -> Iterator[Table]:
    """Measure everything on the empty database of *url*, table by table."""
    migrations.up(url, workspace=WORKSPACE)
    reading.prepare(url)
    pgbench = Pgbench(url, Server().binaries)
    queues = claiming.queues(pgbench)
    yield machine.table(url, [] if own else OTHERS)
    with ExitStack() as stack:
        ways = stack.enter_context(reading.ways(url))
        if not own:
            from bench import claiming_others, reading_others

            ways += stack.enter_context(reading_others.ways(url))
            claiming_others.prepare(url)
            queues += claiming_others.queues()
        yield from reading.tables(ways, pgbench, seconds)
    yield claiming.table(queues, url, jobs=jobs, seconds=seconds, rounds=rounds)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    parser.add_argument("--own", action="store_true", help="only psycopg, taskdb and pgbench")
    parser.add_argument(
        "--seconds", type=float, default=2, help="for each way and question (default: 2)"
    )
    given = parser.parse_args(arguments)
    with server() as url:
        for table in report(url, own=given.own, seconds=given.seconds):
            print(f"{table}\n", flush=True)


if __name__ == "__main__":
    main()
