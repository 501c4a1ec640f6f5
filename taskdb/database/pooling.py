"""Logic shared by sync and async pools: all but the waiting."""

from __future__ import annotations

import logging
import math
import os
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final
from weakref import WeakSet

import psycopg
from psycopg_pool import PoolTimeout

from taskdb.database.connecting import not_found
from taskdb.database.settings import Settings
from taskdb.errors import DatabaseError, DatabaseNotFoundError
from taskdb.queries.fields import Delay
from taskdb.query import Range, checker

if TYPE_CHECKING:
    from taskdb.database.versions import SchemaVersion

__all__ = [
    "DatabaseHealth",
    "PoolFigures",
    "Pooled",
    "check_attempts",
    "check_timeout",
    "logger",
    "open_pools",
]

logger = logging.getLogger("taskdb.pool")

# The pauses between attempts: random, up to 10 ms doubled with each, at most a second.
_FIRST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 1.0

check_attempts = checker("attempts", Annotated[int, Range(1)])
check_timeout = checker("timeout", Delay)


@dataclass(frozen=True, slots=True)
class PoolFigures:
    """The pool now, and what it counted since it was opened."""

    size: int
    available: int
    in_use: int
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
    """Result of `Database.health`; `latency` is one round trip on a pooled connection."""

    server_version: str
    is_standby: bool
    workspace: str
    schema: SchemaVersion
    latency: timedelta
    pool: PoolFigures


_open: Final[WeakSet[Pooled]] = WeakSet()
_opening: Final = threading.Lock()
# The pools of a parent: what is done at their end would wait for threads that a fork leaves out.
_left: Final[list[Any]] = []


def open_pools() -> list[Pooled]:
    """Return each `Database` and `AsyncDatabase` of this process that is open."""
    with _opening:
        return list(_open)


class Pooled:
    """Code shared by `Database` and `AsyncDatabase`: everything that does not wait."""

    on_wait: ClassVar[Callable[[Pooled, float], None] | None] = None
    """Called with the seconds that a connection was waited for, where somebody measures them."""
    _pool: Any = None

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
        slow_query: timedelta | None = None,
        prepare: bool | None = None,
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
            slow_query=slow_query,
            prepare=prepare,
        )
        self._check_schema = check_schema
        self._closed = False
        self._in_use = 0
        self._retries = 0
        self._given_up = 0
        self._drained = -math.inf
        self._limit: float | None = None
        self._is_shared = False
        self._refusal: psycopg.OperationalError | None = None
        self.begin_anew()

    def begin_anew(self) -> None:
        """Be unopened, with locks that no thread holds, as the child of a fork needs it."""
        if self._pool is not None:
            _left.append(self._pool)
            self._pool = None
        self._counting = threading.Lock()

    @property
    def workspace(self) -> str:
        """The workspace whose tables its connections see."""
        return self.settings.workspace

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.settings}>"

    def pool_figures(self) -> PoolFigures:
        """Return the figures of the pool, without asking the server anything."""
        counted: dict[str, int] = self._pool.get_stats() if self._pool else {}
        return self._figures(counted)

    def _has_opened(self) -> None:
        with _opening:
            _open.add(self)
        logger.info("opened the pool of %s", self.settings, extra=self._fields())

    def _has_closed(self) -> None:
        with _opening:
            _open.discard(self)
        logger.info("closed the pool of %s", self.settings, extra=self._fields())

    def _fields(self) -> dict[str, object]:
        """Fields of each record of the log: which pool it is."""
        return {"pool": self.settings.pool_name}

    def _limits(self) -> dict[str, Any]:
        """Arguments that both kinds of pool are made with."""
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
            "kwargs": {"refused": self._refused},
            "name": "taskdb",
            "open": False,
        }

    def _refused(self, exc: psycopg.OperationalError) -> None:
        """Keep why the pool's last attempt to connect failed."""
        self._refusal = exc

    def _refusal_of_waiting(self, connections: int) -> DatabaseNotFoundError | None:
        """Return the error for callers waiting for a connection, given the pool's current size."""
        if self._refusal is None or (connections and "FATAL: " in str(self._refusal)):
            # The server answers: one of those in use will come back.
            return None
        return not_found(self.settings, self._refusal)

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise DatabaseError(f"{self!r} is closed", hint="Open it again with open()")

    def _count(self, change: int) -> None:
        with self._counting:
            self._in_use += change

    def _none_came(self, exc: PoolTimeout, limit: float) -> Exception:
        """Return the error of a request that no connection came for."""
        most = self.settings.pool_max
        fields = {**self._fields(), "in_use": self._in_use, "limit_seconds": limit}
        logger.warning("no connection within %g s", limit, extra=fields)
        if self._in_use < most:
            return DatabaseNotFoundError(
                f"{self.settings.place} took no connection within {limit:g} s",
                hint="Is the server stopped, or the network? connect_timeout ends an attempt",
            )
        exc.add_note(
            f"All {most} connections were in use for {limit:g} s:"
            " raise DB_POOL_MAX, or hold them for less time"
        )
        return exc

    def _pause(self, number: int, attempts: int, exc: psycopg.Error) -> float:
        """Count a lost race and return how long to wait, or raise if that was the last attempt."""
        fields = {**self._fields(), "sqlstate": exc.sqlstate, "attempt": number}
        logger.debug("attempt %d lost a race (%s)", number, exc.sqlstate, extra=fields)
        with self._counting:
            if number >= attempts:
                self._given_up += 1
                exc.add_note(f"taskdb gave up after {attempts} attempts")
                raise exc
            self._retries += 1
        return random.uniform(0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(number - 1, 10)))

    def _figures(self, counted: dict[str, int]) -> PoolFigures:
        return PoolFigures(
            size=counted.get("pool_size", 0),
            available=counted.get("pool_available", 0),
            in_use=self._in_use,
            waiting=counted.get("requests_waiting", 0),
            requests=counted.get("requests_num", 0),
            requests_that_waited=counted.get("requests_queued", 0),
            requests_that_failed=counted.get("requests_errors", 0),
            connections_made=counted.get("connections_num", 0),
            connections_lost=counted.get("connections_lost", 0),
            retries=self._retries,
            retries_given_up=self._given_up,
        )


def _leave_pools() -> None:
    """Have each pool of a forked process connect again; its parent has the connections."""
    _opening.release()
    for pooled in list(_open):
        pooled.begin_anew()
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_opening.acquire, after_in_parent=_opening.release, after_in_child=_leave_pools
    )
