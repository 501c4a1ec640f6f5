"""Figures of the pools that are open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from taskdb.database.pooling import Pooled, PoolFigures, open_pools
from taskdb.otel.calls import BUCKETS

__all__ = ["Pools"]

Observe = Callable[[CallbackOptions], Iterable[Observation]]

_NAME: Final = "db.client.connection.pool.name"
_STATE: Final = "db.client.connection.state"


class Pools:
    """Instruments that read the figures of each open pool when they are collected."""

    def __init__(self, meter: Meter) -> None:
        self._is_on = True
        self._waits = meter.create_histogram(
            "db.client.connection.wait_time",
            unit="s",
            description="The time it took to obtain a connection from the pool.",
            explicit_bucket_boundaries_advisory=BUCKETS,
        )
        meter.create_observable_up_down_counter(
            "db.client.connection.count",
            [self._of(lambda it: it.in_use, "used"), self._of(lambda it: it.available, "idle")],
            unit="{connection}",
            description="The number of connections, in use and idle.",
        )
        meter.create_observable_up_down_counter(
            "db.client.connection.pending_requests",
            [self._of(lambda it: it.waiting)],
            unit="{request}",
            description="The number of requests that wait for a connection.",
        )
        meter.create_observable_counter(
            "db.client.connection.timeouts",
            [self._of(lambda it: it.requests_that_failed)],
            unit="{timeout}",
            description="The number of requests for a connection that failed.",
        )
        meter.create_observable_up_down_counter(
            "db.client.connection.max",
            [self._sums(lambda pool: pool.settings.pool_max, {})],
            unit="{connection}",
            description="The most connections that the pool opens.",
        )

    def on_wait(self, pool: Pooled, seconds: float) -> None:
        """Measure how long a connection was waited for."""
        self._waits.record(seconds, {_NAME: pool.settings.pool_name})

    def end(self) -> None:
        """Observe nothing any more: an instrument cannot be taken back."""
        self._is_on = False

    def _of(self, figure: Callable[[PoolFigures], int], state: str | None = None) -> Observe:
        attributes = {} if state is None else {_STATE: state}
        return self._sums(lambda pool: figure(pool.pool_figures()), attributes)

    def _sums(self, figure: Callable[[Pooled], int], attributes: Mapping[str, str]) -> Observe:
        """Return a callback that adds the figure up over pools of one name."""

        def observe(options: CallbackOptions) -> Iterable[Observation]:
            sums: Counter[str] = Counter()
            for pool in open_pools() if self._is_on else ():
                sums[pool.settings.pool_name] += figure(pool)
            return [Observation(total, {_NAME: name, **attributes}) for name, total in sums.items()]

        return observe
