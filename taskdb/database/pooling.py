"""What a pool does, sync or async: lend, check, reset, take back, try again, count.

Each is written once, as a generator that yields what it calls. `run` is given results and sends
them back; `run_async` is given awaitables, and sends back what they come to.
"""

from __future__ import annotations

import asyncio
import math
import random
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

import psycopg
from psycopg.errors import DeadlockDetected, SerializationFailure
from psycopg.rows import tuple_row
from psycopg_pool import PoolTimeout

from taskdb.database.connections import SERVER, AnyConnection, open_connection
from taskdb.database.settings import Settings
from taskdb.errors import DatabaseError, ValidationError
from taskdb.places import SQL

if TYPE_CHECKING:
    from taskdb.database.versions import SchemaVersion

__all__ = ["DatabaseHealth", "PoolFigures", "Pooled", "Steps", "run", "run_async"]

T = TypeVar("T")
Steps: TypeAlias = Generator[Any, Any, T]

_RESET: Final = (SQL / "session" / "reset.sql").read_bytes()

# A request that waits longer while no connection is in use asks whether the server is there.
_PATIENCE: Final = 0.5
# The pauses between attempts: random, up to 10 ms doubled with each, at most a second.
_FIRST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 1.0


@dataclass(frozen=True, slots=True)
class PoolFigures:
    """The pool now, and what it counted since it was opened."""

    size: int
    available: int
    lent: int
    waiting: int
    requests: int
    requests_that_waited: int
    requests_that_failed: int
    connections_made: int
    connections_lost: int
    retries: int
    retries_given_up: int


@dataclass(frozen=True, slots=True)
class DatabaseHealth:
    """What `Database.health` found. `latency` is one round trip on a pooled connection."""

    server_version: str
    is_standby: bool
    workspace: str
    schema: SchemaVersion
    latency: timedelta
    pool: PoolFigures


def run(steps: Steps[T]) -> T:
    """Take the steps one by one and return what they return."""
    try:
        result = next(steps)
        while True:
            result = steps.send(result)
    except StopIteration as stop:
        value: T = stop.value
        return value


async def run_async(steps: Steps[T]) -> T:
    """Await the steps one by one and return what they return."""
    try:
        pending = next(steps)
        while True:
            try:
                result = await pending
            except BaseException as exc:  # noqa: BLE001 - the steps decide
                pending = steps.throw(exc)
            else:
                pending = steps.send(result)
    except StopIteration as stop:
        value: T = stop.value
        return value


class Pooled:
    """What `Database` and `AsyncDatabase` have in common: all but the waiting."""

    def __init__(
        self,
        conninfo: str | None = None,
        *,
        workspace: str | None = None,
        pool_min: int | None = None,
        pool_max: int | None = None,
        pool_timeout: timedelta | None = None,
        pool_idle_timeout: timedelta | None = None,
        pool_max_lifetime: timedelta | None = None,
        statement_timeout: timedelta | None = None,
        check_schema: bool = True,
    ) -> None:
        """Read the settings; connect later, on entering, on `open` or at first use.

        Every argument left out is read from the environment: see `taskdb.database.settings`. With
        *check_schema* off the database need not hold a task plan at all.

        Raises `DatabaseNotFoundError` where nothing says which database, and
        `ValidationError` naming the argument or variable whose value won't do.
        """
        self.settings = Settings.read(
            conninfo,
            workspace=workspace,
            pool_min=pool_min,
            pool_max=pool_max,
            pool_timeout=pool_timeout,
            pool_idle_timeout=pool_idle_timeout,
            pool_max_lifetime=pool_max_lifetime,
            statement_timeout=statement_timeout,
        )
        self._check_schema = check_schema
        self._closed = False
        self._opening = threading.Lock()
        self._opening_async = asyncio.Lock()
        self._counting = threading.Lock()
        self._lent = 0
        self._retries = 0
        self._given_up = 0
        self._made: WeakKeyDictionary[AnyConnection, float] = WeakKeyDictionary()
        self._drained = -math.inf

    @property
    def workspace(self) -> str:
        """The workspace whose tables its connections see."""
        return self.settings.workspace

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.settings}>"

    def _limits(self) -> dict[str, Any]:
        """What both kinds of pool are made with."""
        settings = self.settings
        return {
            "min_size": settings.pool_min,
            "max_size": settings.pool_max,
            "timeout": settings.pool_timeout.total_seconds(),
            "max_idle": settings.pool_idle_timeout.total_seconds(),
            "max_lifetime": settings.pool_max_lifetime.total_seconds(),
            # Don't go on trying in the background at growing intervals: the next request
            # tries at once, so service resumes as soon as the server does.
            "reconnect_timeout": 0.0,
            "name": "taskdb",
            "open": False,
        }

    def _probe(self) -> None:
        """Connect once, outside the pool: raises at once what the pool would only wait for."""
        with open_connection(self.settings, autocommit=True) as conn:
            if self._check_schema:
                from taskdb.database import versions

                versions.require(conn)

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise DatabaseError(f"{self!r} is closed", hint="Open it again with open()")

    def _made_now(self, conn: AnyConnection) -> None:
        self._made[conn] = time.monotonic()

    def _check(
        self, conn: AnyConnection, check: Callable[[Any], Any], drain: Callable[[], Any]
    ) -> Steps[None]:
        """Refuse a dead connection, and with it all that are as old: they died together.

        The pool alone would meet them one by one, and sleep longer after each.
        """
        try:
            yield check(conn)
        except Exception:
            if self._made[conn] > self._drained:
                self._drained = time.monotonic()
                yield drain()
            raise

    def _reset(self, conn: AnyConnection, set_cursors: Callable[[Any], Any]) -> Steps[None]:
        """Undo what the last user did to the session, the transaction being over."""
        yield conn.set_autocommit(True)
        yield conn.execute(_RESET, prepare=False)
        yield conn.set_autocommit(False)
        yield conn.set_isolation_level(None)
        yield conn.set_read_only(None)
        yield conn.set_deferrable(None)
        conn.row_factory = tuple_row
        conn.prepare_threshold = 5
        yield set_cursors(conn)

    def _borrow(
        self,
        getconn: Callable[[float], Any],
        probe: Callable[[], Any],
        timeout: timedelta | None,
    ) -> Steps[Any]:
        """Take a connection from the pool; if none comes, find out whether any could."""
        limit = (self.settings.pool_timeout if timeout is None else timeout).total_seconds()
        patience = min(_PATIENCE, limit)
        try:
            conn = yield getconn(patience)
        except PoolTimeout:
            if not self._lent:
                yield probe()
            try:
                conn = yield getconn(limit - patience)
            except PoolTimeout as exc:
                if not self._lent:
                    yield probe()
                exc.add_note(
                    f"All {self.settings.pool_max} connections were in use for {limit:g} s:"
                    " raise DB_POOL_MAX, or hold them for less time"
                )
                raise
        with self._counting:
            self._lent += 1
        return conn

    def _give_back(
        self, conn: Any, set_cursors: Callable[[Any], Any], putconn: Callable[[Any], Any]
    ) -> Steps[None]:
        """Return a connection as it was when it was made, or closed.

        The pool could do that with its `reset` callback, but in another thread: meanwhile the
        next request finds no connection free, and the pool grows.
        """
        with self._counting:
            self._lent -= 1
        try:
            yield from self._reset(conn, set_cursors)
        except BaseException as exc:
            # The pool replaces a closed one. One that was reset by half, its user being cancelled
            # meanwhile, would commit each statement of the next.
            yield conn.close()
            # What the server says against the reset is nothing to the user, who is done.
            if not isinstance(exc, psycopg.Error):
                raise
        finally:
            yield putconn(conn)

    def _retry(
        self, attempt: Callable[[], Any], sleep: Callable[[float], Any], attempts: int
    ) -> Steps[Any]:
        if attempts < 1:
            raise ValidationError("attempts", "must be at least 1")
        for number in count(1):
            try:
                return (yield attempt())
            except (SerializationFailure, DeadlockDetected) as exc:
                with self._counting:
                    if number == attempts:
                        self._given_up += 1
                        exc.add_note(f"taskdb gave up after {attempts} attempts")
                        raise
                    self._retries += 1
            longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (number - 1))
            yield sleep(random.uniform(0, longest))
        return None

    def _ask(
        self, conn: AnyConnection, version: Callable[[Any], Any], figures: PoolFigures
    ) -> Steps[DatabaseHealth]:
        start = time.perf_counter()
        cursor = yield conn.execute(SERVER)
        row = yield cursor.fetchone()
        latency = timedelta(seconds=time.perf_counter() - start)
        return DatabaseHealth(
            server_version=row[0],
            is_standby=row[1],
            workspace=self.workspace,
            schema=(yield version(conn)),
            latency=latency,
            pool=figures,
        )

    def _figures(self, counted: dict[str, int]) -> PoolFigures:
        return PoolFigures(
            size=counted.get("pool_size", 0),
            available=counted.get("pool_available", 0),
            lent=self._lent,
            waiting=counted.get("requests_waiting", 0),
            requests=counted.get("requests_num", 0),
            requests_that_waited=counted.get("requests_queued", 0),
            requests_that_failed=counted.get("requests_errors", 0),
            connections_made=counted.get("connections_num", 0),
            connections_lost=counted.get("connections_lost", 0),
            retries=self._retries,
            retries_given_up=self._given_up,
        )
