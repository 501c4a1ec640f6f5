"""A worker of taskdb, or of plain SQL in psycopg, as a process: `bench.worker WAY URL NAME`.

It connects, prints "ready", reads for how many seconds to work, and works until they are over or
the queue is empty. It runs on any checkout's taskdb (`bench/launch.py`), so what a version may
lack is looked for: `bench.worker ways` prints what this one can do.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Final, TypeAlias

import psycopg
from psycopg.raw_cursor import RawCursor

from bench import WORKSPACE, connected, plain
from bench.jobs import finish, lease
from taskdb.database import Connection, Database
from taskdb.models.claims import Claim
from taskdb.queries import claims

BATCH: Final = 100
CHAINS: Final = hasattr(claims, "complete_and_claim_next")

# Do one job, or a batch; return whether there was any.
Step: TypeAlias = Callable[[], bool]


def _complete(claim: Claim, conn: Connection) -> None:
    claims.complete(conn, task_id=claim.task_id, token=claim.token)


@contextmanager
def one_by_one(url: str, name: str) -> Iterator[Step]:
    """Claim and complete, each statement a transaction by itself."""
    with connected(url) as conn:

        def step() -> bool:
            claim = claims.claim_next(conn, agent=name)
            if claim is None:
                return False
            _complete(claim, conn)
            return True

        yield step


@contextmanager
def ahead(url: str, name: str) -> Iterator[Step]:
    """Claim behind the last claim, and at the head once a second; complete."""
    with connected(url) as conn:
        last: Claim | None = None
        renewed = time.monotonic()

        def step() -> bool:
            nonlocal last, renewed
            if time.monotonic() - renewed > 1:
                last, renewed = None, time.monotonic()
            claim = claims.claim_next(  # type: ignore[call-overload,unused-ignore]
                conn, agent=name, after=last.task_id if last else None
            )
            if claim is None:
                return False
            _complete(claim, conn)
            last = claim
            return True

        yield step


@contextmanager
def chained(url: str, name: str) -> Iterator[Step]:
    """Complete and claim the next in one statement."""
    with connected(url) as conn:
        claim = claims.claim_next(conn, agent=name)

        def step() -> bool:
            nonlocal claim
            if claim is None:
                return False
            end = claims.complete_and_claim_next(  # type: ignore[attr-defined,unused-ignore]
                conn, task_id=claim.task_id, token=claim.token, agent=name
            )
            claim = end.claim
            return True

        yield step


@contextmanager
def batches(url: str, name: str) -> Iterator[Step]:
    """Claim a hundred at once; complete them in one statement, or else in one pipeline."""
    with connected(url) as conn:

        def step() -> bool:
            batch = claims.claim_batch(conn, agent=name, limit=BATCH)
            if not batch:
                return False
            if hasattr(claims, "complete_many"):
                ids, tokens = [c.task_id for c in batch], [c.token for c in batch]
                claims.complete_many(conn, task_ids=ids, tokens=tokens)
            else:
                ends = [{"task_id": claim.task_id, "token": claim.token} for claim in batch]
                claims.complete.batch(conn, ends)
            return True

        yield step


@contextmanager
def through_the_pool(url: str, name: str) -> Iterator[Step]:
    """Claim and complete as the demo's agent does: a checked connection and `retrying`."""
    with Database(url, workspace=WORKSPACE, pool_min=1, pool_max=1) as database:

        def claim_next(conn: Connection) -> Claim | None:
            return claims.claim_next(conn, agent=name)

        def step() -> bool:
            claim = database.retrying(claim_next)
            if claim is None:
                return False
            database.retrying(partial(_complete, claim))
            return True

        yield step


@contextmanager
def in_plain_sql(url: str, name: str) -> Iterator[Step]:
    """Lease and finish by plain statements on psycopg's own cursor."""
    with psycopg.connect(url, autocommit=True, cursor_factory=RawCursor) as conn:
        cursor = conn.cursor()
        first, second = plain(lease), plain(finish)

        def step() -> bool:
            row = cursor.execute(first, [name]).fetchone()
            if row is None:
                return False
            cursor.execute(second, row[:2]).fetchone()
            return True

        yield step


WAYS: Final[dict[str, Callable[[str, str], AbstractContextManager[Step]]]] = {
    "one": one_by_one,
    "ahead": ahead,
    "chain": chained,
    "batch": batches,
    "pool": through_the_pool,
    "plain": in_plain_sql,
}


def main(way: str, url: str, name: str) -> None:
    """Work as told."""
    with WAYS[way](url, name) as step:
        print("ready", flush=True)
        end = float(input()) + time.monotonic()
        while time.monotonic() < end and step():
            pass


if __name__ == "__main__":
    if sys.argv[1:] == ["ways"]:
        print(*(way for way in WAYS if way not in ("chain", "ahead") or CHAINS))
    else:
        main(*sys.argv[1:])
