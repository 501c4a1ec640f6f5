"""Switch of the instrumentation: on, and off again."""

from __future__ import annotations

import threading
from importlib.metadata import version
from typing import Final

from opentelemetry import metrics, trace

from taskdb.database.pooling import Pooled
from taskdb.otel.calls import Calls
from taskdb.otel.jobs import Jobs
from taskdb.otel.pools import Pools
from taskdb.query._query import Runners, runners
from taskdb.worker import tracing

__all__ = ["instrument", "uninstrument"]

SCHEMA: Final = "https://opentelemetry.io/schemas/1.44.0"

_switching: Final = threading.Lock()
_pools: Pools | None = None


def instrument(
    *,
    tracer_provider: trace.TracerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
) -> None:
    """Make a span of each named query and each job of a worker, and measure queries and pools.

    It counts for the whole process, from the next call on; without providers, by the global ones.
    Once is enough: a second call changes nothing. A service's own statements are traced by
    opentelemetry-instrumentation-psycopg, which leaves named queries alone.
    """
    global _pools  # noqa: PLW0603
    release = version("taskdb")
    tracer = trace.get_tracer("taskdb", release, tracer_provider, SCHEMA)
    meter = metrics.get_meter("taskdb", release, meter_provider, SCHEMA)
    with _switching:
        if _pools is not None:
            return
        calls = Calls(tracer, meter)
        for name in Runners.__slots__:
            setattr(runners, name, getattr(calls, name))
        tracing.traced = Jobs(tracer, meter)
        _pools = Pools(meter)
        Pooled.on_wait = _pools.on_wait


def uninstrument() -> None:
    """Make no spans and measure nothing any more."""
    global _pools  # noqa: PLW0603
    with _switching:
        if _pools is not None:
            _pools.end()
            _pools = None
        runners.__init__()  # type: ignore[misc]
        tracing.traced = tracing.Untraced()
        Pooled.on_wait = None
