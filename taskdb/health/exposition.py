"""The figures for Prometheus: a collector for its client library, and an endpoint of one's own.

It needs the extra `taskdb[prometheus]`.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Generator, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, Final, TypeVar
from wsgiref.simple_server import WSGIServer

import psycopg

from taskdb.database.connections import GuardedConnection, open_connection
from taskdb.database.pooling import Pooled
from taskdb.database.settings import Settings
from taskdb.errors import TaskdbError, needing
from taskdb.health.figures import HealthFigures, collect
from taskdb.health.metrics import ALL, OF_POOLS, OF_WORKSPACES, UP, Metric
from taskdb.query import Matches, Range, checked

with needing("prometheus"):
    from prometheus_client import CollectorRegistry, start_http_server
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
    from prometheus_client.registry import Collector

__all__ = ["Exposition", "serve"]

logger = logging.getLogger("taskdb.health")

F = TypeVar("F")
Host = Annotated[str, Matches(r"[\w:%-]{1,63}(?:\.[\w:%-]{1,63})*")]
Port = Annotated[int, Range(0, 65_535)]
Family = CounterMetricFamily | GaugeMetricFamily

# Limit of a statement, and of the wait for the scrape before.
_PATIENCE: Final = timedelta(seconds=3)
# Figures are given again until they are this old.
_FRESH_SECONDS: Final = 1.0


class Exposition(Collector):
    """Collector of the figures of workspaces, and of the pools of those given as databases.

    Each has a connection of its own, takes none from its pool, and holds no transaction between
    its statements. Scrapes ask one after the other, for three seconds a statement at most; those
    that come while another one asks share its figures. Without an answer `taskdb_up` is 0, and
    the pool's own figures are reported all the same.
    """

    def __init__(self, *databases: Pooled | Settings) -> None:
        self._sources = [FigureSource(each) for each in databases]

    def describe(self) -> Generator[Family]:
        """Yield the metrics without values, so that registration asks the server nothing."""
        for metric in ALL:
            if metric not in OF_POOLS or any(source.pool for source in self._sources):
                yield _family(metric)

    def collect(self) -> Generator[Family]:
        """Yield the metrics with their values."""
        found = [(source, source.figures()) for source in self._sources]
        yield _filled(UP, [(source, health is not None) for source, health in found])
        known = [(source, health) for source, health in found if health is not None]
        if known:
            for metric in OF_WORKSPACES:
                yield _filled(metric, known)
        pools = [(each, each.pool.pool_figures()) for each in self._sources if each.pool]
        if pools:
            for of_pool in OF_POOLS:
                yield _filled(of_pool, pools)

    def close(self) -> None:
        """Close the connections; the next scrape opens others."""
        for source in self._sources:
            source.close()


class FigureSource:
    """One workspace, and the connection that asks for its figures."""

    def __init__(self, database: Pooled | Settings) -> None:
        self.pool = database if isinstance(database, Pooled) else None
        settings = database.settings if isinstance(database, Pooled) else database
        self._settings = replace(settings, statement_timeout=_PATIENCE)
        self._conn: GuardedConnection | None = None
        self._turn = threading.Lock()
        self._asked_at = -math.inf
        self._health: HealthFigures | None = None
        self._database = settings.parameters.get("dbname", "")

    @property
    def place(self) -> list[str]:
        """The values of the labels that each of its samples has."""
        return [self._database, self._settings.workspace]

    def figures(self) -> HealthFigures | None:
        """Return the figures of now or of just before; None if there are none in time."""
        if not self._turn.acquire(timeout=_PATIENCE.total_seconds()):
            return None
        try:
            if time.monotonic() - self._asked_at >= _FRESH_SECONDS:
                self._health = self._ask()
                self._asked_at = time.monotonic()
            return self._health
        finally:
            self._turn.release()

    def close(self) -> None:
        """Close the connection; the next look opens another one."""
        conn, self._conn = self._conn, None
        if conn is not None:
            conn.close()

    def _ask(self) -> HealthFigures | None:
        try:
            health = self._ask_again() or collect(self._open())
        except (psycopg.Error, TaskdbError) as exc:
            fields = {"database": self._settings.place, "workspace": self._settings.workspace}
            logger.warning("no figures: %s", exc, extra=fields)
            self.close()
            return None
        self._database = health.server.database
        return health

    def _ask_again(self) -> HealthFigures | None:
        """Ask over the last connection; None if there is none, or the server has ended it."""
        if self._conn is None:
            return None
        try:
            return collect(self._conn)
        except (psycopg.Error, TaskdbError):
            if not self._conn.broken:
                raise
            self.close()
            return None

    def _open(self) -> GuardedConnection:
        self._conn = open_connection(self._settings, autocommit=True)
        return self._conn


def _family(metric: Metric[Any]) -> Family:
    family = CounterMetricFamily if metric.is_counter else GaugeMetricFamily
    labels = ["database", "workspace", *filter(None, [metric.label])]
    return family(metric.name, metric.help, labels=labels)


def _filled(metric: Metric[F], figures: Iterable[tuple[FigureSource, F]]) -> Family:
    family = _family(metric)
    for source, each in figures:
        for value, number in metric.read(each).items():
            family.add_metric([*source.place, value] if metric.label else source.place, number)
    return family


@checked
def serve(exposition: Exposition, host: Host, port: Port) -> tuple[WSGIServer, threading.Thread]:
    """Answer Prometheus at an address, in a thread; port 0 takes a free one.

    Stop it by `shutdown` of the server.
    """
    registry = CollectorRegistry()
    registry.register(exposition)
    return start_http_server(port, host, registry)
