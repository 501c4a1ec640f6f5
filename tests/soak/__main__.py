"""Run random programs until the time is over: `python -m tests.soak --minutes 10 [--faults]`.

The seed is printed. The first finding ends it: the program is made as short as still fails, and
printed. With --faults sessions are terminated, and backends killed, which restarts the server.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import random
import shutil
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

from taskdb import migrations
from taskdb.embedded import Server
from taskdb.embedded.temporary import THROWAWAY_SETTINGS
from tests.soak.faults import Faults
from tests.soak.run import Place
from tests.soak.soak import soak


@contextlib.contextmanager
def server() -> Generator[str]:
    """Run a server that keeps what it has acknowledged when it is killed (not at a power cut)."""
    directory = Path(tempfile.mkdtemp(prefix="taskdb-soak-"))
    settings = {**THROWAWAY_SETTINGS, "synchronous_commit": "on"}
    running = Server(directory / "server", settings=settings)
    try:
        yield running.start()
    finally:
        running.stop()
        shutil.rmtree(directory)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(1, 10**9))
    parser.add_argument("--faults", action="store_true")
    parser.add_argument("--no-shrinking", action="store_true")
    # The pools tell of each session that a fault ended.
    for name in ("psycopg", "taskdb"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    with server() as url:
        migrations.up(url)
        place = Place(url, Faults(asked.seed) if asked.faults else None)
        result = soak(
            place, seed=asked.seed, seconds=60 * asked.minutes, shrinking=not asked.no_shrinking
        )
    print(result)
    return 0 if result.finding is None else 1


if __name__ == "__main__":
    sys.exit(main())
